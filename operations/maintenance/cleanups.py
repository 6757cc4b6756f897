"""The six cleanups, by name: what each sweeps, and when unless somebody says otherwise."""

from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from operations.maintenance import sweeps
from operations.maintenance.sweeps import Sweep

BACKUP = "backup"
ALL = "cleanup.all"


class Cleanup(NamedTuple):
    """`sweeps` by the name under which the record counts them, with the words of the pages."""

    label: Any
    explanation: Any
    schedule: str
    sweeps: dict[str, tuple[Any, Sweep]]


CLEANUPS: dict[str, Cleanup] = {
    "cleanup.activity_logs": Cleanup(
        _("Activity log"), _("Months whose days in the database are over go to the archive, once it has been read back and verified."),
        "04:00", {"activities": (_("activities"), sweeps.activity_months)},
    ),
    "cleanup.temp_files": Cleanup(
        _("Temporary files"), _("Copies of data after 24 hours, attachments left after sending, backups that are too old or not whole."),
        "03:10,15:10",
        {
            "exports": (_("copies of data"), sweeps.export_files),
            "contact_files": (_("files of contacts that nobody imported"), sweeps.contact_files),
            "attachments": (_("attachments"), sweeps.attachments),
            "backups": (_("backups"), sweeps.backup_leftovers),
        },
    ),
    "cleanup.orphaned_data": Cleanup(
        _("Orphaned data"), _("What has ended or belongs to nobody any more: sessions, invitations, sign-ups never confirmed, data keys."),
        "03:20",
        {
            "sessions": (_("expired sessions"), sweeps.sessions),
            "api_sessions": (_("expired sessions of the API"), sweeps.api_sessions),
            "invitations": (_("invitations that nobody accepted"), sweeps.invitations),
            "sign_ups": (_("sign-ups that nobody confirmed"), sweeps.unconfirmed),
            "data_keys": (_("data keys of people and studios that are gone"), sweeps.data_keys),
        },
    ),
    "cleanup.execution_logs": Cleanup(
        _("Execution logs"),
        _("Runs of pipelines older than 90 days, but the newest of each; cleanups after a year; Stripe’s events after 18 months."),
        "03:40",
        {
            "runs": (_("runs"), sweeps.runs),
            "cleanups": (_("cleanups"), sweeps.cleanup_runs),
            "stripe_events": (_("events of Stripe’s"), sweeps.stripe_events),
        },
    ),
    "cleanup.database_vacuum": Cleanup(
        _("Database"), _("The space of deleted rows becomes free, and the planner's statistics fresh, while everybody works."),
        "04:30", {"tables": (_("tables"), sweeps.vacuum)},
    ),
}  # fmt: skip
CLEANUPS[ALL] = Cleanup(
    _("Everything"), _("All five, one after another."), "", {key: sweep for one in CLEANUPS.values() for key, sweep in one.sweeps.items()}
)
JOBS = {BACKUP: "02:30"} | {name: cleanup.schedule for name, cleanup in CLEANUPS.items()}


def members(name: str) -> list[str]:
    """The cleanups that one of this name does."""
    return [one for one in CLEANUPS if one != ALL] if name == ALL else [name]


def dry_run(name: str) -> dict[str, int]:
    """How many of what it would remove now. The vacuum counts dead rows."""
    return {key: sweep.look() for key, (_words, sweep) in CLEANUPS[name].sweeps.items()}
