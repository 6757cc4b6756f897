"""Sign-in with any OpenID Connect provider the operator names: R-059, R-064, R-065, DESIGN decision 6."""

import time
from urllib.parse import parse_qs, urlsplit

import oidc_provider_mock
import pytest
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.urls import reverse

from aaperture.lib import openid_apps
from accounts.models import Session, User
from audit.models import Activity
from tests.accounts.oidc_provider import running
from tests.accounts.people import PASSWORD, make_user, step_up

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::DeprecationWarning:authlib")]
EMAIL = "ines@example.test"
SUBJECT = "subject-7"
CLAIMS = {"email": EMAIL, "email_verified": True, "name": "Inès Caron"}


@pytest.fixture(scope="module")
def running_provider():
    people = [oidc_provider_mock.User(sub=SUBJECT, claims=CLAIMS), oidc_provider_mock.User(sub="other", claims=CLAIMS)]
    with running(*people) as provider:
        yield provider


@pytest.fixture
def provider(running_provider, settings):
    running_provider.reset()
    settings.OIDC_ENABLED, settings.OIDC_NAME = True, "Studio ID"
    app = openid_apps.own_provider(name="Studio ID", issuer=running_provider.url, client_id="aaperture", secret="tests-only")
    settings.SOCIALACCOUNT_PROVIDERS = {"openid": {"APPS": [app]}}
    return running_provider


def start(client, **form: str) -> str:
    """The authorization URL that our button leads to."""
    response = client.post(reverse("openid_login", args=["oidc"]), form)
    assert response.status_code == 302
    return response.url


def signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def test_the_first_sign_in_makes_an_account_known_by_issuer_and_subject(client, provider):
    assert "Continue with Studio ID" in client.get(reverse("account_login")).content.decode()
    response = client.get(provider.answer(start(client), SUBJECT))
    assert response.status_code == 302 and response.url == reverse("home") and signed_in(client)
    user, identity = User.objects.get(), SocialAccount.objects.get()
    assert user.email == EMAIL and user.role == "member" and not user.has_usable_password()
    assert (identity.provider, identity.uid) == ("oidc", f"{provider.url} {SUBJECT}")
    assert not SocialToken.objects.exists() and identity.extra_data == {"id_token": {"email": EMAIL}}
    assert Session.objects.get(user=user).method == "oidc"


def test_the_flow_carries_state_nonce_and_pkce(client, provider):
    query = {name: values[0] for name, values in parse_qs(urlsplit(start(client)).query).items()}
    assert query["code_challenge_method"] == "S256" and len(query["nonce"]) >= 20 and len(query["state"]) >= 16
    assert query["redirect_uri"].endswith("/accounts/openid/oidc/callback/")


def test_a_changed_address_at_the_provider_is_still_the_same_account(client, provider):
    client.get(provider.answer(start(client), SUBJECT))
    client.post(reverse("account_logout"))
    provider.edit = lambda claims: claims | {"email": "new@example.test"}
    client.get(provider.answer(start(client), SUBJECT))
    assert signed_in(client) and User.objects.count() == 1


def test_the_same_address_under_another_subject_is_somebody_else(client, provider):
    client.get(provider.answer(start(client), SUBJECT))
    client.post(reverse("account_logout"))
    client.get(provider.answer(start(client), "other"), follow=True)
    assert not signed_in(client) and User.objects.count() == SocialAccount.objects.count() == 1


def test_a_provider_that_names_the_person_only_when_asked_is_asked(client, provider):
    provider.edit = lambda claims: {name: value for name, value in claims.items() if not name.startswith(("email", "name"))}
    client.get(provider.answer(start(client), SUBJECT))
    assert signed_in(client) and User.objects.get().email == EMAIL


def test_what_it_then_says_must_be_about_the_person_of_the_token(client, provider):
    provider.edit = lambda claims: {name: value for name, value in claims.items() if not name.startswith("email")} | {"sub": "somebody"}
    assert client.get(provider.answer(start(client), SUBJECT)).status_code == 400
    assert not User.objects.exists()


