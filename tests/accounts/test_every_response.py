"""Headers, errors and health on every page (R-137 … R-142, R-149, R-150), and who may see what without an account (R-145)."""

import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import Activity
from operations.management.commands.stack import is_free
from tests.accounts.people import make_user
from tests.process import eventually
from tests.urlconf import every_path

pytestmark = pytest.mark.django_db
PROJECT = Path(__file__).resolve().parent.parent.parent
PUBLIC = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/privacy/", "/terms/", "/security/", "/no-such-page/"]
# the named exceptions of R-145: what answers to somebody who is not signed in
OPEN = {
    "account_login", "account_logout", "account_signup", "account_inactive", "account_email_verification_sent", "account_confirm_email",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    "socialaccount_login_cancelled", "socialaccount_login_error", "socialaccount_signup", "openid_login", "openid_callback", "google_login",
    "site:privacy", "site:terms", "site:security", "site:security_txt", "health_live", "health_ready", "set_language", "admin:login",
    "csp_report", "metrics", "docs", "schema", "invitation", "invitation_open", "invitation_decline", "billing:stripe_webhook",
    "integrations:hook",
    "documents:client_open", "documents:client", "documents:client_pdf", "documents:client_accept", "documents:client_decline",
}  # fmt: skip


def check_headers(response, *, where: str = "") -> None:
    headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, where
    assert "report-uri /csp-report/" in policy and "report-to csp" in policy and headers["Reporting-Endpoints"] == 'csp="/csp-report/"', (
        where
    )
    assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff", where
    assert headers["Referrer-Policy"] in {"strict-origin-when-cross-origin", "no-referrer"}, where
    for part in ("geolocation=()", "camera=()", "microphone=()"):
        assert part in headers["Permissions-Policy"], where
    assert headers["X-XSS-Protection"] == "1; mode=block", where
    assert "no-store" in headers.get("Cache-Control", "") or where == "/static/css/app.css", where
    assert "X-Powered-By" not in headers and "Server" not in headers and headers["X-Request-ID"], where


@pytest.mark.parametrize("role", ["", "member", "admin"])
def test_every_answer_of_every_url_has_every_header(role):
    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    if role:
        browser.force_login(make_user(role=role))
    paths = [*every_path().values(), *PUBLIC, "/static/css/app.css", "/static/none.css", "/?q=%00", "/admin/no/such/page/"]
    assert len(paths) > 60
    for path in paths:
        check_headers(browser.get(path), where=path)
    for path in paths[::4]:
        check_headers(browser.post(path), where=path)  # 403, 405 or 401, by whom
        caches["limits"].clear()


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (429, {"path": "/csp-report/", "times": 21}),
        (413, {"path": "/accounts/login/", "data": {f"f{n}": "x" for n in range(1_001)}}),
        (400, {"path": "/accounts/login/", "data": {"login": "\0"}}),
        (400, {"path": "/", "headers": {"host": "evil.example"}}),
    ],
)
def test_early_refusals_have_every_header_too(client, status, sent):
    for _ in range(sent.pop("times", 1)):
        response = client.post(**sent)
    assert response.status_code == status
    check_headers(response)


def test_a_crash_has_every_header_too(monkeypatch):
    monkeypatch.setattr("accounts.views.site.render", lambda *_args: 1 / 0)
    response = Client(raise_request_exception=False).get("/privacy/")
    assert response.status_code == 500
    check_headers(response)


@pytest.mark.slow
def test_gunicorn_does_not_name_itself(tmp_path):
    (tmp_path / "hello.py").write_text("def application(environ, start):\n    start('200 OK', [])\n    return [b'hello']\n")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "hello:application", "--pythonpath", str(tmp_path), "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, "--no-control-socket", "--log-level", "error"], cwd=PROJECT)
    try:
        assert eventually(lambda: not is_free(port), within=60)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as response:
            assert response.read() == b"hello" and "Server" not in response.headers
        with socket.create_connection(("127.0.0.1", port)) as one:
            one.sendall(b"nonsense\r\n\r\n")
            answer = one.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 400") and b"gunicorn" not in answer.lower() and b"server:" not in answer.lower()
    finally:
        server.terminate()
        server.wait()


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page_everywhere_else(client):
    checked = 0
    for name, path in every_path().items():
        if name in OPEN or name.startswith(("admin:", "api:", "invitation", "privacy_")):
            continue
        response = client.get(path)
        assert response.status_code == 302 and response.url.startswith("/accounts/login/"), (name, response.status_code)
        checked += 1
    assert checked > 5
    assert client.get("/admin/").status_code == 302


def test_a_page_that_may_not_be_seen_is_403_and_on_record(client):
    client.force_login(make_user())
    assert client.get("/admin/").status_code == 403
    row = Activity.objects.get(action="permission.denied")
    assert row.actor_id and row.details["method"] == "GET"


def test_a_form_without_its_token_is_refused_and_on_record():
    browser = Client(enforce_csrf_checks=True)
    response = browser.post(reverse("account_login"), {"login": "a@example.test", "password": "x"})
    assert response.status_code == 403 and Activity.objects.filter(action="csrf.failed").count() == 1


def test_live_and_ready_answer_without_details(client):
    assert client.get("/health/live").json() == {"status": "ok"}
    assert client.get("/health/ready").json() == {"status": "ok"}


def test_ready_says_503_when_the_database_is_gone_and_live_goes_on(client, monkeypatch):
    from django.db.utils import OperationalError

    def gone(*args, **kwargs):
        raise OperationalError("connection to server at 10.1.2.3 failed")

    monkeypatch.setattr(connection, "cursor", gone)
    response = client.get("/health/ready")
    assert response.status_code == 503 and response.json() == {"status": "unavailable"}
    assert client.get("/health/live").status_code == 200


def test_an_error_shows_an_id_and_nothing_else(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("canary-internal-detail")

    monkeypatch.setattr("accounts.views.site.render", broken)
    response = Client(raise_request_exception=False).get("/privacy/")
    assert response.status_code == 500 and b"canary" not in response.content and b"RuntimeError" not in response.content
    assert response.headers["X-Request-ID"].encode() in response.content


def test_security_txt_names_a_contact_and_an_expiry(client):
    text = client.get("/.well-known/security.txt").content.decode()
    assert "Contact: " in text and "Expires: " in text and "Canonical: http" in text


def test_a_machine_gets_its_errors_as_json(client):
    body = client.get("/no-such-page/", headers={"accept": "application/json"}).json()
    assert set(body) == {"detail", "code", "request_id"} and body["code"] == "not_found"


def test_the_console_shows_activity_to_whom_the_matrix_allows(client):
    for role, status in (("admin", 200), ("developer", 200), ("designer", 403), ("viewer", 403), ("member", 403)):
        client.force_login(make_user(role=role))
        assert client.get("/admin/audit/activity/").status_code == status
