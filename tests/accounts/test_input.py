"""What people may send: bounded, without NUL, stored as typed, and noticed where it looks like an attack (R-131 … R-134)."""

import json

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from aaperture.lib.input_validator import InputValidator
from audit.models import Activity
from tests.accounts.people import make_user
from tests.stopwatch import cpu_seconds
from tests.urlconf import every_path

pytestmark = pytest.mark.django_db
ATTACKS = [
    ("sql", "' OR 1=1 --"), ("sql", "1; DROP TABLE users"), ("sql", "x' UNION SELECT password FROM users--"), ("sql", "a') or 'a'='a"),
    ("sql", "1 or 1=1"), ("sql", "';select pg_sleep(5)--"), ("sql", "1 UNION/**/ALL/**/SELECT null"),
    ("xss", "<script>alert(1)</script>"), ("xss", "<img src=x onerror=alert(1)>"), ("xss", "javascript:alert(1)"),
    ("xss", "<svg/onload=alert(1)>"), ("xss", "< ScRiPt src=//evil.example>"), ("xss", "data:text/html,<b>x"),
]  # fmt: skip
INNOCENT = [
    "O'Reilly; DROP", "Anne-Marie d'Or", "Rock 'n' Roll wedding", "union of Anna and Paul", "5 < 6 and 7 > 3", "Select & Drop Ltd",
    "L'Atelier = light; colour", "https://example.test/?a=1&b=2", "a@example.test", "1 or 2 assistants", "Éloïse \U0001f4f7", "x=1; y=2",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), ATTACKS)
def test_attacks_are_recognised(kind, text):
    assert InputValidator.check_sql_injection(text) == (kind == "sql") or InputValidator.check_xss(text) == (kind == "xss")
    assert {"sql": InputValidator.check_sql_injection, "xss": InputValidator.check_xss}[kind](text)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_people_write_is_not_taken_for_one(text):
    assert not InputValidator.check_sql_injection(text) and not InputValidator.check_xss(text)


def test_texts_and_addresses_are_cleaned_or_refused():
    from django.core.exceptions import ValidationError

    assert InputValidator.sanitize_string(" a\0b\x1b\n\tc\u0301 ") == "ab\n\tć"
    assert InputValidator.sanitize_string("O'Reilly; DROP <b>") == "O'Reilly; DROP <b>", "nothing is taken away that can be written"
    assert InputValidator.validate_email(" alice@example.test ") == "alice@example.test"
    for wrong in ("alice", "alice@", "a@b\nc.test", "a" * 400 + "@example.test"):
        with pytest.raises(ValidationError):
            InputValidator.validate_email(wrong)
    with pytest.raises(ValidationError):
        InputValidator.sanitize_string("x" * 10_001)


def test_a_very_long_text_is_looked_at_quickly():
    def look() -> None:
        for text in ("'" * 200_000, "<a " * 50_000, "or 1" * 50_000, "' or" * 50_000):
            InputValidator.check_sql_injection(text)
            InputValidator.check_xss(text)

    assert cpu_seconds(look, below=1) < 1


def test_an_attack_is_on_record_once_by_its_fields_name_and_never_its_text(client):
    client.force_login(make_user())
    client.get(reverse("tracker:board"), {"q": "canary' OR 1=1 --", "stage": "canary<script>"})
    row = Activity.objects.get(action="security.suspicious_input")
    assert row.details == {"field": "q", "kind": "sql", "view": "tracker:board"} and "canary" not in row.canonical
    client.get(reverse("tracker:board"), {"canary' OR 1=1": "' OR 1=1 --"})
    assert Activity.objects.filter(action="security.suspicious_input", details__field="").count() == 1


def test_a_strange_name_is_stored_as_it_was_typed(client):
    user = make_user()
    client.force_login(user)
    response = client.post(reverse("settings_profile"), {"name": "O'Reilly; DROP <script>x</script>", "language": "en", "timezone": "UTC"})
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.name == "O'Reilly; DROP <script>x</script>"
    assert Activity.objects.get(action="security.suspicious_input").details["field"] == "name"
    assert b"<script>x" not in client.get(reverse("settings_profile")).content


def test_a_password_is_never_looked_at(client):
    client.post(reverse("account_login"), {"login": "a@example.test", "password": "' OR 1=1 --"})
    assert not Activity.objects.filter(action="security.suspicious_input").exists()


@pytest.mark.slow
@pytest.mark.timeout(400)  # every address, seven times
@pytest.mark.parametrize("role", ["", "member", "admin"])
def test_no_nul_anywhere_is_an_error_of_ours(role):
    client = Client(raise_request_exception=False)
    if role:
        client.force_login(make_user(role=role))
    found = sorted(set(every_path().values()))
    assert len(found) > 60
    for path in found:
        for query in ("?q=%00", "?p=%00", "?o=%00&e=%00", "?%00=1", "?_changelist_filters=%00", "?id__exact=%00"):
            response = client.get(path + query)
            assert response.status_code < 500, path + query
        assert client.post(path, {"q": "\0", "name": "\0", "action": "\0"}).status_code < 500, path
        caches["limits"].clear()


