"""Step-up: sensitive operations want a password or code given within the last ten minutes, on every channel.

A sign-in alone is no step-up, except for accounts that know neither password nor second factor (Google only): they sign in
again. An API key never satisfies it.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User

WINDOW = 600  # seconds
P = ParamSpec("P")
R = TypeVar("R")


class StepUpRequired(Exception):
    """The operation wants a fresh proof first. Pages lead to it, the API says `step_up_required`."""


def is_recent(request: Any) -> bool:
    """Whether this request's session proved who it is within the window."""
    if getattr(request, "credential", "") == "api_key" or not request.user.is_authenticated:
        return False
    if (session := getattr(request, "api_session", None)) is not None:
        return session.stepped_up_at is not None and (timezone.now() - session.stepped_up_at).total_seconds() < WINDOW
    return time.time() - _proved_at(request) < WINDOW


def _proved_at(request: Any) -> float:
    user = cast("User", request.user)
    session = getattr(request, "session", None)
    if session is None:
        return 0.0
    if not get_reauthentication_flows(user):
        return float(session.get("started_at", 0))
    proofs = [step for step in get_authentication_records(request, user) if step.get("reauthenticated")]
    return float(proofs[-1]["at"]) if proofs else 0.0


def require(request: Any) -> None:
    """Raises StepUpRequired unless `is_recent()`."""
    if not is_recent(request):
        raise StepUpRequired


def step_up_required(view: Callable[P, R]) -> Callable[P, R]:
    """For views: asks before anything of the view runs."""

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        request = next(argument for argument in args if isinstance(argument, HttpRequest) or hasattr(argument, "_request"))
        require(request)
        return view(*args, **kwargs)

    return wrapped
