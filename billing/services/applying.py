"""Writing down what Stripe says: the one place where money becomes rows.

Whatever event led here, everything about its payment has been read again, so that order, repetition and concurrency of events do not
matter: a row takes over an answer unless it already has one that was asked for later, and what changed is recorded once.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from audit.services import record
from billing.models import Checkout, Contribution, Difference, Refund, Subscription
from billing.readings import Monthly, Payment, RefundReading, Visit
from billing.services.facts import Facts

Status = Contribution.Status
WAITING = (None, Status.PROCESSING, Status.FAILED)  # nothing has come yet
TAKEN = ("status", "amount", "worth", "currency", "amount_refunded", "paid_at", "period_end")
DESCRIBED = (
    "item_id", "product_id", "status", "is_paused", "amount", "currency", "started_at", "period_end", "ends_at_period_end", "ended_at",
)  # fmt: skip


@transaction.atomic
def apply(facts: Facts) -> str:
    """Take over `facts`; returns what a person has to look at ("unknown_user", "not_ours"), or nothing."""
    if not facts.is_ours:
        return "not_ours" if facts.payments or facts.subscription else ""
    user = _user(facts.user_id)
    if facts.visit:
        _apply_visit(facts.visit, user, facts.read_at)
    subscription = _apply_subscription(facts.subscription, user, facts.read_at) if facts.subscription else None
    contributions = [_apply_payment(payment, user, subscription, facts.read_at) for payment in facts.payments]
    nobodys = [row for row in (subscription, *contributions) if row and row.user_id is None]
    return "unknown_user" if nobodys else ""


def _user(user_id: str) -> User | None:
    """The person, locked: what concerns one person is written one after the other."""
    return User.objects.select_for_update(no_key=True).filter(pk=UUID(user_id)).first()


# --- the visit


def _apply_visit(visit: Visit, user: User | None, read_at: datetime) -> None:
    rows = Checkout.objects.select_for_update()
    row = rows.filter(session_id=visit.session_id).first()
    if row is None and user is not None:  # its maker died before it could write the page's id down
        unnamed = rows.filter(user=user, rhythm=visit.rhythm, amount=visit.amount, session_id=None)
        row = unnamed.filter(status=Checkout.Status.OPEN).first()
    if row is None or (row.read_at and row.read_at > read_at):
        return
    row.session_id, row.read_at = visit.session_id, read_at
    if visit.status != Checkout.Status.OPEN and not (row.status == Checkout.Status.REPLACED and visit.status == Checkout.Status.EXPIRED):
        row.status = visit.status
    row.save(update_fields=["session_id", "read_at", "status"])


# --- the monthly contribution


def _apply_subscription(reading: Monthly, user: User | None, read_at: datetime) -> Subscription:
    described = {name: getattr(reading, name) for name in DESCRIBED}
    row, made = _locked(
        Subscription, Q(stripe_id=reading.stripe_id), {"stripe_id": reading.stripe_id, "user": user, "read_at": read_at, **described}
    )
    if not made and row.read_at > read_at:
        return row
    before = None if made else row.status
    for name, value in (described | {"read_at": read_at}).items():
        setattr(row, name, value)
    row.save(update_fields=[*DESCRIBED, "read_at"])
    if before != row.status:
        _record_subscription(row, before)
    if row.is_live:
        _look_for_reasons_to_end(row)
    return row


def _record_subscription(row: Subscription, before: str | None) -> None:
    live, was_live = row.is_live, before is not None and before not in Subscription.OVER
    if live and not was_live:
        record("subscription.started", row, actor=row.user, amount=row.amount, currency=row.currency)
    elif not live and was_live:
        record("subscription.ended", row, actor=row.user)
        settle_second(row.stripe_id)
    elif live and before != row.status:
        record("subscription.status_changed", row, actor=row.user, old=before, new=row.status)


def settle_second(name: str) -> None:
    """Nobody pays twice any more, whoever ended it."""
    Difference.objects.filter(kind=Difference.Kind.SECOND, object_id=name, settled_at=None).update(settled_at=timezone.now())


def _look_for_reasons_to_end(row: Subscription) -> None:
    """Closed accounts pay no more, and nobody pays twice: of several the first stays. The tick that ends the others asks Stripe."""
    if row.user is None or row.user.erasure_requested_at is not None:
        _ask_to_end(row, "account_closed")
        return
    live = Subscription.objects.live().filter(user=row.user, end_requested_at=None).order_by("started_at", "stripe_id")
    for second in live[1:]:
        _ask_to_end(second, "second")
        Difference.objects.get_or_create(
            kind=Difference.Kind.SECOND, object_id=second.stripe_id, settled_at=None, defaults={"object_type": "subscription"}
        )


def _ask_to_end(row: Subscription, reason: str) -> None:
    if row.end_requested_at is None:
        row.end_requested_at = row.read_at
        row.save(update_fields=["end_requested_at"])
        record("subscription.end_requested", row, actor=row.user, reason=reason)


# --- the payment


def _apply_payment(reading: Payment, user: User | None, subscription: Subscription | None, read_at: datetime) -> Contribution:
    keys = {name: value for name in ("payment_intent", "invoice_id", "session_id") if (value := getattr(reading, name))}
    known = Q()
    for name, value in keys.items():
        known |= Q(**{name: value})
    taken = {name: getattr(reading, name) for name in TAKEN}
    fresh = {"user": user, "subscription": subscription, "rhythm": reading.rhythm, "read_at": read_at, **keys, **taken}
    row, made = _locked(Contribution, known, fresh)
    if not made and row.read_at > read_at:
        return row
    before = (None, 0) if made else (row.status, row.amount_refunded)
    for name, value in (taken | keys | {"read_at": read_at}).items():
        setattr(row, name, value)
    row.subscription = row.subscription or subscription
    row.save(update_fields=[*TAKEN, *keys, "read_at", "subscription"])
    _apply_refunds(row, reading.refunds)
    _record_payment(row, *before)
    return row


def _locked(model: Any, known: Q, fresh: dict[str, Any]) -> tuple[Any, bool]:
    """The row, locked, and whether it was made just now; of several workers that make it at once, one does."""
    row = model.objects.select_for_update(of=("self",)).filter(known).first()
    if row is None:
        try:
            with transaction.atomic():
                return model.objects.create(**fresh), True
        except IntegrityError:
            row = model.objects.select_for_update(of=("self",)).get(known)
    return row, False


def _record_payment(row: Contribution, before: str | None, refunded_before: int) -> None:
    sums: dict[str, Any] = {"amount": row.amount, "currency": row.currency}
    if before == row.status and refunded_before == row.amount_refunded:
        return
    if row.status == Status.FAILED:
        record("contribution.failed", row, actor=row.user, **sums)
        return
    if before in WAITING and row.status not in WAITING:
        record("contribution.received", row, actor=row.user, rhythm=row.rhythm, **sums)
    if row.amount_refunded != refunded_before:
        record("contribution.refunded", row, actor=row.user, refunded=row.amount_refunded, **sums)
    disputed = {Status.DISPUTED: "contribution.disputed", Status.LOST: "contribution.dispute_lost"}
    if before != row.status and row.status in disputed:
        record(disputed[Status(row.status)], row, actor=row.user, **sums)
    elif before == Status.DISPUTED and row.status != before:
        record("contribution.dispute_won", row, actor=row.user, **sums)


def _apply_refunds(row: Contribution, found: tuple[RefundReading, ...]) -> None:
    """Refunds that we asked for are recognised by their id or, when the answer got lost, by their amount; others are taken over."""
    for one in found:
        refund = Refund.objects.filter(stripe_id=one.stripe_id).first()
        if refund is None:
            sent = Refund.Status.REQUESTED
            refund = row.refunds.filter(stripe_id=None, status=sent, amount=one.amount, attempts__gt=0).order_by("requested_at").first()
        if refund is None:
            refund = Refund(contribution=row, amount=one.amount)
        refund.stripe_id, refund.status = one.stripe_id, one.status
        refund.save()
