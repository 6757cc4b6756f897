"""The pages about the second step and one's own sessions, in every look."""

import pytest
from django.test import Client

from audit.services import record
from tests.accounts.authenticators import give_codes, give_passkey, plug_in
from tests.accounts.people import PASSWORD, add_totp, make_user, step_up
from tests.pages.look import LANGUAGES, look_at, speak

PROTECTED = [
    "/settings/security/",
    "/settings/security/sessions/end/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/reauthenticate/",
]
UNPROTECTED = ["/accounts/2fa/", "/accounts/2fa/totp/activate/", "/accounts/2fa/webauthn/", "/accounts/2fa/webauthn/add/"]
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(params=LANGUAGES)
def camille(request, transactional_db):
    user = make_user(email="camille@example.test", password=PASSWORD, language=request.param)
    for _number in range(16):
        record("user.login.failed", user, account=user.email, reason="credentials")
    Client(headers={"user-agent": AGENT}).post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return user


@pytest.mark.parametrize("path", UNPROTECTED)
def test_a_page_of_somebody_without_a_second_step_is_sound(page, axe, live_server, login, client, camille, path):
    login(camille)
    step_up(client, camille)
    assert look_at(page, axe, live_server.url + path) == []


@pytest.mark.parametrize("path", PROTECTED)
def test_a_page_of_somebody_with_an_app_and_codes_is_sound(page, axe, live_server, login, client, camille, path):
    add_totp(camille)
    give_codes(camille)
    login(camille)
    step_up(client, camille)
    assert look_at(page, axe, live_server.url + path) == []


def test_the_pages_of_a_passkey_are_sound(page, axe, live_server, login, client, camille):
    passkey = give_passkey(camille)
    login(camille)
    step_up(client, camille)
    faults = look_at(page, axe, live_server.url + "/accounts/2fa/webauthn/")
    for act in ("edit", "remove"):
        faults += look_at(page, axe, f"{live_server.url}/accounts/2fa/webauthn/keys/{passkey.pk}/{act}/")
    assert faults == []


def test_the_second_step_of_a_sign_in_is_sound(page, axe, live_server, login, client, camille):
    plug_in(page)
    login(camille)
    step_up(client, camille)
    page.goto(live_server.url + "/accounts/2fa/webauthn/add/")
    page.get_by_role("button", name="passkey").or_(page.get_by_role("button", name="clé d’accès")).click()
    page.wait_for_url("**/recovery-codes/")
    faults = look_at(page, axe, live_server.url + "/accounts/2fa/webauthn/reauthenticate/")
    page.context.clear_cookies()
    speak(page, live_server.url, camille.language)
    page.goto(live_server.url + "/accounts/login/")
    page.locator("[name=login]").fill(camille.email)
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/2fa/authenticate/")
    assert faults + look_at(page, axe, live_server.url + "/accounts/2fa/authenticate/") == []
