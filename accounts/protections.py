"""Who may do what to whose account, beyond the matrix: levels, one's own account, administrators, the primary one.

One judge for every channel: services ask it inside their transaction, pages ask it which buttons to show.
"""

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_noop

from accounts.models import User
from accounts.roles import LEVELS, OPERATIONS, Role
from audit.services import record_after

DENIED = gettext_noop("Access denied")
DEVELOPER_ON_ADMIN = gettext_noop("Developer role cannot modify admin user")
DEVELOPER_RESETS = gettext_noop("Developer role cannot reset passwords")
ADMIN_PASSWORD = gettext_noop("Admin password can only be changed via Change Password")
OWN_ACCOUNT = gettext_noop("Nobody changes their own account here, only in their settings")
PRIMARY_ADMIN = gettext_noop("The primary administrator cannot be changed")
DELETES_ADMIN = gettext_noop("An administrator cannot be deleted, only demoted or deactivated")
LEVEL = gettext_noop("Only accounts of a lower level can be changed")
GRANT = gettext_noop("Nobody grants a role at or above their own")
LAST_ADMIN = gettext_noop("The last active administrator stays")
DOCUMENTS = gettext_noop("Their studio has quotes, contracts or invoices, some of which the law wants kept: ask for an erasure instead")
LAST_OWNER = gettext_noop("They are the last owner of a studio with other members: somebody else must own it first")
INACTIVE = gettext_noop("The account is not active")
GONE = gettext_noop("This account no longer exists")

AMONG_ADMINS = frozenset({"edit", "change_role", "activate_deactivate"})  # what one administrator may do to another


class Refused(PermissionDenied):
    """Why an act was refused: `detail` in English (pages translate it), `code` for machines."""

    def __init__(self, detail: str, code: str = "forbidden") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


def may_grant(actor: User, role: str) -> bool:
    """Nobody gives away a level at or above their own, except an administrator."""
    return role in LEVELS and (actor.role == Role.ADMIN or LEVELS[Role(role)] < LEVELS[Role(actor.role)])


def fault(actor: User, user: User, operation: str, *, role: str = "") -> Refused | None:
    """Why `actor` may not do `operation` (a word of the matrix' users rows) to `user`, or None; writes nothing.

    `role` is the role to be given, where one is.
    """
    if not actor.has_perm(OPERATIONS["users", operation][0]):
        return Refused(DENIED)
    if actor.role == Role.DEVELOPER and user.role == Role.ADMIN:
        return Refused(DEVELOPER_ON_ADMIN, "admin_protected")
    if operation == "reset_password":
        if actor.role == Role.DEVELOPER:
            return Refused(DEVELOPER_RESETS, "developer_reset")
        if user.role == Role.ADMIN:
            return Refused(ADMIN_PASSWORD, "admin_password")
    if user.pk == actor.pk:
        return Refused(OWN_ACCOUNT, "own_account")
    if user.is_primary_admin:
        return Refused(PRIMARY_ADMIN, "primary_admin")
    if LEVELS[Role(user.role)] >= LEVELS[Role(actor.role)]:
        if actor.role != Role.ADMIN:
            return Refused(LEVEL, "level")
        if operation not in AMONG_ADMINS:
            return Refused(DELETES_ADMIN, "admin_protected")
    if role and not may_grant(actor, role):
        return Refused(GRANT, "level")
    return None


def allows(actor: User, user: User, operation: str) -> bool:
    return fault(actor, user, operation) is None


def check(actor: User, user: User, operation: str, request: HttpRequest | None, *, role: str = "") -> None:
    """Raises Refused; a developer's hand on an administrator leaves a record of its own."""
    refused = fault(actor, user, operation, role=role)
    if refused is None:
        return
    if refused.detail == DEVELOPER_ON_ADMIN and request is not None:
        record_after(request, "admin_user.modification_attempted", user, operation=operation)
    raise refused


def check_grant(actor: User, role: str) -> None:
    """For an account still to be made. Raises Refused."""
    if not actor.has_perm(OPERATIONS["users", "create"][0]):
        raise Refused(DENIED)
    if not may_grant(actor, role):
        raise Refused(GRANT, "level")


def require_admin(actor: User) -> None:
    """Raises Refused for anybody but an active administrator."""
    if actor.role != Role.ADMIN or not actor.is_active:
        raise Refused(DENIED)


def lock(actor: User, user: User) -> tuple[User, User]:
    """Both rows as they are now, locked together with every active administrator's, always in the same order.

    Of two administrators who demote each other at the same instant, the second thus finds out that they are none any more.
    Raises Refused when either is gone.
    """
    concerned = Q(pk__in=[actor.pk, user.pk]) | Q(role=Role.ADMIN, is_active=True)
    rows = {row.pk: row for row in User.objects.select_for_update(no_key=True).filter(concerned).order_by("pk")}
    if actor.pk not in rows or user.pk not in rows:
        raise Refused(GONE, "gone")
    return rows[actor.pk], rows[user.pk]


def require_another_admin(user: User) -> None:
    """Before an active administrator stops being one; the caller holds the locks of `lock`. Raises Refused."""
    if user.role == Role.ADMIN and user.is_active:
        others = User.objects.filter(role=Role.ADMIN, is_active=True, erasure_requested_at=None).exclude(pk=user.pk)
        if not others.exists():
            raise Refused(LAST_ADMIN, "last_admin")
