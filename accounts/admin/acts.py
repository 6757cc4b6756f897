"""What staff may do to accounts, as data: the word of the matrix, the words of the page, the service that does it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import STAFF, Role
from accounts.services import users

CHARGED = "billing:console_monthly"


class Act(NamedTuple):
    operation: str  # the row of the matrix
    label: Any
    question: Any
    done: Any  # "%(n)d …"
    do: Callable[[User, User, HttpRequest, str], object]
    sensitive: Callable[[User], bool] = lambda user: False  # asks for a step-up before the question, not after it
    applies: Callable[[User], bool] = lambda user: True
    danger: bool = False
    beside: str = ""  # URL name of what an app above has to say to it


ACTS: dict[str, Act] = {
    "change_role": Act(
        "change_role", _("Change role"),
        _("The new role counts from their next request on. What is it?"),
        _("Role changed."),
        lambda actor, user, request, role: users.change_role(actor, user, role, request),
        sensitive=lambda user: True,
    ),
    "activate": Act(
        "activate_deactivate", _("Activate"),
        _("They can sign in again."),
        _("Activated."),
        lambda actor, user, request, role: users.activate(actor, user, request),
        sensitive=lambda user: user.role in STAFF,
        applies=lambda user: not user.is_active,
    ),
    "deactivate": Act(
        "activate_deactivate", _("Deactivate"),
        _(
            "They are signed out everywhere at once, their API keys stop, and they cannot sign in until somebody activates them again."
            " A monthly contribution is charged all the same, until it is ended."
        ),
        _("Deactivated."),
        lambda actor, user, request, role: users.deactivate(actor, user, request),
        sensitive=lambda user: user.role == Role.ADMIN,
        applies=lambda user: user.is_active,
        danger=True,
        beside=CHARGED,
    ),
    "send_reset": Act(
        "reset_password", _("Send a link to set a password"),
        _("A mail with a link that works for one hour goes to their address. Nobody sees the password."),
        _("Link sent."),
        lambda actor, user, request, role: users.send_password_reset(actor, user, request),
        applies=lambda user: user.is_active,
    ),
    "end_sessions": Act(
        "edit", _("End all sessions"),
        _("They are signed out in every browser and every program. They can sign in again."),
        _("Sessions ended."),
        lambda actor, user, request, role: users.end_sessions(actor, user, request),
        danger=True,
    ),
    "delete": Act(
        "delete", _("Delete account"),
        _("The account goes, with its connections, opportunities and the studios that nobody else belongs to. This cannot be undone."),
        _("Deleted."),
        lambda actor, user, request, role: users.delete_user(actor, user, request),
        sensitive=lambda user: True,
        danger=True,
    ),
}  # fmt: skip
