"""Headers, errors and health on every page (R-137 … R-142, R-149, R-150), and who may see what without an account (R-145)."""

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from audit.models import Activity
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
PUBLIC = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/privacy/", "/terms/", "/security/", "/no-such-page/"]
# the named exceptions of R-145: what answers to somebody who is not signed in
OPEN = {
    "account_login", "account_logout", "account_signup", "account_inactive", "account_email_verification_sent", "account_confirm_email",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    "socialaccount_login_cancelled", "socialaccount_login_error", "socialaccount_signup", "openid_login", "openid_callback", "google_login",
    "site:privacy", "site:terms", "site:security", "site:security_txt", "health_live", "health_ready", "set_language", "admin:login",
    "csp_report",
}  # fmt: skip


@pytest.mark.parametrize("path", PUBLIC)
def test_every_page_has_every_header(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert headers["X-Frame-Options"] == "DENY" and headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    for part in ("geolocation=()", "camera=()", "microphone=()"):
        assert part in headers["Permissions-Policy"]
    assert headers["X-XSS-Protection"] == "1; mode=block" and "no-store" in headers["Cache-Control"]
    assert "X-Powered-By" not in headers and "Server" not in headers and headers["X-Request-ID"]


def names(resolver: URLResolver, prefix: str = "", route: str = ""):
    for pattern in resolver.url_patterns:
        where = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, where)
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name or pattern.lookup_str}", where, pattern


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page_everywhere_else(client):
    from django.urls.converters import get_converters

    examples = {"uuid": "00000000-0000-7000-8000-000000000000", "slug": "google", "int": "1", "str": "x", "path": "x"}
    assert set(examples) <= set(get_converters())
    checked = 0
    for name, _route, pattern in names(get_resolver()):
        if name in OPEN or name.split(":")[-1] in {"jsi18n", "view_on_site"} or name.startswith("admin:"):
            continue
        kwargs = {
            key: next(value for kind, value in examples.items() if type(converter).__name__.lower().startswith(kind))
            for key, converter in pattern.pattern.converters.items()
        }
        if pattern.pattern.regex.groups and not kwargs:
            continue
        response = client.get(reverse(name, kwargs=kwargs))
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
