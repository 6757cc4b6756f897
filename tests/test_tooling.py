"""Tools and repository: configuration listed, workflows least-privileged, locks fresh, no secret committed (R-214 … R-221)."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
DEPENDABOT: dict[str, Any] = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def triggers(workflow: dict[Any, Any]) -> dict[str, Any]:
    """YAML 1.1 reads the key `on` as true."""
    return dict(workflow.get("on", workflow.get(True)) or {})


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(name: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(WORKFLOWS[name]))


# --- configuration -----------------------------------------------------------------------------------------------------


def test_the_example_lists_every_variable_that_is_read_and_no_other() -> None:
    sources = [ROOT / "aaperture/settings.py"]
    read = {name for path in sources for name in re.findall(r'\benv\.(?:text|flag|words|choice|days)\(\s*"([A-Z0-9_]+)"', path.read_text())}
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert read - set(listed) == set(), "read, but not in .env.example"
    assert set(listed) - read == set(), "in .env.example, but read nowhere"


def test_every_variable_is_explained() -> None:
    documented = (ROOT / "docs/configuration.md").read_text()
    for name in re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        assert f"`{name}`" in documented, name


@pytest.mark.parametrize(
    "name", [".env", ".env.production", ".data/passwords.json", "deploy/secrets/secret_key", "deploy/certificates/privkey.pem"]
)
def test_what_holds_secrets_is_not_committed(name: str) -> None:
    assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0


def test_the_example_file_may_be_committed() -> None:
    assert subprocess.run(["git", "check-ignore", "-q", ".env.example"], cwd=ROOT, check=False).returncode == 1


def test_the_documented_redirect_addresses_are_the_real_ones() -> None:
    from django.urls import reverse

    text = (ROOT / "docs/getting-started.md").read_text()
    for address in (reverse("openid_callback", kwargs={"provider_id": "google"}), reverse("integrations:google_callback")):
        assert f"`http://localhost:8000{address}`" in text


@pytest.mark.parametrize("path", ["README.md", "SECURITY.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_no_link_between_our_pages_is_broken(path: str) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / path).read_text()):
        assert (ROOT / path).parent.joinpath(target).exists() or target.startswith("docs/images/"), target


# --- secrets -----------------------------------------------------------------------------------------------------------


def joined(*parts: str) -> str:
    """A value that must not stand in this file in one piece, or the scan would find it."""
    return "".join(parts)


@pytest.mark.parametrize(
    "line",
    [
        joined("-----BEGIN RSA ", "PRIVATE KEY-----"),
        joined("key = 'AI", "zaSyA1234567890abcdefghijklmnopqrstuv'"),
        joined("GOCS", "PX-abcdefghijklmnopqrstuvwx"),
        joined("STRIPE = 'sk_li", "ve_51Habcdefghijklmnop'"),
        joined("AKI", "AIOSFODNN7EXAMPLF"),
        joined("token: gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"),
        joined("DATABASE_URL=postgres", "ql://app:q8Zr71uKxY@db.internal/app"),
        joined("SECRET", "_KEY = 'c4Vd0wq8ZrT1uKxY7mNs2bHfLpGj5eRaQ9tWiOz'"),
        joined("password", ": 'tR5-pLw8-Qx2z-Vn4b-Kj7m'"),
    ],
)
def test_the_secret_scan_finds(line: str) -> None:
    assert list(script("find_secrets").find(line))


@pytest.mark.parametrize(
    "line",
    [
        'SECRET_KEY = env.text("SECRET_KEY")',
        "SECRET_KEY_FILE: /run/secrets/secret_key",
        "password = forms.CharField(widget=forms.PasswordInput)",
        "GOOGLE_CLIENT_SECRET=sandbox-secret",
        "token = secrets.token_urlsafe(32)",
        "DATABASE_URL=postgresql://user:change-me@db.example.com/aaperture",
        "postgresql://{APPLICATION}:{passwords['application']}@/{database}",
        joined("SECRET", "_KEY = 'c4Vd0wq8ZrT1uKxY7mNs2bHfLpGj5eRaQ9tWiOz'  # not-a-secret: for a test"),
    ],
)
def test_the_secret_scan_leaves_alone(line: str) -> None:
    assert not list(script("find_secrets").find(line))


def test_no_secret_is_in_the_tree() -> None:
    done = subprocess.run([sys.executable, "scripts/find_secrets.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# --- dependencies ------------------------------------------------------------------------------------------------------


def test_the_locks_answer_to_their_sources() -> None:
    assert script("check_locks").problems() == []


def test_vendored_files_are_what_they_say() -> None:
    assert script("vendor").differing() == []


def test_dependabot_looks_weekly_at_everything_that_is_pinned() -> None:
    updates = {update["package-ecosystem"]: update for update in DEPENDABOT["updates"]}
    assert {"pip", "npm", "docker", "github-actions"} <= set(updates)
    assert {update["schedule"]["interval"] for update in updates.values()} == {"weekly"}
    for ecosystem in ("pip", "npm"):  # 0 leaves security updates only
        assert updates[ecosystem]["open-pull-requests-limit"] == 0


# --- workflows: what each may do --------------------------------------------------------------------------------------

PERMISSIONS = {  # workflow: permissions of the whole, then of single jobs
    "ci": ({"contents": "read"}, {}),
    "security": ({"contents": "read"}, {}),
    "codeql": ({"contents": "read"}, {"analyse": {"contents": "read", "actions": "read", "security-events": "write"}}),
    "deploy": ({"contents": "read"}, {}),
}


def test_the_table_names_every_workflow() -> None:
    assert set(WORKFLOWS) == set(PERMISSIONS)


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_a_workflow_has_the_permissions_of_the_table(name: str) -> None:
    whole, jobs = PERMISSIONS[name]
    assert WORKFLOWS[name]["permissions"] == whole
    assert {key: job["permissions"] for key, job in WORKFLOWS[name]["jobs"].items() if "permissions" in job} == jobs


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_a_workflow_is_pinned_bounded_and_keeps_no_credentials(name: str) -> None:
    for step in steps(WORKFLOWS[name]):
        if uses := step.get("uses"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", uses), uses
            assert uses.split("/")[0] in {"actions", "github"}
            if uses.startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
    for job in WORKFLOWS[name]["jobs"].values():
        assert job["timeout-minutes"] <= 30
        assert job["runs-on"].startswith("ubuntu-")
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers(WORKFLOWS[name]))


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_no_workflow_puts_an_expression_into_a_shell(name: str) -> None:
    """`${{ … }}` inside `run` is replaced before the shell reads it: a branch name could then be a command."""
    assert "${{" not in commands(name)


@pytest.mark.parametrize("name", sorted(set(PERMISSIONS) - {"deploy"}))
def test_only_deployment_sees_secrets(name: str) -> None:
    assert "secrets." not in (ROOT / f".github/workflows/{name}.yml").read_text()


def test_tests_and_checks_run_on_every_change() -> None:
    assert set(triggers(WORKFLOWS["ci"])) == {"push", "pull_request"}
    assert "make test" in commands("ci")
    assert "make check" in commands("ci")


def test_packages_code_and_image_are_scanned() -> None:
    run = commands("security")
    assert re.search(r"pip-audit .*requirements\.txt", run)
    assert "npm audit" in run
    assert "bandit" in run
    assert "grype" in run
    assert "schedule" in triggers(WORKFLOWS["security"])


def test_codeql_reads_all_three_languages_on_main() -> None:
    assert triggers(WORKFLOWS["codeql"]) == {"push": {"branches": ["main"]}}
    assert WORKFLOWS["codeql"]["jobs"]["analyse"]["strategy"]["matrix"]["language"] == ["python", "javascript", "actions"]


def test_deployment_is_from_main_approved_and_silent() -> None:
    assert set(triggers(WORKFLOWS["deploy"])) == {"workflow_dispatch"}
    job = WORKFLOWS["deploy"]["jobs"]["deploy"]
    assert job["environment"] == "prod"
    assert job["if"] == "github.ref == 'refs/heads/main'"
    run = commands("deploy")
    assert not re.search(r"set -x|echo .*\$(KEY|HOST|KNOWN_HOSTS)|\benv\b|printenv", run)
    assert "StrictHostKeyChecking=yes" in run


@pytest.mark.parametrize("command", ["", "main", "$(reboot)", "abc123", "g" * 40, f"{'a' * 40}; reboot"])
def test_the_deployment_key_can_ask_for_a_commit_and_nothing_else(command: str) -> None:
    done = subprocess.run(
        ["sh", ROOT / "deploy/roll_out.sh"],
        env={"PATH": os.environ["PATH"], "SSH_ORIGINAL_COMMAND": command},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "a full commit id is needed" in done.stderr


# --- the two commands and the rest -----------------------------------------------------------------------------------


def test_make_knows_its_commands() -> None:
    names = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"run", "test", "check", "bench", "lock", "vendor", "messages"} <= names
    for name in names:
        assert subprocess.run(["make", "--dry-run", name], cwd=ROOT, capture_output=True, check=False).returncode == 0, name


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "scripts").glob("*.sh")))
def test_shell_scripts_parse(name: str) -> None:
    assert subprocess.run(["sh", "-n", ROOT / "scripts" / name], check=False).returncode == 0


def test_ci_runs_both_commands_and_stops_at_the_first_failure() -> None:
    text = (ROOT / ".ci/run").read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert text.index("make test") < text.index("make check")


def test_the_compiled_translations_are_up_to_date(tmp_path: Path) -> None:
    """Compiled files are committed, since a bare machine has no gettext."""
    if not shutil.which("msgfmt"):
        pytest.skip("gettext is not installed")
    sources = sorted((ROOT / "locale").glob("*/LC_MESSAGES/*.po"))
    assert sources
    for source in sources:
        fresh = tmp_path / "fresh.mo"
        subprocess.run(["msgfmt", "--check-format", "-o", fresh, source], check=True)
        assert messages(fresh) == messages(source.with_suffix(".mo")), f"{source.relative_to(ROOT)}: run `make messages`"


def messages(compiled: Path) -> dict[Any, str]:
    import gettext

    with compiled.open("rb") as file:
        catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: value for key, value in catalog.items() if key}


def test_nothing_committed_names_a_place_of_one_machine() -> None:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    wrong = []
    for name in filter(None, done.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file() or path.suffix in {".woff2", ".png", ".ico", ".mo"} or name == "tests/test_tooling.py":
            continue
        text = path.read_text(errors="replace")
        wrong += [f"{name}: {found}" for found in re.findall(r"--(?:extra-)?index-url|--find-links", text)]
    assert not wrong
