"""Whether an account may come in at all, now, here. Asked on every request by every channel."""

from django.conf import settings

from accounts.models import User
from accounts.roles import Role
from accounts.services import developers


def may_enter(user: User) -> bool:
    """Active, not on the way to erasure, and not a developer whom production does not admit at this moment."""
    return user.is_active and user.erasure_requested_at is None and (user.role != Role.DEVELOPER or developers.admitted())


def developer_on_record(user: User) -> bool:
    """Whether every request of this person is put on record: a developer in production."""
    return user.role == Role.DEVELOPER and settings.ENVIRONMENT == "production"
