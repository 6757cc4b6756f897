"""Google's sign-in beyond what emulate can do: consent, offline access, expiry, refusals, defective id_tokens."""

import base64
from collections.abc import Callable

import jwt
import pytest
import requests

from sandbox.server import SandboxServer
from tests.sandbox.providers import (
    CAMILLE,
    CLIENT_ID,
    CLIENT_SECRET,
    GMAIL_READ,
    REDIRECT_URI,
    SIGN_IN,
    SandboxProvider,
    SignIn,
    tokens_for,
)  # fmt: skip


def test_denying_comes_back_with_access_denied_and_the_state(google: SandboxProvider):
    sign_in = SignIn(google)
    back = sign_in.come_back(deny=True)
    assert (back["error"], back["state"]) == ("access_denied", sign_in.state)
    assert "code" not in back


def test_unticking_gmail_still_signs_in_but_without_gmail(google: SandboxProvider, sandbox: SandboxServer):
    tokens = SignIn(google, scopes=(*SIGN_IN, GMAIL_READ)).finish(untick=(GMAIL_READ,))
    assert GMAIL_READ not in tokens["scope"].split()
    answer = requests.get(
        f"{sandbox.url}/gmail/v1/users/me/profile", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=10
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_a_refresh_token_comes_only_offline_and_only_from_a_consent_page(google: SandboxProvider):
    assert "refresh_token" not in SignIn(google).finish()
    assert "refresh_token" in SignIn(google, access_type="offline").finish()
    assert "refresh_token" not in SignIn(google, access_type="offline").finish()
    assert "refresh_token" in SignIn(google, access_type="offline", prompt="consent").finish()


def test_granted_scopes_are_included_only_when_asked_for(google: SandboxProvider):
    SignIn(google, scopes=(*SIGN_IN, GMAIL_READ)).finish()
    assert GMAIL_READ not in SignIn(google).finish()["scope"]
    assert GMAIL_READ in SignIn(google, include_granted_scopes="true").finish()["scope"]


def test_a_login_hint_skips_the_choice_of_account(google: SandboxProvider):
    page = requests.get(SignIn(google, login_hint="sam@example.test").url, timeout=10).text
    assert "wants access" in page and "sam@example.test" in page


def test_prompt_none_needs_an_earlier_consent(google: SandboxProvider):
    refused = requests.get(SignIn(google, prompt="none", login_hint=CAMILLE).url, timeout=10, allow_redirects=False)
    assert "error=interaction_required" in refused.headers["location"]
    SignIn(google).finish()
    passed = requests.get(SignIn(google, prompt="none", login_hint=CAMILLE).url, timeout=10, allow_redirects=False)
    assert "code=" in passed.headers["location"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"redirect_uri": "https://elsewhere.example/"}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": ""}, "invalid_request"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"code_challenge": "abc", "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_wrong_request_shows_an_error_and_never_redirects(google: SandboxProvider, change: dict[str, str], error: str):
    answer = requests.get(SignIn(google, **change).url, timeout=10, allow_redirects=False)
    assert answer.status_code == 400
    assert error in answer.text


def test_registered_redirect_addresses_are_the_only_ones(google: SandboxProvider, sandbox: SandboxServer):
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [REDIRECT_URI]}
    sandbox.control("POST", "clients", client)
    assert requests.get(SignIn(google).url, timeout=10).status_code == 200
    other = SignIn(google, redirect_uri="http://localhost:9000/")
    assert requests.get(other.url, timeout=10).status_code == 400


