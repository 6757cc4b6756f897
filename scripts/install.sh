#!/bin/sh
# Makes .venv and installs one hashed requirements file into it; does nothing when that very file is installed.
set -eu
requirements=$1
stamp=$2
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Aaperture needs Python 3.11 or later; $python is $("$python" --version 2>&1). Name another with PYTHON=…" >&2
    exit 1
}
digest=$("$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), sys.version_info[:2])' "$requirements")
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ] && .venv/bin/python -c 'import django' 2>/dev/null; then
    touch "$stamp"
    exit 0
fi
# A clone that was moved, or a Python that was removed, leaves an environment that cannot run.
if [ -e .venv ] && ! .venv/bin/python -c '' >/dev/null 2>&1; then
    rm -rf .venv
fi
if [ ! -d .venv ]; then
    "$python" -c 'import ensurepip' 2>/dev/null || {
        echo "This Python cannot make virtual environments. On Debian: apt-get install python3-venv" >&2
        exit 1
    }
    "$python" -m venv .venv
fi
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --default-pip >/dev/null
echo "Installing the pinned packages of $requirements …"
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input --require-hashes --requirement "$requirements"
printf '%s\n' "$digest" >"$stamp"
