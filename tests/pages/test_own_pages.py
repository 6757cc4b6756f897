"""Settings and account pages of somebody who is signed in."""

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import expect

from tests.accounts.people import PASSWORD, make_user
from tests.pages.look import LANGUAGES, look_at

OWN = [
    "/settings/profile/",
    "/settings/studio/",
    "/settings/security/",
    "/accounts/email/",
    "/accounts/social/",
    "/accounts/password/set/",
    "/accounts/logout/",
]


@pytest.fixture
def camille(transactional_db):
    user = make_user(email="camille@example.test")
    EmailAddress.objects.create(user=user, email="studio@example.test", verified=True)
    EmailAddress.objects.create(user=user, email="a-rather-long-address-for-a-small-screen@photographers.example.test")
    return user


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", OWN)
def test_an_own_page_is_sound_in_every_look(page, axe, live_server, login, camille, path, language):
    camille.language = language
    camille.save(update_fields=["language"])
    login(camille)
    assert look_at(page, axe, live_server.url + path) == []
    assert page.locator("html").get_attribute("lang") == language


@pytest.mark.parametrize("path", ["/accounts/password/change/", "/accounts/reauthenticate/"])
def test_a_password_page_is_sound_in_every_look(page, axe, live_server, login, transactional_db, path):
    login(make_user(password=PASSWORD))
    assert look_at(page, axe, live_server.url + path) == []


def test_on_a_phone_the_navigation_opens_by_a_button_and_closes_by_escape(page, live_server, login, camille):
    login(camille)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + "/settings/profile/")
    menu = page.get_by_role("button", name="Menu")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings")
    expect(link).to_be_hidden()
    menu.click()
    expect(link).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_language_switch_is_remembered_for_the_account(page, live_server, login, camille):
    login(camille)
    page.goto(live_server.url + "/settings/profile/")
    page.get_by_role("button", name="FR").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    camille.refresh_from_db()
    assert camille.language == "fr"


def test_saving_the_profile_says_so(page, live_server, login, camille):
    login(camille)
    page.goto(live_server.url + "/settings/profile/")
    page.get_by_label("Name").fill("Camille M.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("main")).not_to_contain_text("Saved.")