@pytest.mark.parametrize(
    "path",
    [
        "/admin/audit/activity/?q=%00", "/admin/accounts/user/?q=%00", "/admin/accounts/user/?role__exact=%00",
        "/admin/accounts/user/%00/change/", "/opportunities/?q=a%00b", "/accounts/login/?next=%00",
    ],
)  # fmt: skip
def test_a_nul_in_the_address_is_400(client, path):
    client.force_login(make_user(role="admin"))
    assert client.get(path).status_code == 400


@pytest.mark.parametrize("path", ["/admin/r/1/1/", "/admin/r/٣/1/", "/admin/r/99999999999999999999/1/"])
def test_the_console_leads_nowhere_by_numbers(client, path):
    client.force_login(make_user(role="admin"))
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("cookie", ['"\\000\\000\\000\\000\\000\\000\\000\\000\\000"', "\x01" * 12, "é" * 12, "a" * 5000])
def test_a_strange_session_cookie_is_nobodys(cookie):
    client = Client(raise_request_exception=False)
    response = client.get("/opportunities/", headers={"cookie": f"sessionid={cookie}; language={cookie}; csrftoken={cookie}"})
    assert response.status_code == 302 and response.url.startswith("/accounts/login/")


@pytest.mark.parametrize(
    "sent",
    [{f"f{n}": "x" for n in range(1_200)}, {"name": "x" * 3_000_000}],
)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_too_large_a_form_is_told_so(sent, accept):
    client = Client(raise_request_exception=False)
    response = client.post(reverse("account_login"), sent, headers={"accept": accept})
    assert response.status_code == 413
    if accept == "text/html":
        assert "too much at once" in response.content.decode() and "frame-ancestors" in response.headers["Content-Security-Policy"]
    else:
        assert response.json()["code"] == "too_large"


REPORT = {
    "csp-report": {
        "document-uri": "https://studio.example.test/accounts/confirm-email/CANARY1/?token=CANARY2",
        "effective-directive": "script-src-elem",
        "blocked-uri": "https://user:CANARY3@evil.example/x.js?CANARY4",
        "source-file": "https://studio.example.test/static/js/app.js?CANARY5",
        "line-number": 7,
        "disposition": "enforce",
        "script-sample": "CANARY6",
        "referrer": "https://elsewhere.example/CANARY7",
    }
}
REPORT_TO = [
    {"type": "deprecation", "body": {}},
    {"type": "csp-violation", "url": "https://x/CANARY", "body": {
        "documentURL": "http://localhost:8000/opportunities/?q=CANARY", "effectiveDirective": "img-src", "blockedURL": "inline",
        "sample": "CANARY", "disposition": "enforce", "lineNumber": 3,
    }},
]  # fmt: skip


def send(report: object, content_type: str = "application/csp-report", **kwargs) -> int:
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    return client.post("/csp-report/", body, content_type=content_type, **kwargs).status_code


def test_a_violation_leaves_one_line_without_anything_private(caplog):
    assert send(REPORT) == 204
    assert send(REPORT_TO, "application/reports+json") == 204
    first, second = [record.csp for record in caplog.records if hasattr(record, "csp")]
    assert first == {
        "directive": "script-src-elem", "blocked": "https://evil.example", "page": "account_confirm_email",
        "source": "https://studio.example.test", "line": "7", "disposition": "enforce",
    }  # fmt: skip
    assert second["page"] == "tracker:board" and second["blocked"] == "inline" and "CANARY" not in str((first, second))


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/csp-report", 400), (b"[]", "application/reports+json", 400), (b"[" * 9_000, "application/json", 400),
        (b"\xff\xfe", "application/csp-report", 400), (b"7", "application/json", 400), (b"{}", "text/plain", 415),
        (b'{"csp-report":{"a":"' + b"x" * 10_000 + b'"}}', "application/csp-report", 413), (b'{"csp-report":[]}', "application/json", 400),
        (b'{"csp-report":{"blocked-uri":"http://[","document-uri":"http://[/x"}}', "application/json", 204),
    ],
)  # fmt: skip
def test_anything_else_is_refused(body, content_type, status):
    assert send(body, content_type) == status


def test_reports_are_only_posted_and_limited_hard(client):
    assert client.get("/csp-report/").status_code == 405
    statuses = [send(REPORT) for _ in range(25)]
    assert statuses.count(204) < 21 and statuses[-1] == 429
