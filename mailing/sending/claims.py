"""Leases on due rows. Workers side by side take disjoint ones; a lease that nobody ended runs out by itself."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.expressions import RawSQL
from django.utils import timezone

from audit.services import record_many
from mailing.models import ScheduledEmail
from studio.services.timeline import add_entry

LEASE = timedelta(minutes=5)  # for a batch to be prepared and begun; longer than any batch takes
SENDING = timedelta(minutes=10)  # for one mail between its mark and the server's answer
BATCH = 600
Status = ScheduledEmail.Status


def among(ids: Sequence[UUID]) -> RawSQL:
    """For `pk__in`: one parameter instead of hundreds, each of which would cost as much as the row it finds."""
    return RawSQL("SELECT unnest(%s::uuid[])", (list(ids),))  # nosec B611 - a constant; what is given is a parameter


@transaction.atomic
def claim_due(claim: UUID, *, limit: int = BATCH) -> list[UUID]:
    """Lease due e-mails under this name; their ids. They stay `scheduled`: a lapsed claim is simply due again."""
    now = timezone.now()
    due = ScheduledEmail.objects.due(now).order_by("due_at").select_for_update(skip_locked=True)
    ids = list(due.values_list("pk", flat=True)[:limit])
    if ids:
        ScheduledEmail.objects.filter(pk__in=among(ids)).update(claim=claim, claimed_until=now + LEASE)
    return ids


def give_back(claim: UUID, ids: Sequence[UUID]) -> None:
    """What was claimed and not begun is due again at once."""
    if not ids:
        return
    held = ScheduledEmail.objects.filter(pk__in=among(ids), claim=claim, status=Status.SCHEDULED)
    held.update(claim=None, claimed_until=None)


@transaction.atomic
def give_up_left_behind() -> int:
    """What was being sent when its sender was lost is `unknown` from now on, which only a person resolves."""
    lost = ScheduledEmail.objects.left_behind(timezone.now()).select_for_update(skip_locked=True, of=("self",)).select_related("project")
    rows = list(lost[:BATCH])
    if rows:
        ScheduledEmail.objects.filter(pk__in=[row.pk for row in rows]).update(status=Status.UNKNOWN, error="lost", claim=None)
        record_many("email.unknown", rows)
        for row in rows:
            if row.project:
                add_entry(row.project, "email.failed", subject=row.subject)
    return len(rows)
