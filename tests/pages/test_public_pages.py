"""The pages for people who are not signed in."""

import pytest
from playwright.sync_api import expect

from accounts.models import InstanceSettings
from tests.pages.look import LANGUAGES, look_at, speak

PUBLIC = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/done/",
    "/accounts/password/reset/key/abc-def/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/expired/",
    "/accounts/inactive/",
    "/accounts/social/login/cancelled/",
    "/privacy/",
    "/terms/",
    "/security/",
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_is_sound_in_every_look(page, axe, live_server, path, language):
    speak(page, live_server.url, language)
    assert look_at(page, axe, live_server.url + path) == []
    assert page.locator("html").get_attribute("lang") == language


def test_closed_sign_up_says_so(page, axe, live_server, transactional_db):
    settings = InstanceSettings.current()
    settings.registration_open = False
    settings.save()
    assert look_at(page, axe, live_server.url + "/accounts/signup/") == []
    expect(page.get_by_role("heading", level=1)).to_have_text("New accounts are closed for now")


def test_the_chosen_theme_stays_on_the_next_page(page, live_server):
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_role("button", name="Dark theme").click()
    page.goto(live_server.url + "/privacy/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Theme of the system").click()
    expect(page.locator("html:not([data-theme])")).to_be_attached()


def test_the_language_switch_translates_the_page(page, live_server):
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_role("button", name="FR").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bon retour")


def test_a_password_can_be_shown(page, live_server):
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_label("Password", exact=True).fill("secret")
    page.get_by_role("button", name="Show the password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")


def test_a_refused_form_names_its_fields_and_links_to_them(page, axe, live_server):
    page.goto(live_server.url + "/accounts/signup/")
    page.get_by_role("button", name="Create my account").click()
    expect(page.locator(".form-errors")).to_be_focused()
    described = page.get_by_label("E-mail").get_attribute("aria-describedby")
    expect(page.locator(f"#{described.split()[-1]}")).to_contain_text("This field is required")
    assert axe() == []


def test_the_keyboard_reaches_the_content_first(page, live_server):
    page.goto(live_server.url + "/privacy/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
