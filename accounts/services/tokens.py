"""Tokens of the API: short signed access tokens, and refresh tokens that are spent once.

An access token names its session; the session's row decides on every request, so ending it works at once.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from aaperture.lib.client_address import client_address
from aaperture.lib.uuid7 import uuid7
from accounts.access import may_enter
from accounts.models import ApiSession, RefreshToken, User
from audit.services import record

ALGORITHM, AUDIENCE, ACCESS = "HS256", "aaperture-api", "access"
CLAIMS = ["iss", "aud", "exp", "iat", "nbf", "sub", "jti", "sid", "typ"]
LONGEST_TOKEN = 2_000
SEEN_EVERY = timedelta(minutes=1)
LONGEST_AGENT = 400
KEPT_FOR = timedelta(days=30)  # after its end, to notice that a token comes back and to show where somebody was signed in


class TokenInvalid(Exception):
    """Not one of ours, expired, or of a session that has ended; which of them is nobody's business."""


@dataclass(frozen=True)
class Tokens:
    """What a client gets, once: neither is stored here in clear."""

    access: str
    refresh: str
    session: ApiSession

    def __repr__(self) -> str:
        return f"Tokens(session={self.session.pk})"


def open_session(user: User, request: HttpRequest, *, second_factor: bool) -> Tokens:
    """Start a session of the API for somebody who has just proved who they are.

    Raises TokenInvalid where the password was changed meanwhile: that ended every session, and this one may not outlive it.
    """
    now = timezone.now()
    with transaction.atomic():
        if User.objects.select_for_update(no_key=True).get(pk=user.pk).password != user.password:
            raise TokenInvalid
        session = ApiSession(user=user, expires_at=now + settings.API_REFRESH_LIFETIME, second_factor=second_factor, created_at=now)
        session.seen_at = now
        session.address, session.agent = client_address(request), request.headers.get("User-Agent", "")[:LONGEST_AGENT]
        session.save(force_insert=True)
        User.objects.filter(pk=user.pk).update(last_login=now)
        record("user.login", user, actor=user, request=request, method="api", second_factor=second_factor)
        return Tokens(_access(session, now), _new_refresh(session), session)


def refresh(raw: str, request: HttpRequest) -> Tokens:
    """Spend a refresh token for a new pair: one conditional update decides who does, when several try at once.

    One that was spent before ends the whole session: either the client or a thief holds a copy. Raises TokenInvalid.
    """
    found = RefreshToken.objects.select_related("session__user").filter(token_hash=_digest(raw)).first()
    if found is None:
        raise TokenInvalid
    now, session = timezone.now(), found.session
    if session.ended_at is not None or session.expires_at <= now:
        raise TokenInvalid
    with transaction.atomic():
        won = RefreshToken.objects.filter(pk=found.pk, used_at=None).update(used_at=now)
        if won and may_enter(session.user):
            return Tokens(_access(session, now), _new_refresh(session), session)
        if not won:
            end(session, "reuse")
            record("token.reuse_detected", session, actor=session.user, request=request)
    raise TokenInvalid


def session_of(access: str) -> ApiSession:
    """The open session that an access token belongs to, with its user read afresh: one query. Raises TokenInvalid."""
    claims = _claims(access)
    now = timezone.now()
    try:
        pk, user_pk = UUID(claims["sid"]), UUID(claims["sub"])
    except (ValueError, TypeError, AttributeError):
        raise TokenInvalid from None
    rows = ApiSession.objects.select_related("user").defer("address", "agent")
    session = rows.filter(pk=pk, user_id=user_pk, ended_at=None, expires_at__gt=now).first()
    if session is None or not may_enter(session.user):
        raise TokenInvalid
    if now - session.seen_at >= SEEN_EVERY:
        ApiSession.objects.filter(pk=pk, seen_at__lt=now - SEEN_EVERY).update(seen_at=now)
    return session


def end(session: ApiSession, reason: str) -> bool:
    """End a session, and with it every token that descends from it; False when it had ended before."""
    return bool(ApiSession.objects.filter(pk=session.pk, ended_at=None).update(ended_at=timezone.now(), end_reason=reason))


def forget_old(*, now: datetime) -> int:
    """Delete sessions whose time was up a month ago, with their spent tokens; returns how many."""
    return ApiSession.objects.filter(expires_at__lt=now - KEPT_FOR).delete()[1].get("accounts.ApiSession", 0)


def log_out(session: ApiSession, *, request: HttpRequest) -> None:
    """Its owner goes: ends the session and says so in the log."""
    with transaction.atomic():
        if end(session, "logout"):
            record("user.logout", session.user, actor=session.user, request=request)


def step_up(session: ApiSession) -> None:
    """Whoever holds this session has just proved again who they are."""
    ApiSession.objects.filter(pk=session.pk, ended_at=None).update(stepped_up_at=timezone.now())


def lifetime(session: ApiSession) -> int:
    """Seconds that an access token issued now lives."""
    left = (session.expires_at - timezone.now()).total_seconds()
    return max(0, int(min(settings.API_ACCESS_LIFETIME.total_seconds(), left)))


def _access(session: ApiSession, now: datetime) -> str:
    kid, key = _keys()[0]
    issued = int(now.timestamp())
    claims = {
        "iss": settings.PUBLIC_URL,
        "aud": AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.pk),
        "jti": str(uuid7()),
        "typ": ACCESS,
        "iat": issued,
        "nbf": issued,
        "exp": min(issued + int(settings.API_ACCESS_LIFETIME.total_seconds()), int(session.expires_at.timestamp())),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": kid})


def _claims(access: str) -> dict[str, Any]:
    """The claims of a token that one of our own keys signed, by the one algorithm we use. Raises TokenInvalid."""
    if len(access) > LONGEST_TOKEN:
        raise TokenInvalid
    try:
        kid = jwt.get_unverified_header(access).get("kid")
        key = dict(_keys()).get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenInvalid
        options: Any = {"require": CLAIMS, "verify_iat": False}  # `nbf` says the same and is checked
        claims = jwt.decode(access, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=settings.PUBLIC_URL, options=options)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenInvalid from None
    if claims["typ"] != ACCESS:
        raise TokenInvalid
    return claims


def _new_refresh(session: ApiSession) -> str:
    raw = secrets.token_urlsafe(32)
    RefreshToken.objects.create(session=session, token_hash=_digest(raw))
    return raw


def _digest(raw: str) -> bytes:
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).digest()


def _keys() -> list[tuple[str, bytes]]:
    """(kid, key) derived from `SECRET_KEY`, which signs, and from its fallbacks, which are still accepted."""
    texts = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [(_derived(text, b"kid").hex()[:16], _derived(text, b"key")) for text in texts]


def _derived(text: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"aaperture api access token " + purpose).derive(text.encode())
