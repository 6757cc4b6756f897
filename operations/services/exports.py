"""Copies of everything of one person: asked for, built by a worker, kept sealed for a day.

The row is the queue. Whoever builds holds its lease and renews it with every piece; one whose process died is begun anew by the
next tick, from nothing, and a builder that was taken for dead finds its lease gone at its next piece.
"""

import logging
import smtplib
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.account_mail import send_account_mail
from accounts import protections
from accounts.models import User
from accounts.services.users import step_up
from audit.services import record
from operations.models import DataExport, ExportChunk
from operations.privacy import archive
from operations.privacy.own_data import PARTS

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 5
REMEMBERED_FOR = timedelta(days=365)


class LeaseLost(Exception):
    """Another process builds it now, or nobody is to any more."""


@transaction.atomic
def ask(user: User, *, actor: User, request: HttpRequest) -> DataExport:
    """Queue a copy; the one under way if there is one. By staff only for somebody who asked them. Raises Refused, StepUpRequired."""
    if actor.pk != user.pk:
        protections.check(actor, user, "edit", request)
    step_up(request)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    under_way = DataExport.objects.filter(user=user, status__in=DataExport.LIVE).first()
    if under_way:
        return under_way
    export = DataExport.objects.create(user=user, requested_by=actor if actor.pk != user.pk else None, total=len(PARTS))
    record("data.export_requested", user, actor=actor, request=request, export=str(export.pk))
    return export


def due() -> list[UUID]:
    """What waits for a builder, and what a dead one has left."""
    lost = Q(status=DataExport.Status.BUILDING, claimed_until__lt=timezone.now())
    return list(DataExport.objects.filter(Q(status=DataExport.Status.QUEUED) | lost).order_by("requested_at").values_list("pk", flat=True))


def build(export_id: UUID) -> bool:
    """Build one if it waits; False when there was nothing to do or another process took over."""
    export = _claim(export_id)
    if export is None:
        return False
    user = export.user
    try:
        archive.write(export, user, keep=lambda number, sealed: _keep(export, number, sealed), progress=lambda n: _progress(export, n))
        _finish(export)
    except LeaseLost:
        return False
    _tell(export, user)
    return True


@transaction.atomic
def _claim(export_id: UUID) -> DataExport | None:
    rows = DataExport.objects.select_for_update(skip_locked=True, of=("self",)).select_related("user")
    export = rows.filter(pk=export_id, status__in=DataExport.LIVE).first()
    now = timezone.now()
    if export is None or (export.status == DataExport.Status.BUILDING and export.claimed_until and export.claimed_until > now):
        return None
    ExportChunk.objects.filter(export=export).delete()
    if export.attempts >= MOST_ATTEMPTS or export.user.erasure_requested_at is not None:
        DataExport.objects.filter(pk=export.pk).update(status=DataExport.Status.FAILED, lease=None, finished_at=now)
        return None
    export.status, export.lease, export.claimed_until = DataExport.Status.BUILDING, uuid4(), now + LEASE
    export.attempts, export.done, export.size, export.total = export.attempts + 1, 0, 0, len(PARTS)
    export.save(update_fields=["status", "lease", "claimed_until", "attempts", "done", "size", "total"])
    return export


def _held(export: DataExport, **values: object) -> None:
    """Write to the row while the lease is ours. Raises LeaseLost."""
    mine = DataExport.objects.filter(pk=export.pk, lease=export.lease, status=DataExport.Status.BUILDING)
    if not mine.update(**values):
        raise LeaseLost


@transaction.atomic
def _keep(export: DataExport, number: int, sealed: bytes) -> None:
    _held(export, claimed_until=timezone.now() + LEASE, size=F("size") + len(sealed))
    ExportChunk.objects.create(export=export, number=number, content=sealed)


def _progress(export: DataExport, done: int) -> None:
    _held(export, claimed_until=timezone.now() + LEASE, done=done)


@transaction.atomic
def _finish(export: DataExport) -> None:
    now = timezone.now()
    _held(export, status=DataExport.Status.READY, lease=None, claimed_until=None, finished_at=now, expires_at=now + DataExport.KEPT_FOR)


def _tell(export: DataExport, user: User) -> None:
    url = settings.PUBLIC_URL + reverse("settings_privacy")
    context = {"name": user.get_short_name(), "url": url, "by_staff": bool(export.requested_by_id)}
    try:
        send_account_mail("export_ready", to=user.email, language=user.language, context=context)
    except (OSError, smtplib.SMTPException) as error:  # the page says it too
        logger.warning("mail about an export not sent", extra={"error": type(error).__name__})


def download(export: DataExport, *, request: HttpRequest) -> Iterator[bytes]:
    """The ZIP, recorded. Raises StepUpRequired; the caller has asked whose it is and whether it is ready."""
    step_up(request)
    with transaction.atomic():
        DataExport.objects.filter(pk=export.pk).update(downloaded_at=timezone.now())
        record("data.exported", export.user, request=request, export=str(export.pk), size=export.size)
    return archive.opened(export)


def sweep() -> int:
    """Delete the files of expired exports, and rows of long ago; how many files went."""
    now = timezone.now()
    gone = 0
    for pk in DataExport.objects.filter(status=DataExport.Status.READY, expires_at__lte=now).values_list("pk", flat=True):
        gone += _delete_file(pk)
    DataExport.objects.exclude(status__in=DataExport.LIVE).filter(requested_at__lt=now - REMEMBERED_FOR).delete()
    return gone


@transaction.atomic
def _delete_file(pk: UUID) -> int:
    ended = DataExport.objects.filter(pk=pk, status=DataExport.Status.READY).update(status=DataExport.Status.EXPIRED)
    ExportChunk.objects.filter(export_id=pk).delete()
    return ended


@transaction.atomic
def drop_all(user: User) -> None:
    """End whatever is there or under way for somebody whose account closes."""
    kept = (*DataExport.LIVE, DataExport.Status.READY)
    pks = [row.pk for row in DataExport.objects.select_for_update().filter(user=user, status__in=kept)]
    ExportChunk.objects.filter(export_id__in=pks).delete()
    DataExport.objects.filter(pk__in=pks).update(status=DataExport.Status.EXPIRED, lease=None, claimed_until=None)
