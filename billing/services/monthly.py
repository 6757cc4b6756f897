"""The monthly contribution: another amount, an end, an end taken back; and the end that comes with a closed account."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.services.users import step_up
from audit.services import record
from billing import gateway, readings
from billing.models import ContributionTerms, Subscription
from billing.services import applying, facts
from billing.services.checkouts import check_amount, close_pages_of
from billing.services.facts import Facts, database_now

BACK_OFF = (60, 300, 900, 3600)  # seconds; then hourly, for as long as it takes


class NothingMonthly(Exception):
    """There is no monthly contribution that goes on."""


def current(user: User) -> Subscription | None:
    """The one that goes on, or would; never one that is being ended for another reason."""
    live = Subscription.objects.visible_to(user).live().filter(end_requested_at=None)
    return live.order_by("started_at").first()


def change_amount(user: User, amount: int, *, request: Any = None) -> Subscription:
    """From the next month on. Raises ValidationError, NothingMonthly, StripeUnavailable, StripeRefused."""
    check_amount(amount, ContributionTerms.current())
    row = _current(user)
    price = {"currency": row.currency, "product": row.product_id, "recurring": {"interval": "month"}, "unit_amount": amount}
    params = {"items": [{"id": row.item_id, "price_data": price}], "proration_behavior": "none"}
    return _change(row, params, "subscription.amount_changed", request=request, old=row.amount, new=amount)


def cancel(user: User, *, request: Any = None) -> Subscription:
    """At the end of the month that is paid for, or now when none is. Raises NothingMonthly, StripeUnavailable, StripeRefused."""
    row = _current(user)
    params = {"cancel_at_period_end": True} if row.has_paid_month else None
    return _change(row, params, "subscription.cancelled", request=request)


def resume(user: User, *, request: Any = None) -> Subscription:
    """Take an end back before it has come. Raises as `cancel`."""
    return _change(_current(user), {"cancel_at_period_end": False}, "subscription.resumed", request=request)


def _current(user: User) -> Subscription:
    row = current(user)
    if row is None:
        raise NothingMonthly
    return row


def _change(row: Subscription, params: dict[str, Any] | None, action: str, *, request: Any, **details: Any) -> Subscription:
    """Ask Stripe for `params`, or for the end, and take over what it answers."""
    read_at, name = database_now(), row.stripe_id
    try:
        reading = readings.monthly(gateway.update_subscription(name, params) if params else gateway.cancel_subscription(name))
    except gateway.StripeRefused:
        if _is_over(row):
            raise NothingMonthly from None
        raise
    with transaction.atomic():
        applying.apply(Facts(read_at, subscription=reading, user_id=str(row.user_id)))
        record(action, row, actor=row.user, request=request, **details)
    row.refresh_from_db()
    return row


def _is_over(row: Subscription) -> bool:
    """Whether it has ended at Stripe; what we had not heard of is taken over."""
    try:
        applying.apply(facts.about("subscription", row.stripe_id))
    except gateway.StripeGone:
        _forget(row, database_now())
    row.refresh_from_db()
    return not row.is_live


@transaction.atomic
def _forget(row: Subscription, read_at: datetime) -> None:
    """Stripe knows nothing of it any more, so it is over; of several who find that out, one writes it down."""
    over = {"status": Subscription.Status.CANCELED, "ended_at": timezone.now(), "read_at": read_at}
    if Subscription.objects.live().filter(pk=row.pk).update(**over):
        record("subscription.ended", row, actor=row.user, reason="gone")
        applying.settle_second(row.stripe_id)


# --- closed accounts


def close(user: User) -> None:
    """Called in the transaction that closes an account: from now on every subscription is to be ended, and the tick keeps trying."""
    rows = Subscription.objects.visible_to(user).live().filter(end_requested_at=None)
    for row in rows.select_for_update():
        row.end_requested_at = timezone.now()
        row.save(update_fields=["end_requested_at"])
        record("subscription.end_requested", row, actor=user, reason="account_closed")


@transaction.atomic
def ask_to_end(row: Subscription, *, actor: User, request: Any = None) -> None:
    """By staff, at once and for good. Raises PermissionDenied, StepUpRequired."""
    if not actor.has_perm("billing.end_subscription"):
        raise PermissionDenied
    step_up(request)
    if Subscription.objects.live().filter(pk=row.pk, end_requested_at=None).update(end_requested_at=timezone.now()):
        record("subscription.end_requested", row, actor=actor, request=request, reason="staff")


def end_at_stripe(account_id: UUID) -> bool:
    """End what `close` asked for, and the payment pages; whether all of it is ended. The network is asked."""
    close_pages_of(account_id)
    rows = list(Subscription.objects.live().filter(user=account_id, end_requested_at__isnull=False))
    ended = [end(row) for row in rows]
    return all(ended)


def to_be_ended() -> list[UUID]:
    return list(Subscription.objects.to_be_ended(timezone.now()).values_list("pk", flat=True)[:200])


def end_due(pk: UUID) -> bool:
    row = Subscription.objects.to_be_ended(timezone.now()).filter(pk=pk).first()
    return row is not None and end(row)


def end(row: Subscription) -> bool:
    """At once and for good; asked again, Stripe has nothing left to end."""
    read_at = database_now()
    try:
        reading = readings.monthly(gateway.cancel_subscription(row.stripe_id))
    except gateway.StripeGone:
        _forget(row, read_at)
        return True
    except (gateway.StripeUnavailable, gateway.StripeRefused):
        _try_later(row)
        return False
    applying.apply(Facts(read_at, subscription=reading, user_id=reading.user_id or str(row.user_id)))
    return True


def _try_later(row: Subscription) -> None:
    wait = BACK_OFF[min(row.end_attempts, len(BACK_OFF) - 1)]
    due_at = timezone.now() + timedelta(seconds=wait)
    Subscription.objects.filter(pk=row.pk).update(end_due_at=due_at, end_attempts=min(row.end_attempts + 1, 30_000))
