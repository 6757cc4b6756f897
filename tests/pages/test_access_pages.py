"""The look of the console's pages about who has access: people, keys, sessions, coaching, the matrix, the review."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import ApiSession, CoachLink, InstanceSettings
from accounts.roles import Role
from accounts.services import api_keys
from operations.services import access_reviews
from tests.accounts.people import make_user, step_up
from tests.pages.look import LANGUAGES, look_at

USERS = "/admin/accounts/user/"


@pytest.fixture
def admin_user(transactional_db):
    return make_user(email="admin@example.test", name="", role=Role.ADMIN)


@pytest.fixture
def signed_in(page, login, client, admin_user):
    """An administrator's browser, fresh from a step-up."""
    login(admin_user)
    step_up(client, admin_user)
    return page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_about_access_is_sound_in_every_look(signed_in, axe, live_server, admin_user, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    colleague = make_user(email="quite.a.long.address.for.a.person@studio-with-a-long-name.example.test", role=Role.DESIGNER)
    coach, client = make_user(email="coach@example.test", role=Role.COACH), make_user(email="client@example.test")
    CoachLink.objects.create(coach=coach, client=client, appointed_by=admin_user)
    key, _raw, _secret = api_keys.create(colleague, name="Back-up of the studio", scopes=["read", "write"], days=30)
    api = ApiSession.objects.create(user=colleague, expires_at=timezone.now() + timedelta(days=1))
    Client().force_login(colleague)
    review = access_reviews.open_review(admin_user)
    paths = [
        USERS, f"{USERS}add/", f"{USERS}{colleague.pk}/change/", f"{USERS}{colleague.pk}/delete/",
        f"{USERS}do/change_role/?id={colleague.pk}&id={coach.pk}", f"{USERS}do/deactivate/?id={colleague.pk}",
        "/admin/accounts/session/", "/admin/accounts/apisession/", f"/admin/accounts/apisession/{api.pk}/change/",
        "/admin/accounts/apikey/", f"/admin/accounts/apikey/{key.pk}/change/", f"/admin/accounts/apikey/end/{key.pk}/",
        "/admin/accounts/coachlink/", "/admin/accounts/coachlink/add/", "/admin/accounts/instancesettings/developers/",
        "/admin/operations/accessreview/", "/admin/operations/access-matrix/", "/admin/operations/accessreview/open/",
        f"/admin/operations/accessreview/{review.pk}/change/", f"/admin/operations/accessreview/{review.pk}/sign/",
    ]  # fmt: skip
    faults = []
    for path in paths:
        faults += look_at(signed_in, axe, live_server.url + path, preload=False)
    assert faults == []


def test_an_account_is_made_demoted_and_deactivated_by_hand(signed_in, live_server, admin_user):
    page = signed_in
    page.goto(live_server.url + "/admin/")
    page.locator("#content-main").get_by_role("link", name="Users", exact=True).click()
    page.locator(".object-tools").get_by_role("link", name=re.compile("Add user", re.IGNORECASE)).click()
    page.get_by_label("E-mail address").fill("lou@example.test")
    page.get_by_label("Role").select_option("designer")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("link", name="lou@example.test").click()
    page.get_by_role("link", name="Change role").click()
    page.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Change role").click()
    page.locator(".messagelist", has_text="Role changed.").wait_for()
    expect(page.locator("#content")).to_contain_text("Viewer")
    page.get_by_role("link", name="Deactivate", exact=True).click()
    page.get_by_role("button", name="Deactivate").click()
    page.locator(".messagelist", has_text="Deactivated.").wait_for()
    expect(page.locator("#content")).to_contain_text("not active")


def test_a_developer_reads_until_when_production_admits_them_on_every_page(page, axe, live_server, login, settings, transactional_db):
    settings.ENVIRONMENT = "production"
    until = timezone.now() + timedelta(hours=3)
    InstanceSettings.objects.update_or_create(pk=1, defaults={"dev_role_until": until})
    login(make_user(role=Role.DEVELOPER))
    for path in ("/admin/", "/admin/accounts/user/", "/settings/profile/", "/privacy/"):
        assert look_at(page, axe, live_server.url + path, preload=False) == []
        banner = page.locator(".banner.warn").inner_text()
        assert "Developer role is temporarily active in production" in banner and f"Expires: {until:%Y-%m-%d %H:%M} UTC" in banner
