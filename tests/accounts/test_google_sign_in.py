"""Sign in with Google, against the sandbox: R-063 … R-065."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client
from django.urls import reverse

from accounts.models import Organization, User
from audit.models import Activity
from tests.accounts.people import add_totp, make_user, totp_code

pytestmark = pytest.mark.django_db
EMAIL = "camille@example.test"


def start(client) -> str:
    """The authorization URL that our button leads to."""
    response = client.post(reverse("google_login"))
    assert response.status_code == 302
    return response.url


def answer(sandbox, url: str, email: str = EMAIL, **decision) -> str:
    """The address the browser comes back to, as path and query."""
    back = urlsplit(sandbox.control("POST", "/authorize", {"url": url, "email": email, **decision})["redirect"])
    return f"{back.path}?{back.query}"


def signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_the_first_sign_in_makes_an_account_with_a_studio_and_leads_home(client, sandbox):
    response = client.get(answer(sandbox, start(client)))
    assert response.status_code == 302 and response.url == reverse("home")
    user = User.objects.get()
    assert user.email == EMAIL and user.role == "member" and user.memberships.count() == 1 and not user.has_usable_password()
    assert signed_in(client)
    identity = SocialAccount.objects.get()
    assert identity.uid.startswith(sandbox.url) and not SocialToken.objects.exists()
    assert {"user.created", "user.login", "organization.created"} <= set(Activity.objects.values_list("action", flat=True))


def test_the_flow_carries_state_nonce_and_pkce_and_asks_for_nothing_but_who_you_are(client, sandbox):
    query = {name: values[0] for name, values in parse_qs(urlsplit(start(client)).query).items()}
    assert query["code_challenge_method"] == "S256" and len(query["nonce"]) >= 20 and len(query["state"]) >= 16
    assert set(query["scope"].split()) == {"openid", "email", "profile"}


def test_a_link_cannot_start_the_flow(client, sandbox):
    assert client.get(reverse("google_login")).status_code == 405


def test_coming_back_signs_in_to_the_same_account(client, sandbox):
    client.get(answer(sandbox, start(client)))
    client.post(reverse("account_logout"))
    client.get(answer(sandbox, start(client)))
    assert User.objects.count() == 1 and signed_in(client)


def test_refusing_at_google_leads_back_without_an_account(client, sandbox):
    response = client.get(answer(sandbox, start(client), deny=True), follow=True)
    assert response.status_code == 200 and not User.objects.exists() and not signed_in(client)


@pytest.mark.parametrize("change", ["missing", "other", "replayed", "of another browser"])
def test_a_state_that_is_not_this_flows_own_is_refused_and_recorded(client, sandbox, change):
    back = answer(sandbox, start(client))
    if change == "missing":
        back = back.replace("state=", "stat=")
    elif change == "other":
        back = back.replace("state=", "state=x")
    elif change == "replayed":
        client.get(back)
        client.post(reverse("account_logout"))
        User.objects.all().delete()
    else:
        client.cookies.clear()
    response = client.get(back)
    assert response.status_code == 400 and not signed_in(client) and not User.objects.exists()
    assert Activity.objects.filter(action="oauth.state_refused").exists()


@pytest.mark.parametrize(
    "defect",
    [
        "bad_signature",
        "unknown_key",
        "alg_none",
        "wrong_audience",
        "wrong_issuer",
        "wrong_nonce",
        "no_nonce",
        "expired",
        "email_unverified",
        "no_email",
    ],
)
def test_a_defective_id_token_is_refused(client, sandbox, defect):
    sandbox.control("POST", "/id-token", {"defect": defect})
    response = client.get(answer(sandbox, start(client)))
    assert response.status_code == 400 and not signed_in(client) and not User.objects.exists()
    assert Activity.objects.filter(action="oauth.state_refused").exists()


def test_an_address_that_already_has_a_password_account_is_not_taken_over(client, sandbox):
    owner = make_user(email=EMAIL, password="Correct-Horse-7")
    client.get(answer(sandbox, start(client)), follow=True)
    assert not signed_in(client) and not SocialAccount.objects.exists() and User.objects.get() == owner


def test_a_stranger_who_signed_up_with_the_address_first_gets_nothing(client, sandbox):
    Client().post(reverse("account_signup"), {"email": EMAIL, "password1": "Strangers-Pass-7", "name": "Stranger"})
    (mail,) = sandbox.control("GET", "/mail")["mail"]
    client.get(answer(sandbox, start(client)))
    owner = User.objects.get()
    assert signed_in(client) and owner.name == "Camille Morel" and owner.memberships.count() == Organization.objects.count() == 1
    client.post(re.search(r"/accounts/confirm-email/[^/\s]+/", mail["text"])[0])
    stranger = Client()
    stranger.post(reverse("account_login"), {"login": EMAIL, "password": "Strangers-Pass-7"})
    assert not signed_in(stranger) and not User.objects.get().has_usable_password()
    assert Activity.objects.filter(action="user.deleted").exists()


def test_an_inactive_account_stays_outside(client, sandbox):
    client.get(answer(sandbox, start(client)))
    client.post(reverse("account_logout"))
    User.objects.update(is_active=False)
    client.get(answer(sandbox, start(client)), follow=True)
    assert not signed_in(client)


@pytest.mark.parametrize("fault", [500, 429, 403])
def test_google_failing_is_a_clear_page_not_an_error(client, sandbox, fault):
    back = answer(sandbox, start(client))
    sandbox.control("POST", "/faults", {"status": fault, "path": "/token"})
    response = client.get(back)
    assert response.status_code == 400 and not signed_in(client)
    sandbox.control("DELETE", "/faults")


def test_google_alone_does_not_open_an_account_with_a_second_factor(client, sandbox):
    client.get(answer(sandbox, start(client)))
    client.post(reverse("account_logout"))
    add_totp(User.objects.get())
    response = client.get(answer(sandbox, start(client)))
    assert response.url == reverse("mfa_authenticate") and not signed_in(client)
    client.post(reverse("mfa_authenticate"), {"code": totp_code()})
    assert signed_in(client)
    assert Activity.objects.filter(action="user.login").latest("recorded_at").details["method"] == "google+totp"


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "developer"}])
def test_who_may_not_come_in_hears_from_google_what_a_wrong_password_hears(client, sandbox, settings, change):
    client.get(answer(sandbox, start(client)))
    client.post(reverse("account_logout"))
    User.objects.update(**change)
    settings.ENVIRONMENT = "production"
    response = client.get(answer(sandbox, start(client)), follow=True)
    assert response.request["PATH_INFO"] == reverse("account_login") and not signed_in(client)
    assert "Invalid e-mail address or password" in response.content.decode()
    assert Activity.objects.get(action="user.login.failed").details["reason"] == "refused"
