"""People for tests."""

import itertools
import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.test import Client

from accounts import second_factor as factors
from accounts.models import User
from accounts.roles import Role
from accounts.services import studios

PASSWORD = "Correct-Horse-7"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_numbers = itertools.count(1)


def make_user(
    *,
    email: str = "",
    name: str = "Camille Morel",
    role: str = Role.MEMBER,
    password: str = "",
    second_factor: bool | None = None,
    **fields: Any,
) -> User:
    """An account with a verified address and a studio; without `password` it has none (hashing costs a quarter second).

    Roles that may do nothing without a second factor have one unless told otherwise.
    """
    user = User(email=email or f"person{next(_numbers)}@example.test", name=name, **fields)
    if password:
        user.set_password(password)
    else:
        user.set_unusable_password()
    user.save(force_insert=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    studios.create_organization(user)
    if role != Role.MEMBER:
        user.role = role
        user.save(update_fields=["role"])
    if factors.required_for(user) if second_factor is None else second_factor:
        add_totp(user)
    return user


def add_totp(user: User) -> Authenticator:
    """Give an account an authenticator app; `totp_code()` is what it shows."""
    with factors.sealed_for(user):
        return TOTP.activate(user, SEED).instance


def totp_code(*, at: float | None = None) -> str:
    """What the authenticator app of every account in tests shows at an instant, by default now and for some seconds more."""
    if at is None and (left := 30 - time.time() % 30) < 5:
        time.sleep(left)
    return format_hotp_value(hotp_value(SEED, int(time.time() if at is None else at) // 30))


def step_up(client: Client, user: User) -> None:
    """As if the person signed in at this client had just confirmed who they are."""
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
