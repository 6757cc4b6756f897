"""Who may do what in a studio: the small matrix of its four roles, as data, and nowhere else.

Each operation is one word, `area.verb`; the apps of the trade ask for theirs here too. It says nothing about the instance
(`accounts.roles`) and nothing about what a person owns alone: mail, connections and opportunities.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from accounts.models import Membership, Organization, User

Role = Membership.Role

# one letter a role, so that a line reads like a row of the matrix
_LETTERS = {"O": Role.OWNER, "M": Role.MANAGER, "A": Role.ASSISTANT, "C": Role.ACCOUNTANT}

STUDIO_OPERATIONS = {
    "studio.view": "OMAC",
    "studio.rename": "OM  ",
    "studio.close": "O   ",
    "members.view": "OMAC",
    "members.invite": "OM  ",
    "members.change_role": "OM  ",
    "members.remove": "OM  ",
    "contacts.view": "OMAC",
    "contacts.edit": "OMA ",
    "projects.view": "OMAC",
    "projects.edit": "OMA ",
    "sessions.view": "OMA ",
    "sessions.edit": "OMA ",
    "documents.view": "OMAC",  # quotes and contracts
    "documents.edit": "OMA ",
    "emails.view": "OMA ",
    "emails.edit": "OMA ",
    "invoices.view": "OM C",
    "invoices.edit": "OM C",
    "payments.view": "OM C",
    "payments.edit": "OM C",
    "settings.view": "OM C",  # numbering, tax, bank details, templates
    "settings.edit": "OM  ",
}

# whose membership each role may give, change and take: a manager makes nobody their equal
MANAGES: dict[str, tuple[str, ...]] = {
    Role.OWNER: (Role.OWNER, Role.MANAGER, Role.ASSISTANT, Role.ACCOUNTANT),
    Role.MANAGER: (Role.ASSISTANT, Role.ACCOUNTANT),
    Role.ASSISTANT: (),
    Role.ACCOUNTANT: (),
}


def _roles_by_operation() -> dict[str, frozenset[str]]:
    return {operation: frozenset(_LETTERS[letter].value for letter in who.replace(" ", "")) for operation, who in STUDIO_OPERATIONS.items()}


ROLES_BY_OPERATION = _roles_by_operation()


def may(role: str, operation: str) -> bool:
    """Whether a member with this role may; raises KeyError for an operation the matrix does not know."""
    return role in ROLES_BY_OPERATION[operation]


def require(user: User, organization: Organization, operation: str) -> Membership:
    """The user's membership, read now. Raises Http404 for a stranger, PermissionDenied for a colleague without the right."""
    allowed = ROLES_BY_OPERATION[operation]
    membership = Membership.objects.current().filter(user=user, organization=organization).select_related("organization").first()
    if membership is None:
        raise Http404
    if membership.role not in allowed:
        raise PermissionDenied
    return membership


def require_rank(actor: Membership, *roles: str) -> None:
    """Raises PermissionDenied unless the actor's role manages every one of `roles`."""
    if not set(roles) <= set(MANAGES[actor.role]):
        raise PermissionDenied


def invitable(role: str) -> tuple[str, ...]:
    """What a member with this role may invite somebody as: ownership is only ever handed to who is in the studio already."""
    return tuple(other for other in MANAGES[role] if other != Role.OWNER)
