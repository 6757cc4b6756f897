"""What Django and allauth tell us about sign-ins, turned into session times and activity."""

import time
from typing import Any

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.account.signals import (
    authentication_step_completed,
    email_added,
    email_changed,
    email_confirmed,
    email_removed,
    password_changed,
    password_reset,
    password_set,
)
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest

from aaperture.lib.client_address import client_address
from aaperture.lib.nudge import nudge
from accounts import lockout, second_factor
from accounts.models import User
from accounts.services import developers, sessions, users
from accounts.tasks import tell_of_new_program
from audit.services import record


def make_dev_user(**_kwargs: Any) -> None:
    """After every `migrate`, where the configuration asks for it."""
    if settings.CREATE_DEV_USER and User._meta.db_table in connection.introspection.table_names():
        developers.create_dev_user()


def _way(step: dict[str, Any]) -> str:
    """password, google, webauthn, totp, recovery_codes: by what somebody proved who they are."""
    return str(step.get("type") or step.get("provider") or step.get("method", ""))[:20]


@receiver(user_logged_in)
def start_session(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    session = request.session
    session["started_at"] = session["seen_at"] = int(time.time())
    session["language"] = user.language
    ways = [_way(step) for step in session.get(AUTHENTICATION_METHODS_SESSION_KEY, [])]
    agent = request.headers.get("User-Agent", "")
    session.starts(way=ways[0] if ways else "", address=client_address(request), agent=agent)  # type: ignore[attr-defined]  # our own session engine
    record("user.login", user, actor=user, request=request, method="+".join(ways))
    nudge(tell_of_new_program, user.pk)


@receiver(user_logged_out)
def end_session(request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record("user.logout", user, actor=user, request=request)


@receiver(password_changed)
@receiver(password_set)
def note_password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("password.changed", user, actor=user, request=request)
    sessions.end_all(user, keep_session_key=request.session.session_key or "", actor=user, request=request, reason="password_changed")


@receiver(password_reset)
def note_password_reset(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("password.reset", user, actor=user, request=request)
    sessions.end_all(user, actor=user, request=request, reason="password_reset")
    lockout.unlock(lockout.name_of(user))  # whoever reads the account's mail is not the one who was guessing
    if user.last_login is None:  # the first password of an account made by staff: the mailed link proves the address
        EmailAddress.objects.filter(user=user, email__iexact=user.email).update(verified=True)


@receiver(email_added)
@receiver(email_changed)
@receiver(email_removed)
def note_addresses_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("user.updated", user, actor=user, request=request, fields=["email"])


@receiver(email_confirmed)
def note_email_verified(request: HttpRequest, email_address: Any, **_kwargs: Any) -> None:
    record("user.email.verified", email_address.user, actor=email_address.user, request=request)
    users.discard_unconfirmed([email_address.email], request=request)


@receiver(social_account_added)
def note_identity_connected(request: HttpRequest, sociallogin: Any, **_kwargs: Any) -> None:
    record("identity.connected", sociallogin.user, actor=sociallogin.user, request=request, provider=sociallogin.account.provider)


@receiver(social_account_removed)
def note_identity_disconnected(request: HttpRequest, socialaccount: Any, **_kwargs: Any) -> None:
    record("identity.disconnected", socialaccount.user, request=request, provider=socialaccount.provider)


@receiver(authenticator_added)
def note_factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    if authenticator.type == Authenticator.Type.TOTP:
        second_factor.spend_enrolment_code(authenticator)
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        record("recovery_codes.generated", user, actor=user, request=request)
    else:
        record("second_factor.added", user, actor=user, request=request, kind=authenticator.type)


@receiver(authenticator_removed)
def note_factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    record("second_factor.removed", user, actor=user, request=request, kind=authenticator.type)


@receiver(authenticator_reset)
def note_codes_generated(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("recovery_codes.generated", user, actor=user, request=request)


@receiver(authentication_step_completed)
def note_step_up(request: HttpRequest, user: User, method: str, **details: Any) -> None:
    if details.get("reauthenticated"):
        record("step_up.done", user, actor=user, request=request, method=str(details.get("type") or method))
