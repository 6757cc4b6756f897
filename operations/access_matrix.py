"""The matrix of roles as a table to read, made from the data that `has_perm` answers from."""

from typing import Any, NamedTuple

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import CONTRIBUTIONS, OPERATIONS, PAGES, ROLE_PERMISSIONS, STAFF, Role

COLUMNS = [role for role in Role if role in STAFF]
AREAS = {
    "pipelines": _("Pipelines"),
    "connectors": _("Connectors"),
    "transformations": _("Transformations"),
    "users": _("Users"),
    "monitoring_analytics": _("Monitoring and analytics"),
    "system": _("System"),
}
PAGE_NAMES = {
    "dashboard": _("Overview"),
    "pipelines": _("Pipelines"),
    "connectors": _("Connectors"),
    "transformations": _("Transformations"),
    "monitoring": _("Monitoring"),
    "analytics": _("Analytics"),
    "users": _("Users"),
    "maintenance": _("Maintenance"),
}
OPERATION_NAMES = {
    "view": _("See"),
    "create": _("Create"),
    "edit": _("Edit"),
    "delete": _("Delete"),
    "execute": _("Run"),
    "view_logs": _("See logs"),
    "test_connection": _("Test the connection"),
    "test": _("Test"),
    "change_role": _("Change role"),
    "activate_deactivate": _("Activate and deactivate"),
    "reset_password": _("Send a password reset"),
    "view_monitoring": _("See monitoring"),
    "view_analytics": _("See analytics"),
    "export_data": _("Export data"),
    "manage_alerts": _("Manage alerts"),
    "settings": _("Settings"),
    "cleanup": _("Clean up"),
    "view_activity_logs": _("See the activity log"),
    "backup_restore": _("Back up and restore"),
}
OF_CONTRIBUTIONS = {
    "view": _("See what was given"),
    "give_back": _("Refund, end a monthly contribution"),
    "view_events": _("See events and differences"),
    "apply_again": _("Apply an event again"),
    "terms": _("Terms and promo codes"),
}
YES, READ_ONLY, NEVER_ADMIN, NO = "yes", "ro", "star", "no"


class Row(NamedTuple):
    name: Any
    cells: list[str]


class Group(NamedTuple):
    name: Any
    rows: list[Row]


def _page_cell(page: str, role: Role) -> str:
    held = ROLE_PERMISSIONS[role]
    if f"pages.{page}" not in held:
        return NO
    writes = {permission for (area, operation), (permission, _who) in OPERATIONS.items() if area == page and operation != "view"}
    if writes and not writes & held:
        return READ_ONLY
    return NEVER_ADMIN if page == "users" and role == Role.DEVELOPER else YES


def _cell(area: str, operation: str, role: Role) -> str:
    if OPERATIONS[area, operation][0] not in ROLE_PERMISSIONS[role] or (operation == "reset_password" and role == Role.DEVELOPER):
        return NO  # developers reset nobody's password: `accounts.protections`
    return NEVER_ADMIN if area == "users" and role == Role.DEVELOPER and operation != "view" else YES


def matrix() -> list[Group]:
    pages = [
        Row(PAGE_NAMES[page], [_page_cell(page, role) for role in COLUMNS]) for page in (name.removeprefix("pages.") for name in PAGES)
    ]
    groups = [Group(_("Pages"), pages)]
    for area, name in AREAS.items():
        operations = [operation for found, operation in OPERATIONS if found == area]
        groups.append(Group(name, [Row(OPERATION_NAMES[one], [_cell(area, one, role) for role in COLUMNS]) for one in operations]))
    given = [
        Row(OF_CONTRIBUTIONS[name], [_held(permissions, role) for role in COLUMNS]) for name, (_row, permissions) in CONTRIBUTIONS.items()
    ]
    return [*groups, Group(_("Contributions"), given)]


def _held(permissions: tuple[str, ...], role: Role) -> str:
    return YES if set(permissions) <= ROLE_PERMISSIONS[role] else NO


def holders() -> list[tuple[Any, int]]:
    """Each role with how many active accounts have it."""
    counts = dict(User.objects.filter(is_active=True).order_by().values_list("role").annotate(Count("pk")))
    return [(role.label, counts.get(role.value, 0)) for role in Role]
