"""Each detector: what opens its alert, through real requests where a request can do it, and what stays below (R-127, R-198)."""

import json
import uuid
from datetime import timedelta

import pytest
import time_machine
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from aaperture.lib import limits
from accounts.models import ApiSession
from accounts.roles import Role
from accounts.services import developers, tokens, users
from audit.actions import ACTIONS
from audit.alerts import detection, services
from audit.alerts.detection import activity_behind, detect
from audit.detectors import ACTIONS_AT_ONCE, DETECTORS, KINDS, RANKED, Severity
from audit.models import Activity, AlertNote, SecurityAlert
from audit.services import record
from tests.accounts.people import PASSWORD, make_user, step_up
from tests.api.caller import with_key

pytestmark = pytest.mark.django_db
ATTACKER = "203.0.113.66"


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch):
    """The detectors alone are tried here."""
    for name in ("account_login", "api:login"):
        monkeypatch.setitem(limits.LIMITS, name, limits.Limit(10_000))
    limits.limit_of.cache_clear()
    yield
    limits.limit_of.cache_clear()


def request_from(address: str = ATTACKER, user=None) -> HttpRequest:
    request = RequestFactory().get("/", REMOTE_ADDR=address)
    if user is not None:
        request.user = user
    return request


def failed_sign_ins(times: int, *, account: str = "", address: str = ATTACKER) -> None:
    """Rows such as refused sign-ins leave, without their bcrypt."""
    for number in range(times):
        record("user.login.failed", request=request_from(address), account=account or f"nobody{number}@example.test", reason="credentials")


def sign_in(email: str, *, address: str = ATTACKER):
    return Client().post("/accounts/login/", {"login": email, "password": "Wrong-Horse-7"}, REMOTE_ADDR=address)


def alerts() -> dict[str, str]:
    return dict(SecurityAlert.objects.values_list("kind", "severity"))


# --- failed sign-ins -------------------------------------------------------------------------------------------------------


def test_ten_failed_sign_ins_from_one_address_open_an_alert():
    failed_sign_ins(9)
    assert detect() == []
    sign_in("anybody@example.test")
    [alert] = detect()
    assert (alert.kind, alert.severity, alert.count) == ("failed_logins_address", "medium", 10)
    assert len(activity_behind(alert)) == 10


def test_ten_failed_sign_ins_to_one_account_from_everywhere_open_an_alert():
    anna = make_user(email="anna@example.test")
    for number in range(9):
        failed_sign_ins(1, account="Anna@Example.test", address=f"198.51.100.{number}")
    assert detect() == []
    sign_in(anna.email, address="198.51.100.99")
    [alert] = detect()
    assert (alert.kind, alert.count) == ("failed_logins_account", 10)


def test_one_attacker_on_one_account_is_one_alert_whenever_one_looks():
    for _ in range(6):
        failed_sign_ins(10, account="anna@example.test")
        detect()
    assert alerts() == {"failed_logins_address": "high"}
    assert SecurityAlert.objects.get().count == 60


def test_whoever_changes_account_and_address_with_every_try_is_noticed_too():
    for number in range(199):
        failed_sign_ins(1, account=f"a{number}@example.test", address=f"198.51.{number // 100}.{number % 100}")
    assert detect() == []
    failed_sign_ins(1, account="last@example.test", address="198.51.9.9")
    [alert] = detect()
    assert (alert.kind, alert.severity, alert.count) == ("failed_logins_everywhere", "high", 200)


@pytest.mark.parametrize("busiest", [0, 24], ids=["the first was the busiest", "the last was the busiest"])
def test_an_army_of_attackers_is_not_an_army_of_alerts(monkeypatch, busiest):
    monkeypatch.setattr(detection, "MOST_OPEN", 2)
    for number in range(25):
        for time in range(11 if number == busiest else 10):
            failed_sign_ins(1, account=f"a{number}-{time}@example.test", address=f"198.51.100.{number}")
    for _ in range(2):
        detect()
    assert sorted(SecurityAlert.objects.values_list("kind", "count")) == [
        ("failed_logins_address", 10), ("failed_logins_address", 11), ("failed_logins_everywhere", 230),
    ]  # fmt: skip


def test_failures_older_than_the_window_do_not_count():
    with time_machine.travel(timezone.now() - timedelta(minutes=20), tick=True):
        failed_sign_ins(9)
    failed_sign_ins(9)
    assert detect() == []


def test_five_accounts_locked_from_one_network_open_an_alert():
    for number in range(4):
        for _ in range(5):
            sign_in(f"victim{number}@example.test", address=f"192.0.2.{number}")
    assert "locked_accounts" not in {alert.kind for alert in detect()}
    for _ in range(5):
        sign_in("victim4@example.test", address="192.0.2.200")
    detect()
    alert = SecurityAlert.objects.get(kind="locked_accounts")
    assert (alert.severity, alert.count) == ("high", 5)
    assert len(activity_behind(alert)) == 5