def test_http_basic_names_the_client_too(google: SandboxProvider):
    sign_in = SignIn(google)
    form = {
        "grant_type": "authorization_code",
        "code": sign_in.come_back()["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": sign_in.verifier,
    }
    answer = requests.post(sign_in.endpoints["token_endpoint"], form, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10)
    assert answer.status_code == 200
    wrong = requests.post(sign_in.endpoints["token_endpoint"], form, auth=(CLIENT_ID, "wrong"), timeout=10)
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def test_a_missing_verifier_is_refused(google: SandboxProvider):
    sign_in = SignIn(google)
    answer = sign_in.exchange(sign_in.come_back()["code"], verifier="")
    assert answer.json() == {"error": "invalid_grant", "error_description": "Missing code verifier."}


def test_revoking_the_access_token_ends_the_refresh_token_too(google: SandboxProvider):
    tokens = tokens_for(google, GMAIL_READ)
    assert requests.post(f"{google.url}/revoke", {"token": tokens["access_token"]}, timeout=10).status_code == 200
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    answer = requests.post(f"{google.url}/token", form, timeout=10)
    assert answer.json() == {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
    assert requests.post(f"{google.url}/revoke", {"token": "unknown"}, timeout=10).json()["error"] == "invalid_token"


def test_access_tokens_expire_and_can_be_made_to(sandbox: SandboxServer, gmail_get: Callable[..., requests.Response]):
    assert gmail_get("profile").status_code == 200
    assert sandbox.control("POST", "tokens/expire", {"email": CAMILLE}) == {"expired": 1}
    refused = gmail_get("profile")
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    short = sandbox.control("POST", "grant", {"lifetime": 0})
    headers = {"Authorization": f"Bearer {short['access_token']}"}
    assert requests.get(f"{sandbox.url}/v1/userinfo", headers=headers, timeout=10).status_code == 401


def test_the_lifetime_of_tokens_can_be_set(google: SandboxProvider, sandbox: SandboxServer):
    sandbox.control("POST", "token-lifetime", {"seconds": 120})
    assert SignIn(google).finish()["expires_in"] == 120


def test_control_can_answer_an_authorization_url(google: SandboxProvider, sandbox: SandboxServer):
    sign_in = SignIn(google, scopes=(*SIGN_IN, GMAIL_READ))
    partial = sandbox.control("POST", "authorize", {"url": sign_in.url, "email": CAMILLE, "scopes": []})["redirect"]
    assert partial.startswith(REDIRECT_URI) and "gmail.readonly" not in partial
    denied = sandbox.control("POST", "authorize", {"url": sign_in.url, "deny": True})["redirect"]
    assert "error=access_denied" in denied


DEFECTS = {
    "bad_signature": jwt.InvalidSignatureError,
    "unknown_key": jwt.PyJWKClientError,
    "alg_none": jwt.PyJWTError,
    "wrong_audience": jwt.InvalidAudienceError,
    "wrong_issuer": jwt.InvalidIssuerError,
    "expired": jwt.ExpiredSignatureError,
}


def verified(google: SandboxProvider, sign_in: SignIn) -> dict[str, object]:
    token = sign_in.finish()["id_token"]
    key = jwt.PyJWKClient(sign_in.endpoints["jwks_uri"]).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT_ID, issuer=google.url)


@pytest.mark.parametrize(("defect", "error"), DEFECTS.items())
def test_a_defective_id_token_does_not_verify(google: SandboxProvider, sandbox: SandboxServer, defect: str, error: type[Exception]):
    sandbox.control("POST", "id-token", {"defect": defect, "count": 1})
    with pytest.raises(error):
        verified(google, SignIn(google))
    assert verified(google, SignIn(google))["email"] == CAMILLE


def test_claims_of_an_id_token_can_be_spoiled(google: SandboxProvider, sandbox: SandboxServer):
    sandbox.control("POST", "id-token", {"defect": "email_unverified"})
    assert verified(google, SignIn(google))["email_verified"] is False
    sandbox.control("POST", "id-token", {"defect": "wrong_nonce"})
    sign_in = SignIn(google)
    assert verified(google, sign_in)["nonce"] != sign_in.nonce
    sandbox.control("POST", "id-token", {"claims": {"email": "other@example.test"}})
    assert verified(google, SignIn(google))["email"] == "other@example.test"


def test_the_pages_escape_what_a_client_sends(google: SandboxProvider):
    page = requests.get(SignIn(google, redirect_uri="https://x.example/<script>alert(1)</script>").url, timeout=10)
    assert "<script>" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_id_token_and_access_token_belong_together(google: SandboxProvider):
    tokens = SignIn(google).finish()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    digest = jwt.get_algorithm_by_name("RS256").compute_hash_digest(tokens["access_token"].encode())
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
