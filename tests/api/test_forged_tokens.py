"""A token that we did not make, or not for this, opens nothing (R-046)."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts.services import tokens
from tests.accounts.people import make_user
from tests.api.caller import Caller, with_key, with_token

pytestmark = pytest.mark.django_db


def parts(access: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(access), jwt.decode(access, options={"verify_signature": False})


def bearer(access: str) -> int:
    return Caller({"Authorization": f"Bearer {access}"}).get("/api/v1/me").status_code


def raw_token(header: dict[str, Any], claims: dict[str, Any], key: bytes = b"", digest: Any = hashlib.sha256) -> str:
    """Signed by hand: a library refuses to make some of these."""
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    signature = hmac.new(key, text.encode(), digest).digest() if key else b""
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.fixture
def access() -> str:
    return with_token(make_user()).headers["Authorization"].removeprefix("Bearer ")


def our_key() -> bytes:
    return tokens._keys()[0][1]


def test_the_token_itself_is_good(access):
    assert bearer(access) == 200
    header, claims = parts(access)
    assert header["alg"] == "HS256" and set(tokens.CLAIMS) <= set(claims) and claims["exp"] - claims["iat"] == 1800
    assert raw_token(header, claims, our_key()).count(".") == 2 and bearer(raw_token(header, claims, our_key())) == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_no_signature_is_no_token(access, algorithm):
    header, claims = parts(access)
    assert bearer(raw_token(header | {"alg": algorithm}, claims)) == 401
    assert bearer(raw_token(header | {"alg": algorithm}, claims, our_key())) == 401


def test_another_algorithm_is_not_ours(access):
    header, claims = parts(access)
    rsa_key = rsa.generate_private_key(65537, 2048)
    ed_key = ed25519.Ed25519PrivateKey.generate()
    for algorithm, key in (("RS256", rsa_key), ("EdDSA", ed_key)):
        assert bearer(jwt.encode(claims, key, algorithm=algorithm, headers={"kid": header["kid"]})) == 401
    public = rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert bearer(raw_token(header, claims, public)) == 401  # HMAC by somebody's public key
    assert bearer(raw_token(header | {"alg": "HS512"}, claims, our_key(), hashlib.sha512)) == 401
    assert bearer(raw_token(header | {"alg": "RS256"}, claims, our_key())) == 401


@pytest.mark.parametrize("key", [b"secret", b"\0" * 32, b"tests-only-"])
def test_another_key_is_not_ours(access, key):
    header, claims = parts(access)
    assert bearer(raw_token(header, claims, key)) == 401


@pytest.mark.parametrize("kid", [None, "", "0000000000000000", "../../dev/null", ["x"], {"a": 1}, 7])
def test_the_key_is_found_in_our_own_table_only(access, kid):
    header, claims = parts(access)
    assert bearer(raw_token(header | {"kid": kid}, claims, our_key())) == 401
    inline = {"kty": "oct", "k": base64.urlsafe_b64encode(b"mine" * 8).decode()}
    assert bearer(raw_token(header | {"kid": kid, "jwk": inline, "jku": "https://evil.example/jwks"}, claims, b"mine" * 8)) == 401


SOMEBODY = "48cd7c35-919c-4294-9c5d-70d77d5a1423"
# Of a claim that is an instant: seconds from now.
CHANGES: list[dict[str, Any]] = [
    {"sub": SOMEBODY}, {"sub": "admin"}, {"sub": None},
    {"sid": "18237ea3-cb32-46bd-a61f-c274fd8ac7ec"}, {"sid": "' OR 1=1"}, {"sid": 1},
    {"typ": "refresh"}, {"typ": None}, {"aud": "another"}, {"aud": ["another"]}, {"iss": "https://evil.example"}, {"iss": None},
    {"exp": -1}, {"exp": "tomorrow"}, {"exp": None}, {"nbf": 6000}, {"iat": None}, {"jti": None},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_edited_claims_are_refused_even_when_our_key_signed_them(access, change):
    header, claims = parts(access)
    change = {
        name: int(time.time()) + value if name in {"exp", "nbf"} and isinstance(value, int) else value for name, value in change.items()
    }
    edited = {name: value for name, value in (claims | change).items() if value is not None}
    assert bearer(raw_token(header, edited, our_key())) == 401


def test_the_same_claims_with_another_signature_are_refused(access):
    head, claims, signature = access.split(".")
    other = base64.urlsafe_b64encode(json.dumps(parts(access)[1] | {"sub": SOMEBODY}).encode()).rstrip(b"=").decode()
    assert bearer(f"{head}.{other}.{signature}") == 401 and bearer(f"{head}.{claims}.") == 401 and bearer(f"{head}.{claims}") == 401


def test_anothers_session_does_not_fit_ones_own_name():
    mine, theirs = (with_token(make_user()).headers["Authorization"].removeprefix("Bearer ") for _ in range(2))
    header, claims = parts(mine)
    assert bearer(raw_token(header, claims | {"sid": parts(theirs)[1]["sid"]}, our_key())) == 401


def test_a_refresh_token_is_no_access_token_and_the_other_way_round(access):
    caller = with_token(make_user())
    assert bearer(caller.refresh_token) == 401
    assert Caller().post("/api/auth/refresh", {"refresh_token": access}).status_code == 400  # far too long for one
    assert Caller().post("/api/auth/refresh", {"refresh_token": access[:100]}).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x.y.z", "Bearer " + "a" * 3000, "Bearer é", "Token x"])
def test_headers_that_make_no_sense_are_401(header):
    answer = Caller({"Authorization": header}).get("/api/v1/me")
    assert answer.status_code == 401 and answer.body["code"] == "token_invalid"


def test_a_token_and_a_key_at_once_are_refused(access):
    machine = with_key(make_user())
    answer = Caller({"Authorization": f"Bearer {access}"} | machine.headers).get("/api/v1/me")
    assert answer.status_code == 401 and answer.body["code"] == "two_credentials"


def test_a_rotated_secret_key_still_opens_old_tokens_until_it_is_dropped(settings, access):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "tests-only-" + "q7" * 24, [settings.SECRET_KEY]
    assert bearer(access) == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert bearer(access) == 401


def test_the_secret_key_itself_signs_nothing(settings, access):
    header, claims = parts(access)
    assert bearer(raw_token(header, claims, settings.SECRET_KEY.encode())) == 401


def test_guessing_tokens_is_counted_by_address():
    answers = [Caller({"Authorization": "Bearer x.y.z"}).get("/api/v1/me") for _ in range(101)]
    assert [answer.status_code for answer in answers[-2:]] == [401, 429] and int(answers[-1].headers["Retry-After"]) <= 60
