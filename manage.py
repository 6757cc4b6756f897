#!/usr/bin/env python
"""Django's command line, with a database at hand in development."""

import os
import sys

# These neither read nor write a table; every other command gets the embedded servers when none are configured.
WITHOUT_SERVERS = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "makemigrations",
    "sendtestemail",
    "stack",
    "startapp",
    "version",
    "--version",
    "--help",
    "-h",
}


def provide_servers(command: str) -> None:
    """Outside production, use this clone's embedded servers, or start them, for whatever is not configured."""
    if os.environ.get("ENVIRONMENT", "development") not in {"development", "test"} or command in WITHOUT_SERVERS:
        return
    missing = {name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name) and not os.environ.get(f"{name}_FILE")}
    if not missing:
        return
    from aaperture.lib import embedded

    try:
        embedded.ensure(postgres="DATABASE_URL" in missing, valkey="REDIS_URL" in missing)
    except embedded.EmbeddedServerError as error:
        sys.exit(str(error))


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")
    from django.core.management import execute_from_command_line

    provide_servers(sys.argv[1] if len(sys.argv) > 1 else "help")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
