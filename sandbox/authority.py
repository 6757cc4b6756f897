"""Who allowed what: consents, authorization codes, access and refresh tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field

CODE_LIFETIME = 600
SIGN_IN_SCOPES = {
    "openid": "openid",
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
    "https://www.googleapis.com/auth/userinfo.email": "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile": "https://www.googleapis.com/auth/userinfo.profile",
}


class OAuthError(Exception):
    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.error, self.description = status, error, description


class TokenError(Exception):
    """The bearer token is missing, unknown, expired or revoked."""


@dataclass
class Client:
    client_id: str
    secret: str
    name: str
    redirect_uris: list[str] = field(default_factory=list)  # empty: any address of this machine


@dataclass
class Consent:
    """What one account has allowed one client so far."""

    scopes: set[str] = field(default_factory=set)
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    client_id: str
    email: str
    scopes: frozenset[str]
    redirect_uri: str
    nonce: str
    challenge: str
    refreshable: bool
    expires_at: float


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, or (never expiring) a refresh token."""

    value: str
    client_id: str
    email: str
    scopes: frozenset[str]
    expires_at: float


@dataclass(frozen=True)
class Issued:
    access: Token
    refresh: Token | None
    nonce: str


class Authority:
    def __init__(self) -> None:
        self.lifetime = 3600
        self.clients = {"sandbox-client.apps.example": Client("sandbox-client.apps.example", "sandbox-secret", "Aaperture")}
        self.consents: dict[tuple[str, str], Consent] = {}
        self.codes: dict[str, Code] = {}
        self.access: dict[str, Token] = {}
        self.refresh: dict[str, Token] = {}

    def client(self, client_id: str, secret: str) -> Client:
        client = self.clients.get(client_id)
        if client is None:
            raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
        if not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise OAuthError(401, "invalid_client", "Unauthorized")
        return client

    def consent(self, client_id: str, email: str) -> Consent:
        return self.consents.setdefault((client_id, email), Consent())

    def issue_code(self, code: Code) -> str:
        value = "4/0A" + secrets.token_urlsafe(52)
        self.codes[value] = code
        return value

    def redeem(self, value: str, *, client_id: str, redirect_uri: str, verifier: str) -> Issued:
        """Trade a code for tokens, once. Every refusal is a typed OAuth error."""
        code = self.codes.pop(value, None)
        if code is None or code.client_id != client_id:
            raise OAuthError(400, "invalid_grant", "Malformed auth code.")
        if code.expires_at < time.time():
            raise OAuthError(400, "invalid_grant", "Bad Request")
        if code.redirect_uri != redirect_uri:
            raise OAuthError(400, "redirect_uri_mismatch", "Bad Request")
        if code.challenge and not verifier:
            raise OAuthError(400, "invalid_grant", "Missing code verifier.")
        if code.challenge and not hmac.compare_digest(s256(verifier), code.challenge):
            raise OAuthError(400, "invalid_grant", "Invalid code verifier.")
        access = self.issue_access(client_id, code.email, code.scopes)
        refresh = self.issue_refresh(client_id, code.email, code.scopes) if code.refreshable else None
        return Issued(access, refresh, code.nonce)

    def renew(self, value: str, *, client_id: str, scope: str = "") -> Issued:
        refresh = self.refresh.get(value)
        if refresh is None or refresh.client_id != client_id:
            raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
        wanted = canonical_scopes(scope)
        if not wanted <= refresh.scopes:
            raise OAuthError(400, "invalid_scope", "Some requested scopes were invalid.")
        return Issued(self.issue_access(client_id, refresh.email, wanted or refresh.scopes), None, "")

    def issue_access(self, client_id: str, email: str, scopes: frozenset[str], lifetime: float | None = None) -> Token:
        expires_at = time.time() + (self.lifetime if lifetime is None else lifetime)
        token = Token("ya29." + secrets.token_urlsafe(80), client_id, email, scopes, expires_at)
        self.access[token.value] = token
        return token

    def issue_refresh(self, client_id: str, email: str, scopes: frozenset[str]) -> Token:
        token = Token("1//0" + secrets.token_urlsafe(60), client_id, email, scopes, float("inf"))
        self.refresh[token.value] = token
        return token

    def bearer(self, authorization: str) -> Token:
        scheme, _, value = authorization.partition(" ")
        token = self.access.get(value.strip()) if scheme.lower() == "bearer" else None
        if token is None or token.expires_at < time.time():
            raise TokenError
        return token

    def revoke(self, value: str) -> bool:
        """End the whole consent behind an access or refresh token, as Google does; False when it is unknown."""
        token = self.access.get(value) or self.refresh.get(value)
        if token is None:
            return False
        self.revoke_account(token.email, client_id=token.client_id)
        return True

    def revoke_account(self, email: str | None, *, client_id: str | None = None) -> int:
        """Revoke every token and consent (of one account, of one client) and return how many tokens went."""

        def named(owner: str, client: str) -> bool:
            return email in (None, owner) and client_id in (None, client)

        count = 0
        for tokens in (self.access, self.refresh):
            for token in [t for t in tokens.values() if named(t.email, t.client_id)]:
                del tokens[token.value]
                count += 1
        for key in [key for key in self.consents if named(key[1], key[0])]:
            del self.consents[key]
        return count

    def expire_access(self, email: str | None) -> int:
        """Make access tokens expire now; refresh tokens keep working."""
        values = [t.value for t in self.access.values() if email in (None, t.email)]
        for value in values:
            del self.access[value]
        return len(values)


def s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def canonical_scopes(scope: str) -> frozenset[str]:
    """`openid email …` as Google writes it back: sign-in scopes under their long names."""
    return frozenset(SIGN_IN_SCOPES.get(name, name) for name in scope.split())
