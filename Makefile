# Two commands matter: `make run` and `make test`. Both install what they need from the package registry.
PYTHON ?= python3
PORT ?= 8000
SANDBOX_PORT ?= 8010
DEMO ?= 1
WORKERS ?= 2
BIN := .venv/bin
STAMP := .venv/installed
SHELL := /bin/sh

.DEFAULT_GOAL := help
.PHONY: help install run test check bench lock vendor messages audit clean

help:  ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## Make .venv and install the pinned packages into it

# The stamp holds the digest of what was installed: a checkout that only touches the file installs nothing.
$(STAMP): requirements-dev.txt scripts/install.sh
	@PYTHON=$(PYTHON) sh scripts/install.sh requirements-dev.txt $(STAMP)

run: install  ## Start everything on http://localhost:8000 (PORT, SANDBOX_PORT, DEMO=0)
	@exec $(BIN)/python manage.py stack --port $(PORT) --sandbox-port $(SANDBOX_PORT) $(if $(filter 0,$(DEMO)),--no-demo) --end-with $$PPID

test: install  ## Run every test (FAST=1: the everyday part; ARGS: more for pytest)
	@exec env -u DJANGO_SETTINGS_MODULE FAST=$(FAST) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(ARGS)

check: install  ## Static checks: style, types, security, configuration, secrets
	@exec $(BIN)/python scripts/check.py $(ARGS)

bench: install  ## Measure (see bench/)
	@set -e; for script in bench/*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

lock:  ## Compile requirements*.in into requirements*.txt, with hashes (needs uv)
	uv pip compile --generate-hashes --universal --python-version 3.11 requirements-dev.in -o requirements-dev.txt $(ARGS)
	uv pip compile --generate-hashes --universal --python-version 3.11 -c requirements-dev.txt requirements.in -o requirements.txt

vendor:  ## Copy the browser assets of package.json into static/vendor and tests/vendor (needs npm)
	npm ci --ignore-scripts --no-audit --no-fund
	$(PYTHON) scripts/vendor.py

messages: install  ## Collect texts to translate and compile the translations (needs gettext)
	$(BIN)/python manage.py makemessages --all --no-obsolete --no-location --ignore=.venv --ignore=node_modules --ignore=tests
	$(BIN)/python manage.py compilemessages --ignore=.venv --ignore=node_modules

audit: install  ## Look for known vulnerabilities in the pinned packages (asks a public database; needs pip-audit)
	$(BIN)/python -m pip_audit --requirement requirements.txt --require-hashes --disable-pip

clean:  ## Remove the installed packages and all local data, the development database too
	@sh scripts/clean.sh
