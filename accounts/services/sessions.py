"""Ending sessions: one, or all of a person's; each is out on its next request."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import ended_sessions
from accounts.models import ApiSession, Session, User
from audit.services import record


@transaction.atomic
def end_session(session: Session | ApiSession, *, actor: User | None, request: HttpRequest | None = None, reason: str = "ended") -> None:
    """End one browser or API session at once; its own log-out is not this, but somebody's decision."""
    user = session.user
    if isinstance(session, ApiSession):
        live = ApiSession.objects.filter(pk=session.pk, ended_at=None)
        ended = live.update(ended_at=timezone.now(), end_reason=reason)
    else:
        ended, _ = Session.objects.filter(pk=session.pk).delete()
        ended_sessions.remember([session.pk], _why(user, actor, reason))
    if ended:
        kind = "api" if isinstance(session, ApiSession) else "web"
        record("session.ended", user, actor=actor, request=request, kind=kind, reason=reason, count=1)


def _why(user: User | None, actor: User | None, reason: str) -> str:
    """What the browser that is signed out will be told; nothing by whoever closed their account in it."""
    if reason == "erasure":
        return ""
    if reason.startswith("password"):
        return ended_sessions.PASSWORD
    own = user is not None and actor is not None and actor.pk == user.pk
    return ended_sessions.ELSEWHERE if own else ended_sessions.STAFF


@transaction.atomic
def end_all(
    user: User,
    *,
    keep_session_key: str = "",
    keep_api_session: UUID | None = None,
    actor: User | None = None,
    request: HttpRequest | None = None,
    reason: str,
) -> int:
    """End every browser and API session of a person but the kept ones; returns how many there were."""
    browser = Session.objects.filter(user=user).exclude(session_key=keep_session_key)
    ended_sessions.remember(browser.values_list("pk", flat=True), _why(user, actor, reason))
    api = ApiSession.objects.filter(user=user, ended_at=None)
    if keep_api_session:
        api = api.exclude(pk=keep_api_session)
    ended = browser.delete()[0] + api.update(ended_at=timezone.now(), end_reason=reason)
    if ended:
        record("session.ended", user, actor=actor, request=request, kind="all", reason=reason, count=ended)
    return ended