DEFECTS = {
    "wrong audience": lambda claims: claims | {"aud": ["another-client"]},
    "wrong issuer": lambda claims: claims | {"iss": "http://127.0.0.1:9"},
    "nonce of another flow": lambda claims: claims | {"nonce": "n" * 32},
    "no nonce": lambda claims: {name: value for name, value in claims.items() if name != "nonce"},
    "expired": lambda claims: claims | {"exp": int(time.time()) - 60, "iat": int(time.time()) - 3600},
    "no expiry": lambda claims: {name: value for name, value in claims.items() if name != "exp"},
    "address not verified": lambda claims: claims | {"email_verified": False},
    "address verified by a word": lambda claims: claims | {"email_verified": "true"},
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_token_with_a_defect_is_refused_and_recorded(client, provider, defect):
    provider.edit = DEFECTS[defect]
    response = client.get(provider.answer(start(client), SUBJECT))
    assert response.status_code == 400 and not signed_in(client) and not User.objects.exists()
    assert Activity.objects.get(action="oauth.state_refused").details["provider"] == "oidc"


@pytest.mark.parametrize("signature", ["unsigned", "signed_by_another", "signed_with_the_public_key"])
def test_a_token_without_the_providers_signature_is_refused(client, provider, signature):
    provider.sign = getattr(provider, signature)
    response = client.get(provider.answer(start(client), SUBJECT))
    assert response.status_code == 400 and not signed_in(client) and not User.objects.exists()


def test_a_token_of_an_earlier_flow_does_not_open_a_new_one(client, provider):
    kept = []
    provider.sign = lambda claims: kept.append(provider.signed(claims)) or kept[0]
    client.get(provider.answer(start(client), SUBJECT))
    assert signed_in(client)
    client.post(reverse("account_logout"))
    assert client.get(provider.answer(start(client), SUBJECT)).status_code == 400 and not signed_in(client)


def test_the_same_answer_opens_nothing_twice(client, provider):
    back = provider.answer(start(client), SUBJECT)
    client.get(back)
    client.post(reverse("account_logout"))
    assert client.get(back).status_code == 400 and not signed_in(client)


def test_a_discovery_document_of_another_issuer_is_refused(client, provider, settings):
    app = settings.SOCIALACCOUNT_PROVIDERS["openid"]["APPS"][0]
    app["settings"]["server_url"] = provider.url + "/"
    assert client.get(provider.answer(start(client), SUBJECT)).status_code == 400


def test_an_existing_account_with_the_address_is_not_taken_over(client, provider):
    owner = make_user(email=EMAIL, password=PASSWORD)
    client.get(provider.answer(start(client), SUBJECT), follow=True)
    assert not signed_in(client) and not SocialAccount.objects.exists() and User.objects.get() == owner


def test_whoever_is_signed_in_links_it_after_confirming_who_they_are(client, provider):
    owner = make_user(email="camille@example.test", password=PASSWORD)
    client.force_login(owner)
    refused = client.post(reverse("openid_login", args=["oidc"]), {"process": "connect"})
    assert refused.status_code == 302 and refused.url.startswith(reverse("account_reauthenticate"))
    step_up(client, owner)
    client.get(provider.answer(start(client, process="connect"), SUBJECT))
    assert SocialAccount.objects.get().user == owner
    client.post(reverse("account_logout"))
    client.get(provider.answer(start(client), SUBJECT))
    assert client.session["_auth_user_id"] == str(owner.pk)


def test_without_configuration_there_is_no_button_and_no_way_in(client):
    assert "/accounts/openid/oidc/" not in client.get(reverse("account_login")).content.decode()
    assert client.post(reverse("openid_login", args=["oidc"])).status_code == 404
    assert client.get(reverse("openid_callback", args=["oidc"])).status_code == 404
