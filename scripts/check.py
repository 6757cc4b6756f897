#!/usr/bin/env python3
"""`make check`: every static check, each with one line of result; all are run, and any failure fails the whole.

Name one or more checks to run only those: `make check ARGS="ruff types"`.
"""

import base64
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
APPS = ("aaperture", *sorted(path.parent.name for path in ROOT.glob("*/apps.py")))

# Strong and obviously not anybody's: what a production instance needs to start, so that its own checks can run.
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "c4Vd0wq8ZrT1uKxY7mNs2bHfLpGj5eRaQ9tWiOzXnMvB3yCkFh6Su",  # not-a-secret: made up for these checks
    "ENCRYPTION_KEYS": "check1:" + base64.b64encode(bytes((7 * n + 11) % 251 for n in range(32))).decode(),
    "DATABASE_URL": "postgresql://aaperture_app:n0tARealPassw0rd@db.invalid/aaperture?sslmode=verify-full",
    "MIGRATION_DATABASE_URL": "postgresql://aaperture_owner:n0tARealPassw0rd@db.invalid/aaperture?sslmode=verify-full",
    "REDIS_URL": "rediss://:n0tARealPassw0rd@cache.invalid/0",
    "PUBLIC_URL": "https://studio.invalid",
    "ALLOWED_HOSTS": "studio.invalid",
    "EMAIL_URL": "smtps://mailer:n0tARealPassw0rd@smtp.invalid",
    "DEFAULT_FROM_EMAIL": "Studio <studio@studio.invalid>",
    "SECURITY_ALERT_EMAILS": "security@studio.invalid",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "DISABLED_INTEGRATIONS": "google,stripe,s3",
}
LOCAL = {
    "ENVIRONMENT": "test",
    "SECRET_KEY": "static-checks-only",
    "DATABASE_URL": "postgresql://nobody@/none?host=/nonexistent",
    "REDIS_URL": "unix:///nonexistent/valkey.sock?db=0",
}


def command(*parts: str | Path, env: dict[str, str] | None = None) -> str:
    """Run a command; returns its output if it failed, else nothing."""
    clean = {name: value for name, value in os.environ.items() if name not in PRODUCTION and name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([str(part) for part in parts], cwd=ROOT, env=clean | (env or {}), capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip() or f"exit status {done.returncode}" if done.returncode else ""


def django(*parts: str, env: dict[str, str]) -> str:
    return command(PYTHON, "manage.py", *parts, env=env)


def hadolint() -> str:
    binary = BIN / "hadolint"
    return command(binary if binary.exists() else shutil.which("hadolint") or "hadolint", "Dockerfile")


def shell_scripts() -> str:
    scripts = [*ROOT.glob("scripts/*.sh"), *ROOT.glob("deploy/*.sh")]
    return "\n".join(filter(None, [command("sh", "-n", script) for script in scripts] + [command("bash", "-n", ".ci/run")]))


CHECKS = {
    "ruff": lambda: command(BIN / "ruff", "check", "--no-cache", "."),
    "format": lambda: command(BIN / "ruff", "format", "--no-cache", "--check", "."),
    "bandit": lambda: command(BIN / "bandit", "-q", "-c", "pyproject.toml", "-r", *APPS, "scripts", "manage.py"),
    "types": lambda: command(PYTHON, "-m", "mypy", env=LOCAL),
    "migrations": lambda: django("makemigrations", "--check", "--dry-run", env=LOCAL),
    "deploy": lambda: django("check", "--deploy", "--fail-level", "WARNING", env=PRODUCTION),
    "secrets": lambda: command(PYTHON, "scripts/find_secrets.py"),
    "hadolint": hadolint,
    "shell": shell_scripts,
    "locks": lambda: command(PYTHON, "scripts/check_locks.py"),
    "vendored": lambda: command(PYTHON, "scripts/vendor.py", "--check"),
    "architecture": lambda: command(PYTHON, "-m", "pytest", "--noconftest", "-q", "-p", "no:django", "tests/test_architecture.py"),
}


def main() -> int:
    wanted = sys.argv[1:] or list(CHECKS)
    if unknown := set(wanted) - set(CHECKS):
        print(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
        return 2
    failed = []
    for name in wanted:
        began = time.monotonic()
        problem = CHECKS[name]()
        print(f"{name:<14}{'FAILED' if problem else 'ok':<8}{time.monotonic() - began:5.1f} s", flush=True)
        if problem:
            failed.append(name)
            print("\n".join(f"    {line}" for line in problem.splitlines()[-60:]), flush=True)
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
