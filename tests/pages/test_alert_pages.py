"""The look of the console's pages about alerts and containment."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from audit.alerts import services
from audit.alerts.detection import detect
from audit.detectors import Severity
from audit.models import SecurityAlert
from operations.containment import blocklist
from operations.services import containment
from tests.accounts.people import make_user, step_up
from tests.audit.test_detectors import ATTACKER, request_from
from tests.pages.look import LANGUAGES, look_at

ALERTS, NETWORKS = "/admin/audit/securityalert/", "/admin/operations/blockednetwork/"


@pytest.fixture
def admin_user(transactional_db):
    return make_user(email="admin@example.test", name="", role=Role.ADMIN)


@pytest.fixture
def signed_in(page, login, client, admin_user):
    """An administrator's browser, fresh from a step-up."""
    login(admin_user)
    step_up(client, admin_user)
    yield page
    blocklist.forget()


def an_attack(admin_user) -> tuple[SecurityAlert, object]:
    attacker = make_user(email="quite.a.long.address.for.a.person@studio-with-a-long-name.example.test", role=Role.DESIGNER)
    for _ in range(12):
        services.record("permission.denied", actor=attacker, request=request_from(ATTACKER, attacker), view="admin:index")
    services.report("chain_broken", severity=Severity.CRITICAL, count=3)
    services.report("secrets_overdue", severity=Severity.LOW, count=3)
    [alert] = detect()
    services.acknowledge(alert, actor=admin_user)
    services.add_note(alert, "Tried every page of the console in four minutes,\nfrom the office.", actor=admin_user)
    return alert, attacker


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_about_alerts_is_sound_in_every_look(signed_in, axe, live_server, client, admin_user, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    alert, attacker = an_attack(admin_user)
    request = client.get("/settings/").wsgi_request
    row = containment.block_network("203.0.113.0/24", hours=5, reason="Guesses passwords", actor=admin_user, request=request)
    person = f"{NETWORKS}person/{attacker.pk}/"
    paths = [
        ALERTS, f"{ALERTS}?state=open", f"{ALERTS}{alert.pk}/change/", f"{ALERTS}{alert.pk}/do/assign/", f"{ALERTS}{alert.pk}/do/resolve/",
        NETWORKS, f"{NETWORKS}add/?network={ATTACKER}", f"{NETWORKS}{row.pk}/lift/", "/admin/operations/containment/",
        f"{person}?alert={alert.pk}", f"{person}suspend/?alert={alert.pk}",
    ]  # fmt: skip
    faults = []
    for path in paths:
        faults += look_at(signed_in, axe, live_server.url + path, preload=False)
    assert faults == []


def test_an_alert_is_followed_from_the_first_page_to_its_end(signed_in, live_server, admin_user):
    alert, _attacker = an_attack(admin_user)
    page = signed_in
    page.goto(live_server.url + "/admin/")
    page.get_by_text("3 security alerts are not resolved.").wait_for()
    page.locator(".console-reminder", has_text="security alerts").get_by_role("link").click()
    page.get_by_role("link", name="Repeated refusals of one person").first.click()
    page.get_by_role("link", name="Contain", exact=True).click()
    page.get_by_role("link", name="End all sessions").click()
    page.get_by_role("button", name="End all sessions").click()
    page.get_by_text("Sessions ended.").wait_for()
    page.get_by_role("link", name="Repeated refusals of one person").click()
    expect(page.locator(".console-history")).to_contain_text("Contained")
    page.get_by_role("link", name="Resolve").click()
    page.get_by_label("Note").fill("The person was asked, and has left.")
    page.get_by_role("button", name="Resolve").click()
    page.get_by_text("Saved.").wait_for()
    assert SecurityAlert.objects.get(pk=alert.pk).state == "resolved"