def test_the_same_account_locked_five_times_is_not_five_accounts():
    for _ in range(6):
        record("account.locked", request=request_from(), account="anna@example.test")
    assert detect() == []


# --- what requests are refused ------------------------------------------------------------------------------------------------


def test_forged_requests_open_an_alert():
    browser = Client(enforce_csrf_checks=True)
    for _ in range(9):
        browser.post("/accounts/login/", {"login": "a", "password": "b"}, REMOTE_ADDR=ATTACKER)
    assert detect() == []
    browser.post("/accounts/login/", {"login": "a", "password": "b"}, REMOTE_ADDR=ATTACKER)
    assert [alert.kind for alert in detect()] == ["csrf_failures"]


def test_too_many_requests_open_an_alert(monkeypatch):
    monkeypatch.setitem(limits.LIMITS, "site:privacy", limits.Limit(1))
    limits.limit_of.cache_clear()
    for _ in range(30):
        Client().get("/privacy/", REMOTE_ADDR=ATTACKER)
    assert detect() == []
    Client().get("/privacy/", REMOTE_ADDR=ATTACKER)
    assert [alert.kind for alert in detect()] == ["rate_limits"]


def test_too_many_requests_by_one_account_from_everywhere_open_an_alert():
    user = make_user()
    for number in range(30):
        record("rate_limit.exceeded", request=request_from(f"198.51.100.{number}", user), view="home")
    assert [alert.kind for alert in detect()] == ["rate_limits_account"]


def test_somebody_who_tries_doors_opens_an_alert(client):
    client.force_login(make_user())
    for _ in range(9):
        client.get("/admin/")
    assert detect() == []
    client.get("/admin/")
    assert [alert.kind for alert in detect()] == ["permission_denials"]


def test_input_that_looks_like_an_attack_opens_an_alert():
    for _ in range(4):
        Client().get("/privacy/", {"q": "' OR 1=1 --"}, REMOTE_ADDR=ATTACKER)
    assert detect() == []
    Client().get("/privacy/", {"q": "<script>alert(1)</script>"}, REMOTE_ADDR=ATTACKER)
    assert [alert.kind for alert in detect()] == ["suspicious_input"]


def test_sign_in_flows_with_a_wrong_state_open_an_alert():
    for number in range(10):
        assert detect() == [], number
        Client().get(reverse("openid_callback", args=["google"]), {"state": "made-up", "code": "x"}, REMOTE_ADDR=ATTACKER)
    assert [alert.kind for alert in detect()] == ["refused_flows"]


def test_a_key_whose_signatures_do_not_fit_opens_an_alert():
    key = with_key(make_user(), "write")
    for _ in range(5):
        assert detect() == []
        key.delete(f"/api/v1/connections/{uuid.uuid4()}", headers={"X-Signature": "0" * 64, "X-Timestamp": "1", "X-Nonce": "a" * 16})
    assert [alert.kind for alert in detect()] == ["refused_signatures"]


# --- what is news each time ------------------------------------------------------------------------------------------------------


def test_a_spent_refresh_token_used_again_opens_a_severe_alert():
    user = make_user()
    body = json.dumps({"refresh_token": tokens.open_session(user, request_from(), second_factor=True).refresh})
    for _ in range(2):
        Client().post("/api/auth/refresh", body, content_type="application/json", REMOTE_ADDR=ATTACKER)
    assert ApiSession.objects.get().end_reason == "reuse"
    [alert] = detect()
    assert (alert.kind, alert.severity, alert.subject) == ("token_reuse", "high", str(user.pk))


def test_a_developer_who_touches_an_administrator_opens_a_severe_alert(client):
    developer, admin = make_user(role=Role.DEVELOPER), make_user(role=Role.ADMIN)
    client.force_login(developer)
    step_up(client, developer)
    client.post(f"/admin/accounts/user/{admin.pk}/change/", {"name": "x"})
    assert {(alert.kind, alert.severity) for alert in detect()} == {("admin_touched", "high")}


def test_a_new_administrator_is_always_told_of(client):
    admin, colleague, other = make_user(role=Role.ADMIN), make_user(role=Role.VIEWER), make_user(role=Role.VIEWER)
    client.force_login(admin)
    step_up(client, admin)
    request = client.get("/admin/").wsgi_request
    users.change_role(admin, other, Role.DESIGNER, request)
    assert detect() == []
    client.post("/admin/accounts/user/do/change_role/", {"id": str(colleague.pk), "role": "admin"})
    [alert] = detect()
    assert (alert.kind, alert.subject) == ("new_admin", str(colleague.pk))
    made = users._new_account(admin, email="new@example.test", name="", role=Role.ADMIN, language="en", request=request)
    [alert] = detect()
    assert (alert.kind, alert.subject) == ("new_admin", str(made.pk))


