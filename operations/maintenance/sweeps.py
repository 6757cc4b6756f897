"""What a cleanup removes, one kind at a time: how many there are, and their removal in batches.

A batch is one short transaction, so that no table is locked for long and a process that dies has lost nothing: whoever sweeps
next finds the rest. What says no to a removal (a lease, a retention period) says so in the query, not here.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from psycopg import sql

from accounts.models import ApiSession, Invitation, Organization, Session, User
from accounts.roles import Role
from accounts.services import tokens
from accounts.services.users import discard_unconfirmed
from audit.models import Activity
from audit.seal import archive_records, archives, retention
from billing.models import StripeEvent
from integrations.models import Run
from operations.backups import objects, shelf
from operations.maintenance.models import CleanupRun
from operations.models import DataExport
from operations.services import backups, exports
from studio.models import ContactImport
from vault import services as vault
from vault.models import DataKey

BATCH = 500
LOGS_KEPT = timedelta(days=90)
OWN_RUNS_KEPT = timedelta(days=365)
UNUSED_FOR = timedelta(days=30)  # invitations after their end, sign-ups that nobody confirmed
SETTLED = timedelta(days=1)  # younger than that, somebody may still be at it
TEMPORARY_FOR = timedelta(days=1)


class Sweep(NamedTuple):
    """`look` counts what there is, `remove` does it and says how many."""

    look: Callable[[], int]
    remove: Callable[[], int]


def _in_batches(rows: Callable[[], QuerySet[Any]]) -> int:
    removed = 0
    while pks := list(rows().values_list("pk", flat=True)[:BATCH]):
        rows().filter(pk__in=pks).delete()
        removed += len(pks)
    return removed


def _of(rows: Callable[[], QuerySet[Any]]) -> Sweep:
    return Sweep(lambda: rows().count(), lambda: _in_batches(rows))


# --- the activity log: months whose time in the database is over ----------------------------------------------------------


def _rows_of_due_months() -> int:
    """None where there is no archive: without one nothing leaves the log."""
    if archives.archive_place() is None:
        return 0
    today = timezone.now().date()
    due = [month for month in archive_records.months_online() if retention.leaves_on(month) <= today]
    starts = [datetime(month.year, month.month, 1, tzinfo=UTC) for month in due]
    spans = [(start, (start + timedelta(days=32)).replace(day=1)) for start in starts]
    return sum(Activity.objects.filter(recorded_at__gte=start, recorded_at__lt=end).count() for start, end in spans)


def _archive_due_months() -> int:
    before = _rows_of_due_months()
    retention.keep()
    return before - _rows_of_due_months()


activity_months = Sweep(_rows_of_due_months, _archive_due_months)


# --- temporary files ------------------------------------------------------------------------------------------------------


def _expired_exports() -> QuerySet[DataExport]:
    return DataExport.objects.filter(status=DataExport.Status.READY, expires_at__lte=timezone.now())


def _old_attachments() -> list[str]:
    """Objects under `tmp/` that nobody deleted after sending; a lifecycle rule of the bucket does the same (docs/operations.md)."""
    if not objects.is_configured():
        return []
    where, before = objects.bucket(), timezone.now() - TEMPORARY_FOR
    pages = where.client.get_paginator("list_objects_v2").paginate(Bucket=where.bucket, Prefix=objects.TEMPORARY)
    return [one["Key"] for page in pages for one in page.get("Contents", ()) if one["LastModified"] < before]


def _delete_attachments() -> int:
    names = _old_attachments()
    for name in names:
        objects.bucket().delete(name)
    return len(names)


def _backups_to_go() -> int:
    if not shelf.is_configured():
        return 0
    where = shelf.shelf()
    left = [] if backups.is_under_way() else shelf.unfinished(where)
    return len(left) + len(shelf.expired(where, timezone.now()))


export_files = Sweep(lambda: _expired_exports().count(), exports.sweep)
contact_files = _of(lambda: ContactImport.objects.abandoned(timezone.now()))
attachments = Sweep(lambda: len(_old_attachments()), _delete_attachments)
backup_leftovers = Sweep(_backups_to_go, backups.tidy)


# --- orphans --------------------------------------------------------------------------------------------------------------


def _expired_sessions() -> QuerySet[Session]:
    return Session.objects.filter(expire_date__lt=timezone.now())


def _expired_api_sessions() -> QuerySet[ApiSession]:
    return ApiSession.objects.filter(expires_at__lt=timezone.now() - tokens.KEPT_FOR)


def _dead_invitations() -> QuerySet[Invitation]:
    """They hold addresses of people who never came."""
    return Invitation.objects.filter(accepted_at=None, expires_at__lt=timezone.now() - UNUSED_FOR)


def _unconfirmed() -> QuerySet[User]:
    """Sign-ups of strangers who never proved their address; accounts that staff made have no password yet, and stay."""
    waiting = User.objects.filter(role=Role.MEMBER, last_login=None, socialaccount=None, erasure_requested_at=None)
    chose_one = Q(("password__contains", "$"))  # as every hash has it, and no unusable one
    return waiting.filter(chose_one, created_at__lt=timezone.now() - UNUSED_FOR).exclude(emailaddress__verified=True)


def _discard_unconfirmed() -> int:
    removed = 0
    while emails := list(_unconfirmed().values_list("email", flat=True)[:BATCH]):
        discard_unconfirmed(emails)
        removed += len(emails)
    return removed


def _keys_of_nobody() -> QuerySet[DataKey]:
    """Data keys of people and studios that are gone, however they went: what they sealed is to be read by nobody."""
    of_person = Q(kind=DataKey.Kind.PERSON) & ~Exists(User.objects.filter(pk=OuterRef("owner_id")))
    of_studio = Q(kind=DataKey.Kind.ORGANIZATION) & ~Exists(Organization.objects.filter(pk=OuterRef("owner_id")))
    return DataKey.objects.filter(of_person | of_studio, destroyed_at=None, created_at__lt=timezone.now() - SETTLED)


def _destroy_keys_of_nobody() -> int:
    destroyed = 0
    while keys := list(_keys_of_nobody()[:BATCH]):
        with transaction.atomic():
            for key in keys:
                vault.destroy_key(vault.Owner(key.kind, key.owner_id))
        destroyed += len(keys)
    return destroyed


sessions = _of(_expired_sessions)
api_sessions = _of(_expired_api_sessions)
invitations = _of(_dead_invitations)
unconfirmed = Sweep(lambda: _unconfirmed().count(), _discard_unconfirmed)
data_keys = Sweep(lambda: _keys_of_nobody().count(), _destroy_keys_of_nobody)


# --- execution logs -------------------------------------------------------------------------------------------------------


def _old_runs() -> QuerySet[Run]:
    """But the newest of each pipeline, which says how it is."""
    newer = Run.objects.filter(pipeline=OuterRef("pipeline"), queued_at__gt=OuterRef("queued_at"))
    return Run.objects.exclude(status__in=Run.LIVE).filter(Exists(newer), queued_at__lt=timezone.now() - LOGS_KEPT)


def _old_cleanups() -> QuerySet[CleanupRun]:
    return CleanupRun.objects.exclude(status__in=CleanupRun.LIVE).filter(asked_at__lt=timezone.now() - OWN_RUNS_KEPT)


runs = _of(_old_runs)
cleanup_runs = _of(_old_cleanups)
stripe_events = _of(lambda: StripeEvent.objects.to_remove(timezone.now()))


# --- vacuum ---------------------------------------------------------------------------------------------------------------


def _dead_rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE has_table_privilege(relid, 'MAINTAIN')")
        return int(cursor.fetchone()[0])


def _vacuum() -> int:
    """Every table that we may, one after another, not waiting for one that is locked. Never VACUUM FULL: that locks everybody out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(oid, 'MAINTAIN') ORDER BY 1"
        )
        tables = [row[0] for row in cursor.fetchall()]
        for table in tables:
            cursor.execute(sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED) {}").format(sql.Identifier(table)))
    return len(tables)


vacuum = Sweep(_dead_rows, _vacuum)
