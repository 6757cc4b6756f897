"""What Django and allauth tell us about sign-ins, turned into session times and activity."""

import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import (
    email_added,
    email_changed,
    email_confirmed,
    email_removed,
    password_changed,
    password_reset,
    password_set,
)
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.models import User
from accounts.services import developers, users
from audit.services import record


def make_dev_user(**_kwargs: Any) -> None:
    """After every `migrate`, where the configuration asks for it (R-103)."""
    if settings.CREATE_DEV_USER and User._meta.db_table in connection.introspection.table_names():
        developers.create_dev_user()


@receiver(user_logged_in)
def start_session(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    request.session["started_at"] = request.session["seen_at"] = int(time.time())
    request.session["language"] = user.language
    record("user.login", user, actor=user, request=request)


@receiver(user_logged_out)
def end_session(request: HttpRequest, user: User | None, **_kwargs: Any) -> None:
    if user is not None:
        record("user.logout", user, actor=user, request=request)


@receiver(password_changed)
@receiver(password_set)
def note_password_changed(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("password.changed", user, actor=user, request=request)


@receiver(password_reset)
def note_password_reset(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    record("password.reset", user, actor=user, request=request)
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
