"""A member protects their account in a browser: app, passkey, lost phone, a session somewhere else."""

import time

import pytest
import time_machine
from playwright.sync_api import expect

from accounts.models import Session
from audit.models import Activity
from tests.accounts.authenticators import code_now, plug_in
from tests.accounts.people import PASSWORD, make_user

EMAIL = "camille@example.test"


@pytest.fixture
def camille(transactional_db):
    return make_user(email=EMAIL, password=PASSWORD)


@pytest.fixture
def later():
    """The server's clock stands still, since a code is good for 30 seconds; `later(seconds)` moves it on, since a code works once."""
    with time_machine.travel(time.time(), tick=False) as clock:
        yield clock.shift


def sign_in(page, live_server) -> None:
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def sign_out(page) -> None:
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")


def confirm(page) -> None:
    """What changes how one signs in asks for the password once more."""
    expect(page.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


def enrol_app(page, live_server) -> str:
    """From the security page; returns the key that the page showed in text."""
    page.goto(live_server.url + "/settings/security/")
    page.get_by_role("link", name="Set up an authenticator app").click()
    confirm(page)
    secret = page.locator("#totp-secret").inner_text()
    assert page.get_by_alt_text("QR code").evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    page.get_by_label("Authenticator code").fill(code_now(secret))
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    return secret


def test_an_app_a_sign_in_with_it_a_lost_phone_and_a_recovery_code(page, live_server, axe, camille, later, mailoutbox):
    sign_in(page, live_server)
    secret = enrol_app(page, live_server)
    shown = page.locator("#recovery-codes code")
    expect(shown).to_have_count(10)
    codes = shown.all_inner_texts()
    assert axe() == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    text = download.value.path().read_text()
    assert EMAIL in text and all(code in text for code in codes)
    page.get_by_role("link", name="back to Security").click()
    sign_out(page)

    later(31)
    sign_in(page, live_server)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This code does not fit")).to_be_visible()
    page.get_by_label("Code").fill(code_now(secret))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(live_server.url + "/")

    page.goto(live_server.url + "/settings/security/")
    sign_out(page)
    sign_in(page, live_server)
    page.get_by_text("My phone or my key is gone").click()
    expect(page.get_by_text("by a command on the server")).to_be_visible()
    page.get_by_label("Code").fill(codes[3])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(live_server.url + "/")
    page.goto(live_server.url + "/settings/security/")
    expect(page.get_by_text("9 of 10 left")).to_be_visible()
    expect(page.get_by_role("cell", name="Password + Recovery code")).to_be_visible()
    assert Activity.objects.filter(action="recovery_codes.used").count() == 1
    assert [mail.subject for mail in mailoutbox] == ["Second step: an authenticator app was added"]


def test_a_passkey_opens_the_account_alone_and_serves_as_second_step(page, live_server, axe, camille):
    plug_in(page)
    sign_in(page, live_server)
    page.goto(live_server.url + "/accounts/2fa/")
    page.get_by_role("link", name="Add Passkeys").click()
    confirm(page)
    expect(page.get_by_label("Name")).to_have_value("Chrome on Linux")
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.goto(live_server.url + "/accounts/2fa/webauthn/")
    expect(page.get_by_text("Signs in alone")).to_be_visible()
    assert axe() == []

    page.goto(live_server.url + "/settings/security/")
    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(live_server.url + "/")
    page.goto(live_server.url + "/settings/security/")
    expect(page.get_by_role("cell", name="Passkey", exact=True)).to_be_visible()

    sign_out(page)
    sign_in(page, live_server)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(live_server.url + "/")


def test_a_locked_name_does_not_keep_a_passkey_out(page, live_server, camille):
    plug_in(page)
    sign_in(page, live_server)
    page.goto(live_server.url + "/accounts/2fa/webauthn/add/")
    confirm(page)
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    page.goto(live_server.url + "/settings/security/")
    sign_out(page)
    lock(live_server)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(live_server.url + "/")
    page.goto(live_server.url + "/settings/security/")
    expect(page.get_by_text("Name locked").first).to_be_visible()


def lock(live_server) -> None:
    from django.test import Client

    for number in range(5):
        # five different addresses: that of the browser is not to be used up
        Client(REMOTE_ADDR=f"198.51.100.{number + 1}").post("/accounts/login/", {"login": EMAIL, "password": "Wrong-Horse-7"})


def test_a_browser_that_confirms_nothing_says_what_to_do(page, live_server, camille):
    plug_in(page, verifies=False)
    sign_in(page, live_server)
    page.goto(live_server.url + "/accounts/2fa/webauthn/add/")
    confirm(page)
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_text("Nothing was confirmed")).to_be_visible()


def test_a_session_elsewhere_is_ended_from_the_list(page, live_server, browser, camille):
    sign_in(page, live_server)
    page.wait_for_url(live_server.url + "/")
    elsewhere = browser.new_context(user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1")
    phone = elsewhere.new_page()
    sign_in(phone, live_server)
    phone.wait_for_url(live_server.url + "/")

    page.goto(live_server.url + "/settings/security/")
    expect(page.get_by_text("This one", exact=True)).to_have_count(1)
    page.get_by_role("link", name="End this one Safari on iPhone").click()
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_role("status")).to_contain_text("The session is ended.")
    phone.goto(live_server.url + "/settings/security/")
    assert "/accounts/login/" in phone.url
    elsewhere.close()
    assert Session.objects.filter(user=camille).count() == 1
