"""Who may do what: the matrix as data, and nowhere else.

Each of the 32 operations and 8 pages of the matrix is one permission in Django's `app.verb_model` form. The matrix governs
what the instance owns; coach and member have no cell in it, their own pages rest on ownership.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    ADMIN = "admin", _("Administrator")
    DEVELOPER = "developer", _("Developer")
    DESIGNER = "designer", _("Designer")
    EXECUTOR = "executor", _("Executor")
    EXECUTIVE = "executive", _("Executive")
    VIEWER = "viewer", _("Viewer")
    COACH = "coach", _("Coach")
    MEMBER = "member", _("Member")


LEVELS = {
    Role.ADMIN: 100,
    Role.DEVELOPER: 90,
    Role.DESIGNER: 50,
    Role.EXECUTOR: 40,
    Role.EXECUTIVE: 30,
    Role.VIEWER: 10,
    Role.COACH: 5,
    Role.MEMBER: 0,
}
STAFF = frozenset({Role.ADMIN, Role.DEVELOPER, Role.DESIGNER, Role.EXECUTOR, Role.EXECUTIVE, Role.VIEWER})

# one letter a role, so that a line reads like a row of the matrix
_LETTERS = {
    "A": Role.ADMIN,
    "D": Role.DEVELOPER,
    "G": Role.DESIGNER,
    "X": Role.EXECUTOR,
    "E": Role.EXECUTIVE,
    "V": Role.VIEWER,
}

PAGES = {
    "pages.dashboard": "ADGXEV",
    "pages.pipelines": "ADG  V",
    "pages.connectors": "ADG  V",
    "pages.transformations": "ADG  V",
    "pages.monitoring": "AD X  ",
    "pages.analytics": "AD  E ",
    "pages.users": "AD  E ",
    "pages.maintenance": "AD    ",
}

OPERATIONS = {
    # (area, operation): (permission, who)
    ("pipelines", "view"): ("integrations.view_pipeline", "ADGXEV"),
    ("pipelines", "create"): ("integrations.add_pipeline", "ADG   "),
    ("pipelines", "edit"): ("integrations.change_pipeline", "ADG   "),
    ("pipelines", "delete"): ("integrations.delete_pipeline", "ADG   "),
    ("pipelines", "execute"): ("integrations.execute_pipeline", "ADGX  "),
    ("pipelines", "view_logs"): ("integrations.view_run", "ADGX  "),
    ("connectors", "view"): ("integrations.view_connection", "ADGX V"),
    ("connectors", "create"): ("integrations.add_connection", "ADG   "),
    ("connectors", "edit"): ("integrations.change_connection", "ADG   "),
    ("connectors", "delete"): ("integrations.delete_connection", "ADG   "),
    ("connectors", "test_connection"): ("integrations.test_connection", "ADG   "),
    ("transformations", "view"): ("integrations.view_transformation", "ADGX V"),
    ("transformations", "create"): ("integrations.add_transformation", "ADG   "),
    ("transformations", "edit"): ("integrations.change_transformation", "ADG   "),
    ("transformations", "delete"): ("integrations.delete_transformation", "ADG   "),
    ("transformations", "execute"): ("integrations.execute_transformation", "ADGX  "),
    ("transformations", "test"): ("integrations.test_transformation", "ADG   "),
    ("users", "view"): ("accounts.view_user", "AD  E "),
    ("users", "create"): ("accounts.add_user", "AD    "),
    ("users", "edit"): ("accounts.change_user", "AD    "),
    ("users", "delete"): ("accounts.delete_user", "AD    "),
    ("users", "change_role"): ("accounts.change_role_user", "AD    "),
    ("users", "activate_deactivate"): ("accounts.activate_user", "AD    "),
    ("users", "reset_password"): ("accounts.reset_password_user", "AD    "),
    ("monitoring_analytics", "view_monitoring"): ("operations.view_monitoring", "AD X  "),
    ("monitoring_analytics", "view_analytics"): ("operations.view_analytics", "AD  E "),
    ("monitoring_analytics", "export_data"): ("operations.export_data", "ADGXE "),
    ("monitoring_analytics", "manage_alerts"): ("operations.manage_alerts", "AD X  "),
    ("system", "settings"): ("accounts.change_instancesettings", "AD    "),
    ("system", "cleanup"): ("operations.run_cleanup", "AD    "),
    ("system", "view_activity_logs"): ("audit.view_activity", "AD    "),
    ("system", "backup_restore"): ("operations.backup_restore", "A     "),
}

# Django asks for these beside the matrix's own words; each follows the cell it belongs to.
IMPLIED: dict[str, tuple[str, ...]] = {
    "accounts.change_instancesettings": (
        "accounts.view_instancesettings", "operations.block_network",
    ),
    "integrations.view_run": ("integrations.view_runevent", "integrations.view_datasetrow"),
    "accounts.view_user": (
        "accounts.view_organization", "accounts.view_membership", "accounts.view_session", "accounts.view_apisession",
        "accounts.view_apikey", "accounts.view_coachlink", "operations.view_accessreview",
    ),
    "operations.manage_alerts": ("mailing.retry_scheduledemail",),
    "operations.view_monitoring": (
        "tracker.view_opportunitycount", "studio.view_studiocount", "documents.view_documentcount", "audit.view_securityalert",
        "operations.view_blockednetwork",
        "mailing.view_scheduledemail", "mailing.view_emailtemplate", "mailing.view_sendingaccount",
    ),
    "operations.backup_restore": ("operations.rotate_keys",),  # administrators only
}  # fmt: skip

# Contributions have no row in the matrix. What staff may do about them takes the answers of one of its rows: who may be told of people
# may be told what they give, what cannot be taken back is the administrators' alone, as restoring is.
CONTRIBUTIONS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    # operation: (the row it follows, permissions)
    "view": (("users", "view"), ("billing.view_contribution", "billing.view_subscription", "billing.view_refund")),
    "give_back": (("system", "backup_restore"), ("billing.add_refund", "billing.end_subscription")),
    "view_events": (("monitoring_analytics", "view_monitoring"), ("billing.view_stripeevent", "billing.view_difference")),
    "apply_again": (("monitoring_analytics", "manage_alerts"), ("billing.retry_stripeevent",)),
    "terms": (
        ("system", "settings"),
        (
            "billing.view_contributionterms", "billing.add_contributionterms", "billing.change_contributionterms",
            "billing.view_promocode", "billing.add_promocode", "billing.change_promocode",
            "billing.view_promogrant", "billing.change_promogrant",
        ),
    ),
}  # fmt: skip


def _permissions_by_role() -> dict[str, frozenset[str]]:
    granted: dict[str, set[str]] = {role: set() for role in Role.values}
    rows = [*PAGES.items(), *OPERATIONS.values()]
    rows += [(permission, OPERATIONS[row][1]) for row, permissions in CONTRIBUTIONS.values() for permission in permissions]
    for permission, who in rows:
        for letter in who.replace(" ", ""):
            granted[_LETTERS[letter]].update((permission, *IMPLIED.get(permission, ())))
    return {role: frozenset(permissions) for role, permissions in granted.items()}


ROLE_PERMISSIONS = _permissions_by_role()
