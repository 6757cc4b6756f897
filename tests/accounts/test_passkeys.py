"""Passkeys: only the right key over this challenge opens anything, and nothing that is sent in its place breaks a page."""

import json
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from audit.models import Activity
from tests.accounts.passkey import Passkey
from tests.accounts.people import PASSWORD, make_user, step_up

pytestmark = pytest.mark.django_db
TEXT = "AAAA"


def answer(**response: Any) -> str:
    parts = {"clientDataJSON": TEXT, "authenticatorData": TEXT, "signature": TEXT, "userHandle": TEXT} | response
    return json.dumps({"id": TEXT, "rawId": TEXT, "type": "public-key", "response": parts, "clientExtensionResults": {}})


NONSENSE = [
    "", "x", "[]", "{}", '"a"', "1", "null", "NaN", '{"response":1}', '{"response":[]}', "[" * 5000, '{"id":"' + "a" * 40_000 + '"}',
    answer(), answer(userHandle=None), answer(userHandle=5), answer(userHandle="!!"), answer(clientDataJSON=5),
    answer(clientDataJSON="e30", authenticatorData="A" * 60), answer(authenticatorData="A" * 52), answer(attestationObject="oA"),
    '{"id": "AAAA", "rawId": "AAAA", "response": "x"}', '{"id": 1, "rawId": {}, "response": {"clientDataJSON": []}}',
    '{"id": "\\u0000"}',
]  # fmt: skip


def register(client: Client, passkey: Passkey) -> int:
    options = client.get(reverse("mfa_add_webauthn")).context["js_data"]["creation_options"]
    given = {"credential": json.dumps(passkey.register(options)), "name": "Phone", "passwordless": "on"}
    return client.post(reverse("mfa_add_webauthn"), given).status_code


def challenge(client: Client) -> dict[str, Any]:
    return client.get(reverse("mfa_login_webauthn"), headers={"accept": "application/json"}).json()["request_options"]


def come_in(client: Client, given: dict[str, Any]) -> bool:
    assert client.post(reverse("mfa_login_webauthn"), {"credential": json.dumps(given)}).status_code == 302
    return "_auth_user_id" in client.session


@pytest.fixture
def anna():
    return make_user(email="anna@example.test")


@pytest.fixture
def passkey(anna):
    client, passkey = Client(), Passkey()
    client.force_login(anna)
    assert register(client, passkey) == 302
    return passkey


def test_the_right_key_over_this_challenge_opens_the_account(client, passkey):
    assert come_in(client, passkey.authenticate(challenge(client)))


def test_a_challenge_is_good_once_and_in_one_browser(client, passkey):
    given = passkey.authenticate(challenge(client))
    assert not come_in(Client(), given)
    other = Client()
    challenge(other)
    assert not come_in(other, given)
    assert come_in(client, given)
    client.post(reverse("account_logout"))
    challenge(client)
    assert not come_in(client, given)


def test_another_key_under_its_name_opens_nothing(client, passkey):
    forger = Passkey()
    forger.id, forger.user = passkey.id, passkey.user
    assert not come_in(client, forger.authenticate(challenge(client)))
    refused = Activity.objects.get(action="user.login.failed")
    assert refused.details == {"reason": "passkey"} and refused.target_id == ""


def test_a_key_made_for_another_site_opens_nothing(client, passkey):
    passkey.host = "evil.example"
    assert not come_in(client, passkey.authenticate(challenge(client)))


def test_a_removed_key_opens_nothing(client, passkey):
    Authenticator.objects.filter(type="webauthn").delete()
    assert not come_in(client, passkey.authenticate(challenge(client)))


def test_a_key_of_an_account_that_may_not_enter_opens_nothing(client, passkey, anna):
    type(anna).objects.update(is_active=False)
    assert not come_in(client, passkey.authenticate(challenge(client)))


def test_somebody_elses_key_is_no_second_step(passkey):
    other = make_user(email="other@example.test", password=PASSWORD)
    theirs = Passkey()
    client = Client()
    client.force_login(other)
    step_up(client, other)
    assert register(client, theirs) == 302
    client = Client()
    client.post(reverse("account_login"), {"login": other.email, "password": PASSWORD})
    options = client.get(reverse("mfa_authenticate")).context["js_data"]["request_options"]
    response = client.post(reverse("mfa_authenticate"), {"credential": json.dumps(passkey.authenticate(options))})
    assert "This passkey does not fit" in response.content.decode() and "_auth_user_id" not in client.session


def test_a_key_that_was_only_touched_opens_no_account_alone(client, passkey):
    passkey.checks = 0
    assert not come_in(client, passkey.authenticate(challenge(client)))


def test_neither_does_it_over_a_challenge_of_somebodys_second_step(passkey):
    other = make_user(email="other@example.test", password=PASSWORD)
    client = Client()
    client.force_login(other)
    step_up(client, other)
    assert register(client, Passkey()) == 302
    client, passkey.checks = Client(), 0
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client.post(reverse("account_login"), {"login": other.email, "password": PASSWORD})
        options = client.get(reverse("mfa_authenticate")).context["js_data"]["request_options"]
        assert options["publicKey"]["userVerification"] == "preferred"
        clock.shift(901)  # their own sign-in is over, the challenge stays
        assert not come_in(client, passkey.authenticate(options))


def test_nonsense_instead_of_a_credential_opens_nothing_and_breaks_nothing():
    for number, credential in enumerate(NONSENSE):
        client = Client(REMOTE_ADDR=f"203.0.113.{number}")
        challenge(client)
        response = client.post(reverse("mfa_login_webauthn"), {"credential": credential})
        assert (response.status_code, response.url) == (302, reverse("account_login")), credential[:80]


def test_nonsense_is_not_enrolled():
    for credential in NONSENSE:
        client = Client()
        client.force_login(make_user())
        client.get(reverse("mfa_add_webauthn"))
        response = client.post(reverse("mfa_add_webauthn"), {"credential": credential})
        assert response.status_code == 200 and 'class="errorlist' in response.content.decode(), credential[:80]
    assert not Authenticator.objects.exists()