def test_developers_admitted_in_production_are_told_of(client):
    admin = make_user(role=Role.ADMIN)
    client.force_login(admin)
    step_up(client, admin)
    developers.admit(admin, 4, client.get("/admin/").wsgi_request)
    assert [alert.kind for alert in detect()] == ["developers_admitted"]


def test_exports_are_added_up():
    user = make_user()
    record("opportunities.exported", user, actor=user, request=request_from(), count=1999)
    assert detect() == []
    record("opportunities.exported", user, actor=user, request=request_from(), count=1)
    [alert] = detect()
    assert (alert.kind, alert.count, alert.severity) == ("mass_export", 2000, "medium")


def test_exports_of_every_kind_are_added_up_and_copies_of_persons_counted():
    user, other = make_user(), make_user()
    record("dataset.exported", user, actor=user, request=request_from(), rows=1500)
    record("access_review.exported", user, actor=user, request=request_from(), quarter="2026-4")
    assert detect() == []
    record("contacts.exported", user, actor=user, request=request_from(), count=499)
    assert [(alert.kind, alert.count, alert.subject) for alert in detect()] == [("mass_export", 2000, str(user.pk))]
    for _ in range(5):
        record("data.export_requested", user, actor=other, request=request_from())
        record("data.exported", user, actor=other, request=request_from(), size=10_000)
    assert [(alert.kind, alert.count, alert.subject) for alert in detect()] == [("mass_export", 10, str(other.pk))]
    named = {action for detector in DETECTORS if detector.kind == "mass_export" for action in detector.actions}
    assert named >= {action for action in ACTIONS if "export" in action}


def test_many_removed_second_factors_open_an_alert():
    for _ in range(5):
        assert detect() == []
        record("second_factor.removed", make_user(), kind="totp", method="command")
    assert [alert.kind for alert in detect()] == ["second_factors_removed"]


def test_whoever_notices_something_reports_it_once():
    for count in (1, 2, 2):
        services.report("chain_broken", severity=Severity.CRITICAL, count=count)
    services.report("secrets_overdue", severity=Severity.MEDIUM, count=3)
    assert alerts() == {"chain_broken": "critical", "secrets_overdue": "medium"}
    assert SecurityAlert.objects.get(kind="chain_broken").count == 2


# --- once ---------------------------------------------------------------------------------------------------------------------------


def test_what_goes_on_is_counted_in_the_same_alert_and_becomes_more_severe():
    failed_sign_ins(10)
    detect()
    failed_sign_ins(39)
    assert detect() == []
    assert alerts() == {"failed_logins_address": "medium"}
    failed_sign_ins(1)
    detect()
    detect()
    alert = SecurityAlert.objects.get()
    assert (alert.severity, alert.count, alert.mail) == ("high", 50, "due")
    assert [note.what for note in alert.notes.order_by("written_at")] == ["opened", "escalated"]
    assert Activity.objects.filter(action="alert.escalated").count() == 1


def test_after_it_is_resolved_only_what_happens_later_counts():
    admin = make_user(role=Role.ADMIN)
    failed_sign_ins(12)
    [first] = detect()
    services.resolve(first, note="Our own test.", actor=admin)
    assert detect() == []
    failed_sign_ins(20)
    assert detect() == []  # its cool-down
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=True):
        assert detect() == []
        failed_sign_ins(9)
        assert detect() == []
        failed_sign_ins(1)
        [second] = detect()
        assert (second.count, second.pk != first.pk) == (10, True)


def test_what_is_news_each_time_needs_no_cool_down():
    admin, user = make_user(role=Role.ADMIN), make_user()
    record("token.reuse_detected", user, actor=user)
    [first] = detect()
    services.resolve(first, note="Known.", actor=admin)
    assert detect() == []
    record("token.reuse_detected", user, actor=user)
    assert len(detect()) == 1


def test_alerts_hold_no_name_and_no_address():
    make_user(email="anna@example.test", password=PASSWORD)
    failed_sign_ins(12, account="anna@example.test")
    detect()
    alert = SecurityAlert.objects.get()
    told = json.dumps([alert.subject, alert.details, list(AlertNote.objects.values_list("text", flat=True))])
    assert "anna" not in told and "203.0" not in told


def test_every_kind_has_a_detector_or_is_reported():
    assert {detector.kind for detector in DETECTORS} | {"chain_broken", "sealing_late", "secrets_overdue"} == set(KINDS)
    for detector in DETECTORS:
        counts, severities = zip(*detector.steps, strict=True)
        assert list(counts) == sorted(set(counts)) and list(severities) == sorted(severities, key=RANKED.index)


def test_what_is_news_wakes_a_worker_at_once(django_capture_on_commit_callbacks):
    user = make_user()
    assert "token.reuse_detected" in ACTIONS_AT_ONCE
    with django_capture_on_commit_callbacks() as nudges:
        record("token.reuse_detected", user, actor=user)
        record("user.login", user, actor=user)
    assert len(nudges) == 1
