"""Giving money back: asked for by staff, sent by a worker under the row's own idempotency key, so that it is sent once."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services.users import step_up
from audit.services import record
from billing import gateway
from billing.amounts import shown
from billing.models import Contribution, Refund
from billing.services import applying, facts

BACK_OFF = (10, 60, 300, 3600)  # seconds
LEASE = timedelta(minutes=2)
REFUNDABLE = (Contribution.Status.PAID, Contribution.Status.PARTLY_REFUNDED)


def can_be_refunded(row: Contribution) -> bool:
    return row.status in REFUNDABLE and bool(row.payment_intent) and row.left > 0


@transaction.atomic
def ask(contribution: Contribution, amount: int, *, actor: User, request: Any) -> Refund:
    """Raises PermissionDenied, StepUpRequired, ValidationError for more than is left."""
    if not actor.has_perm("billing.add_refund"):
        raise PermissionDenied
    step_up(request)
    row = Contribution.objects.select_for_update(of=("self",)).get(pk=contribution.pk)
    waiting = row.refunds.filter(status=Refund.Status.REQUESTED).aggregate(sum=Sum("amount"))["sum"] or 0
    left = row.left - waiting
    if not can_be_refunded(row) or not 0 < amount <= left:
        raise ValidationError(_("At most %(left)s can be refunded.") % {"left": shown(max(left, 0), row.currency)}, code="amount")
    refund = Refund.objects.create(contribution=row, amount=amount, requested_by=actor)
    record("contribution.refund_requested", row, actor=actor, request=request, amount=amount, currency=row.currency)
    return refund


def due() -> list[UUID]:
    rows = Refund.objects.filter(status=Refund.Status.REQUESTED, due_at__lte=timezone.now())
    return list(rows.values_list("pk", flat=True)[:200])


def send(pk: UUID) -> None:
    """Send it, and read the payment again; a worker that dies in between is followed by one that uses the same key."""
    row = _claim(pk)
    if row is None:
        return
    intent = str(row.contribution.payment_intent)
    try:
        gateway.create_refund({"payment_intent": intent, "amount": row.amount}, key=f"refund-{row.pk}")
        found = facts.about("payment_intent", intent)
    except gateway.StripeUnavailable as error:
        wait = BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
        Refund.objects.filter(pk=pk).update(due_at=timezone.now() + timedelta(seconds=wait), error=str(error)[:60])
    except gateway.StripeRefused as error:
        _fail(row, error.code or "refused")
    else:
        applying.apply(found)


@transaction.atomic
def _claim(pk: UUID) -> Refund | None:
    rows = Refund.objects.select_for_update(skip_locked=True, of=("self",)).select_related("contribution")
    row = rows.filter(pk=pk, status=Refund.Status.REQUESTED, due_at__lte=timezone.now()).first()
    if row is not None:
        row.due_at, row.attempts = timezone.now() + LEASE, row.attempts + 1
        row.save(update_fields=["due_at", "attempts"])
    return row


@transaction.atomic
def _fail(row: Refund, code: str) -> None:
    if Refund.objects.filter(pk=row.pk, status=Refund.Status.REQUESTED).update(status=Refund.Status.FAILED, error=code[:60]):
        record("contribution.refund_failed", row.contribution, actor=row.requested_by, amount=row.amount, reason=code)
