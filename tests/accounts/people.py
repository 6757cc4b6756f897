"""People for tests."""

import itertools
from typing import Any

from allauth.account.models import EmailAddress

from accounts.models import User
from accounts.roles import Role
from accounts.services import studios

PASSWORD = "Correct-Horse-7"
_numbers = itertools.count(1)


def make_user(*, email: str = "", name: str = "Camille Morel", role: str = Role.MEMBER, password: str = "", **fields: Any) -> User:
    """An account with a verified address and a studio; without `password` it has none (hashing costs a quarter second)."""
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
    return user
