"""Google's OAuth 2.0 for reading mail and for a calendar: grants of their own, apart from signing in and from each other.

Every endpoint comes from the issuer's discovery document. Nothing here touches the database; tokens go in
and out as values and appear in no message, log or repr.
"""

import base64
import hashlib
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import requests
from django.conf import settings
from django.utils import timezone

from integrations.errors import IdTokenInvalid, OAuthRefused, OAuthUnavailable

GMAIL_READONLY = "https://www.googleapis.com/auth/gmail.readonly"
GMAIL_SCOPES = ("openid", "email", GMAIL_READONLY)
CALENDAR = "https://www.googleapis.com/auth/calendar"
CALENDAR_OWN = CALENDAR + ".app.created"  # one calendar that we make, and nothing in the others
CALENDAR_LIST = CALENDAR + ".calendarlist.readonly"  # Google lets nobody find a calendar again without it
CALENDAR_FREE_BUSY = CALENDAR + ".freebusy"
CALENDAR_SCOPES = ("openid", "email", CALENDAR_OWN, CALENDAR_LIST, CALENDAR_FREE_BUSY)
TIMEOUT = (5, 15)
DOCUMENTS_KEPT = 3600
CLOCK_SKEW = 60


@dataclass(frozen=True)
class TokenAnswer:
    """What the token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Identity:
    """Whose Google account it is, from a verified id_token."""

    subject: str
    email: str


def require_tls(url: str) -> str:
    """`url`, which is https, or plain http in development and test only; else OAuthUnavailable."""
    plain_allowed = settings.ENVIRONMENT in ("development", "test")
    if urlsplit(url).scheme != "https" and not (plain_allowed and urlsplit(url).scheme == "http"):
        raise OAuthUnavailable("tls_required")
    return url


def _send(method: str, url: str, **options: Any) -> requests.Response:
    """One request without redirects, environment proxies or netrc."""
    with requests.Session() as http:
        http.trust_env = False
        try:
            return http.request(method, require_tls(url), timeout=TIMEOUT, allow_redirects=False, **options)
        except requests.RequestException:
            raise OAuthUnavailable from None


class _Documents:
    """The discovery document and the signing keys, kept for an hour per process."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, dict]] = {}
        self._lock = Lock()

    def get(self, url: str, *, newer_than: float = 0) -> dict:
        with self._lock:
            fetched_at, document = self._kept.get(url, (0.0, {}))
        if document and time.monotonic() - fetched_at < DOCUMENTS_KEPT and fetched_at >= newer_than:
            return document
        answer = _send("GET", url)
        if answer.status_code != 200:
            raise OAuthUnavailable
        try:
            document = answer.json()
        except ValueError:
            raise OAuthUnavailable from None
        with self._lock:
            self._kept[url] = (time.monotonic(), document)
        return document

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


documents = _Documents()


def endpoint(name: str) -> str:
    """One endpoint of the issuer, such as `token_endpoint`."""
    discovery = documents.get(f"{settings.GOOGLE_ISSUER.rstrip('/')}/.well-known/openid-configuration")
    try:
        return require_tls(discovery[name])
    except KeyError:
        raise OAuthUnavailable("discovery_incomplete") from None


def code_challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorization_url(
    *, redirect_uri: str, state: str, nonce: str, verifier: str, keep: bool, login_hint: str = "", scopes: tuple[str, ...] = GMAIL_SCOPES
) -> str:
    """Where the browser goes to grant `scopes`; `keep` asks for a refresh token."""
    query = {
        "client_id": settings.GOOGLE_CLIENT_ID,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": " ".join(scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": code_challenge(verifier),
        "code_challenge_method": "S256",
        "access_type": "offline" if keep else "online",
        "prompt": "consent",
    }
    if login_hint:
        query["login_hint"] = login_hint
    return f"{endpoint('authorization_endpoint')}?{urlencode(query)}"


def _token_request(form: dict[str, str]) -> TokenAnswer:
    """Raises OAuthRefused when Google refuses for good, OAuthUnavailable for everything that may pass."""
    secret = {"client_id": settings.GOOGLE_CLIENT_ID, "client_secret": settings.GOOGLE_CLIENT_SECRET}
    answer = _send("POST", endpoint("token_endpoint"), data={**form, **secret})
    try:
        values = answer.json()
    except ValueError:
        raise OAuthUnavailable from None
    if answer.status_code != 200:
        code = str(values.get("error", "")) if isinstance(values, dict) else ""
        if answer.status_code < 500 and code in ("invalid_grant", "unauthorized_client", "access_denied"):
            raise OAuthRefused(code)
        raise OAuthUnavailable(code[:64] if code == "invalid_client" else "")
    if not values.get("access_token"):
        raise OAuthUnavailable
    return TokenAnswer(
        access_token=values["access_token"],
        refresh_token=values.get("refresh_token", ""),
        id_token=values.get("id_token", ""),
        expires_at=timezone.now() + timedelta(seconds=int(values.get("expires_in", 3600))),
        scopes=tuple(values.get("scope", "").split()),
    )


def exchange_code(*, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
    return _token_request({"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect_uri})


def refresh(refresh_token: str) -> TokenAnswer:
    return _token_request({"grant_type": "refresh_token", "refresh_token": refresh_token})


def revoke(token: str) -> bool:
    """Withdraw a grant; True when Google confirmed, or knew the token no more."""
    answer = _send("POST", endpoint("revocation_endpoint"), data={"token": token})
    return answer.status_code in (200, 400)


def _signing_key(id_token: str) -> jwt.PyJWK:
    """The issuer's key that signed; fetched anew once when the key id is unknown."""
    try:
        kid = jwt.get_unverified_header(id_token).get("kid")
    except jwt.PyJWTError:
        raise IdTokenInvalid("id_token_malformed") from None
    uri, started = endpoint("jwks_uri"), time.monotonic()
    for newer_than in (0.0, started):
        keys = documents.get(uri, newer_than=newer_than)
        for key in keys.get("keys", []):
            if key.get("kid") == kid and key.get("kty") == "RSA":
                return jwt.PyJWK(key, algorithm="RS256")
    raise IdTokenInvalid("id_token_unknown_key")


def verify_id_token(id_token: str, *, nonce: str) -> Identity:
    """Whose account it is; raises IdTokenInvalid naming the first check that failed."""
    if not id_token:
        raise IdTokenInvalid("id_token_missing")
    issuer = settings.GOOGLE_ISSUER.rstrip("/")
    try:
        claims = jwt.decode(
            id_token,
            _signing_key(id_token),
            algorithms=["RS256"],
            audience=settings.GOOGLE_CLIENT_ID,
            issuer=[issuer, issuer.removeprefix("https://")],
            leeway=CLOCK_SKEW,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )
    except jwt.PyJWTError as error:
        raise IdTokenInvalid(f"id_token_{type(error).__name__}"[:64]) from None
    if claims.get("nonce") != nonce:
        raise IdTokenInvalid("id_token_nonce")
    if "azp" in claims and claims["azp"] != settings.GOOGLE_CLIENT_ID:
        raise IdTokenInvalid("id_token_azp")
    if not claims.get("email") or claims.get("email_verified") is not True:
        raise IdTokenInvalid("id_token_email_unverified")
    return Identity(subject=str(claims["sub"]), email=str(claims["email"]))
