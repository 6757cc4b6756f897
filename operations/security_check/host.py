"""The machine and what stands around it: here a program sees little, so most is a person's."""

import os
import socket
import ssl
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from operations import known_secrets
from operations.security_check.checks import Finding, Outcome, by_hand, check, failed, not_applicable, ok, ok_unless

LEAST_DAYS = 14
PATIENCE = 5.0  # seconds
MOUNTED = Path("/run/secrets")


@check("certificate", "The certificate is valid for at least two more weeks", "a TLS connection to PUBLIC_URL")
def certificate() -> Finding:
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme != "https" or not public.hostname:
        return not_applicable("PUBLIC_URL is not https")
    try:
        with (
            socket.create_connection((public.hostname, public.port or 443), timeout=PATIENCE) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=public.hostname) as secured,
        ):
            told, version = secured.getpeercert() or {}, secured.version()
    except ssl.SSLError as error:
        return failed(f"not accepted: {getattr(error, 'verify_message', '') or error.reason}")
    except OSError:
        return Finding(Outcome.BY_HAND, "the host cannot be reached from here: open PUBLIC_URL in a browser and look")
    days = int((ssl.cert_time_to_seconds(str(told["notAfter"])) - time.time()) // 86_400)
    return ok(f"{days} days left, {version}") if days >= LEAST_DAYS else failed(f"{days} days left: does the renewal run?")


@check("not-root", "The application does not run as root", "the user of this process")
def not_root() -> Finding:
    return ok_unless(["this process is root"] if os.geteuid() == 0 else [])


@check("files", "Nobody else on the host reads the secrets", "permissions of .env and of the files that NAME_FILE variables name")
def files() -> Finding:
    secrets = (*known_secrets.ONE, *known_secrets.SEVERAL, *known_secrets.PASSWORDS, known_secrets.RING)
    asked = {f"{name}_FILE": os.environ.get(f"{name}_FILE", "") for name in secrets} | {".env": str(settings.BASE_DIR / ".env")}
    named = {name: Path(path) for name, path in asked.items() if path}
    # a mounted secret (Docker's, Kubernetes') is readable by everybody in its container, who is one user
    named = {name: path for name, path in named.items() if path.is_file() and MOUNTED not in path.parents}
    open_to_all = sorted(name for name, path in named.items() if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    return ok_unless([f"readable by others: {', '.join(open_to_all)}"] if open_to_all else [], f"{len(named)} files")


@check("dependabot", "Outdated packages are reported", ".github/dependabot.yml, where the checkout is at hand")
def dependabot() -> Finding:
    if (settings.BASE_DIR / ".github" / "dependabot.yml").is_file():
        return ok("switch it on in the settings of your own copy of the repository")
    return Finding(Outcome.BY_HAND, "no checkout here: look at the repository’s settings")


by_hand("firewall", "Only 80 and 443 are open to the network", "docs/deployment.md, Firewall; scan the host from outside")
by_hand(
    "scans",
    "The scans of this version were green",
    "the workflows Security and CodeQL of the commit that runs: packages, code, image, secrets",
)
by_hand("tests", "The tests of this version were green", "CI of the commit that runs: input validation and the matrix of roles are in it")
by_hand("logs", "Somebody reads the logs, or a program does", "collect the containers’ output; alert on level error and critical")
by_hand(
    "documents", "What is special about this instance is written down", "address, people on call, places of backups and heads, exceptions"
)
