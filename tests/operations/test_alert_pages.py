"""The console of security alerts: who sees what, and what they do there (R-197)."""

import pytest
from django.test import Client

from accounts.roles import Role
from audit.alerts import mail, services
from audit.alerts.detection import detect
from audit.detectors import Severity
from audit.models import Activity, SecurityAlert
from tests.accounts.people import make_user
from tests.audit.test_detectors import ATTACKER, failed_sign_ins, request_from

pytestmark = pytest.mark.django_db
LIST = "/admin/audit/securityalert/"
SEES = {"admin", "developer", "executor"}


@pytest.fixture
def alert() -> SecurityAlert:
    services.report("chain_broken", severity=Severity.CRITICAL, count=3)
    return SecurityAlert.objects.get()


def browser(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(alert: SecurityAlert) -> str:
    return f"{LIST}{alert.pk}/change/"


def step(alert: SecurityAlert, name: str) -> str:
    return f"{LIST}{alert.pk}/do/{name}/"


@pytest.mark.parametrize("role", Role.values)
def test_who_sees_alerts_and_who_acts_on_them(alert, role):
    client = browser(make_user(role=role))
    status = 200 if role in SEES else 403
    assert client.get(LIST).status_code == client.get(page(alert)).status_code == client.get(step(alert, "note")).status_code == status
    assert client.post(step(alert, "acknowledge")).status_code == (302 if role in SEES else 403)
    assert SecurityAlert.objects.get().state == ("acknowledged" if role in SEES else "open")


def test_the_list_is_filtered_by_state_severity_and_kind(alert):
    services.report("secrets_overdue", severity=Severity.MEDIUM)
    client = browser(make_user(role=Role.ADMIN))
    for query in ("severity=critical", "kind=chain_broken"):
        shown = client.get(f"{LIST}?{query}").content.decode().partition("result_list")[2]
        assert "is not what was sealed" in shown and "Secrets older" not in shown, query
    assert "is not what was sealed" not in client.get(f"{LIST}?state=resolved").content.decode().partition("result_list")[2]


def test_the_list_draws_alerts_per_day_by_severity(alert):
    text = browser(make_user(role=Role.ADMIN)).get(LIST).content.decode()
    assert 'class="severity-critical"' in text and "<caption>Alerts per day</caption>" in text


def test_an_executor_handles_an_alert_from_first_look_to_end(alert):
    executor, colleague = make_user(role=Role.EXECUTOR), make_user(role=Role.DEVELOPER)
    client = browser(executor)
    client.post(step(alert, "acknowledge"))
    client.post(step(alert, "assign"), {"person": str(colleague.pk)})
    client.post(step(alert, "note"), {"note": "A disk was restored."})
    assert client.post(step(alert, "resolve"), {"note": " "}).status_code == 200  # says what is missing
    client.post(step(alert, "resolve"), {"note": "Heads agree again."})
    alert.refresh_from_db()
    assert (alert.state, alert.assigned_to, alert.resolved_by) == ("resolved", colleague.pk, executor.pk)
    text = client.get(page(alert)).content.decode()
    assert "A disk was restored." in text and colleague.email in text and "Heads agree again." in text
    assert "/do/resolve/" not in text and "/do/note/" in text
    assert client.post(step(alert, "assign"), {"person": str(executor.pk)}).status_code == 302
    assert SecurityAlert.objects.get().assigned_to == colleague.pk


def test_only_who_handles_alerts_is_offered(alert):
    viewer = make_user(role=Role.VIEWER)
    client = browser(make_user(role=Role.ADMIN))
    assert viewer.email not in client.get(step(alert, "assign")).content.decode()
    assert client.post(step(alert, "assign"), {"person": str(viewer.pk)}).status_code == 200


def test_people_and_addresses_are_shown_to_those_who_may_see_them_elsewhere():
    anna = make_user(email="anna@example.test")
    for n in range(10):
        services.record("permission.denied", actor=anna, request=request_from("127.0.0.1" if n % 2 else ATTACKER, anna), view="x")
    [alert] = detect()
    seen = browser(make_user(role=Role.ADMIN)).get(page(alert)).content.decode()
    assert anna.email in seen and ATTACKER in seen and f"person/{anna.pk}/?alert={alert.pk}" in seen
    assert f"blockednetwork/add/?network={ATTACKER}&amp;alert={alert.pk}" in seen
    assert "127.0.0.1" in seen and "?network=127" not in seen and "This machine itself cannot be blocked." in seen
    hidden = browser(make_user(role=Role.EXECUTOR)).get(page(alert)).content.decode()
    assert anna.email not in hidden and ATTACKER not in hidden and "permission.denied" in hidden


def test_a_note_is_text_and_nothing_else(alert):
    client = browser(make_user(role=Role.ADMIN))
    client.post(step(alert, "note"), {"note": "<script>alert(1)</script>"})
    assert "<script>alert(1)" not in client.get(page(alert)).content.decode()


@pytest.mark.parametrize(("role", "shown"), [("admin", True), ("executor", True), ("viewer", False), ("executive", False)])
def test_the_consoles_first_page_says_how_many_wait(role, shown):
    failed_sign_ins(12)
    detect()
    services.report("chain_broken", severity=Severity.CRITICAL)
    text = browser(make_user(role=role)).get("/console/figures").content.decode()
    assert ("2 security alerts are not resolved." in text and "1 severe" in text) is shown


def test_a_mail_that_may_have_been_lost_is_sent_again_by_hand(alert, settings, mailoutbox):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    client = browser(make_user(role=Role.ADMIN))
    assert "/do/mail_again/" not in client.get(page(alert)).content.decode()
    client.post(step(alert, "mail_again"))
    SecurityAlert.objects.update(mail="unknown")
    assert "/do/mail_again/" in client.get(page(alert)).content.decode()
    client.post(step(alert, "mail_again"))
    mail.send_due()
    assert len(mailoutbox) == 1 and f"alert-{alert.pk}" in mailoutbox[0].extra_headers["Message-ID"]
    assert Activity.objects.filter(action="alert.mail_repeated").count() == 1


def test_an_unknown_alert_or_step_is_not_found(alert):
    client = browser(make_user(role=Role.ADMIN))
    assert client.get(step(alert, "delete")).status_code == 404
    assert client.get(f"{LIST}01900000-0000-7000-8000-000000000000/do/note/").status_code == 404
    assert client.post(f"{LIST}{alert.pk}/delete/").status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403


def test_the_list_costs_the_same_however_many_alerts_there_are(django_assert_max_num_queries):
    admin = make_user(role=Role.ADMIN)
    for number in range(60):
        services.report("secrets_overdue", severity=Severity.LOW, subject=str(number))
    client = browser(admin)
    with django_assert_max_num_queries(12):
        client.get(LIST)
