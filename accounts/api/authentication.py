"""Who calls: a token of a log-in, or a key. Cookies are never looked at (`aaperture.lib.api.cookies` takes them away)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts import second_factor
from accounts.access import may_enter
from accounts.models import ApiKey, ApiSession, User
from accounts.services import api_keys, tokens

CHALLENGE = 'Bearer realm="api"'


def _require_second_factor(user: User) -> None:
    """Who must have one may do nothing without, with no token or key from before either."""
    if second_factor.required_for(user) and not second_factor.has_second_factor(user):
        raise PermissionDenied("Set up a second factor on the site first.", code="mfa_enrolment_required")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`; `request.auth` is the ApiSession."""

    def authenticate(self, request: Request) -> tuple[User, ApiSession] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, access = header.partition(" ")
        if "X-API-Key" in request.headers:
            raise AuthenticationFailed("Send a token or a key, not both.", code="two_credentials")
        if scheme.lower() != "bearer" or not access:
            raise AuthenticationFailed("Send the header as: Authorization: Bearer <token>", code="token_invalid")
        try:
            session = tokens.session_of(access)
        except tokens.TokenInvalid:
            raise AuthenticationFailed("The token is not valid, or no longer.", code="token_invalid") from None
        _require_second_factor(session.user)
        inner: Any = request._request
        inner.api_session, inner.credential, inner.credential_id = session, "token", str(session.pk)
        return session.user, session

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class KeyAuthentication(BaseAuthentication):
    """`X-API-Key: aap_live_…`; `request.auth` is the ApiKey."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        raw = request.headers.get("X-API-Key")
        if raw is None:
            return None
        key = api_keys.find(raw)
        if key is None or not may_enter(key.user):
            raise AuthenticationFailed("The key is not valid, or no longer.", code="key_invalid")
        _require_second_factor(key.user)
        api_keys.note_use(key)
        inner: Any = request._request
        inner.api_key, inner.credential, inner.credential_id = key, "api_key", str(key.pk)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class _TokenScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `/api/auth/login`, for 30 minutes."}


class _KeyScheme(OpenApiAuthenticationExtension):
    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Critical calls must be signed, see docs/api.md."}
