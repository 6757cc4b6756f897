"""Comparing with Stripe: what it has that we have not, and the other way round. It reports; events and people put things right."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from audit.services import record
from billing import gateway, readings
from billing.models import Contribution, Difference, Subscription

LOOK_BACK = timedelta(days=35)  # more than a month, so that every renewal is seen twice
SETTLING = timedelta(minutes=30)  # what is younger may still be on its way to us
Kind = Difference.Kind


class Found(NamedTuple):
    kind: str
    object_type: str
    object_id: str
    here: str = ""
    there: str = ""


def reconcile() -> list[Found]:
    """Compare the last weeks, store what differs and settle what no longer does. Raises StripeUnavailable, and then changes nothing.

    While a difference is open it looks as far back as then: none is settled by growing old.
    """
    until = timezone.now() - SETTLING
    oldest = _open().aggregate(Min("found_at"))["found_at__min"]
    since = (min(until, oldest - SETTLING) if oldest else until) - LOOK_BACK
    found = [*_payments(since, until), *_money_back(since, until), *_subscriptions(until)]
    _store(found)
    return found


def _open() -> QuerySet[Difference]:
    return Difference.objects.filter(settled_at=None).exclude(kind=Kind.SECOND)


def _between(since: datetime, until: datetime) -> dict[str, Any]:
    return {"created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())}}


def _payments(since: datetime, until: datetime) -> Iterator[Found]:
    params = _between(since, until)
    seen: set[str] = set()
    for session in gateway.every("checkout.sessions", {**params, "expand": ["data.payment_intent.latest_charge"]}):
        intent = session.get("payment_intent")
        money = readings.money(intent, [], []) if isinstance(intent, dict) else None
        reading = readings.single_payment(session, money) if readings.user_of(session) else None
        if reading and reading.paid_at:
            seen.add(reading.payment_intent or session["id"])
            yield from _compare(reading, reading.payment_intent or session["id"])
    for bill in gateway.every("invoices", {**params, "status": "paid"}):
        if readings.payer_of(bill) and bill["subtotal"]:
            seen.add(bill["id"])
            yield from _compare_invoice(bill)
    ours = Contribution.objects.received().filter(paid_at__gte=since + timedelta(days=1), paid_at__lte=until)
    for row in ours.iterator(chunk_size=500):
        if not seen & {row.payment_intent, row.invoice_id, row.session_id} and not _is_there(row):
            name = str(row.payment_intent or row.invoice_id or row.session_id)
            yield Found(Kind.MISSING_THERE, "contribution", name, here=str(row.amount))


def _is_there(row: Contribution) -> bool:
    """Asked for by name: an invoice that was paid late is older than the list."""
    try:
        if row.invoice_id:
            gateway.invoice(row.invoice_id)
        elif row.payment_intent:
            gateway.payment_intent(row.payment_intent)
        else:
            gateway.session(str(row.session_id))
    except gateway.StripeGone:
        return False
    return True


def _compare(reading: readings.Payment, name: str) -> Iterator[Found]:
    key = "payment_intent" if reading.payment_intent else "session_id"
    row = Contribution.objects.filter(**{key: name}).first()
    if row is None or row.paid_at is None:
        yield Found(Kind.MISSING_HERE, "contribution", name, there=str(reading.amount))
        return
    if row.amount != reading.amount:
        yield Found(Kind.AMOUNT, "contribution", name, here=str(row.amount), there=str(reading.amount))


def _money_back(since: datetime, until: datetime) -> Iterator[Found]:
    """What was refunded or disputed lately, single or monthly and however long ago it was paid."""
    params = _between(since, until)
    backs = [one for resource in ("refunds", "disputes") for one in gateway.every(resource, params)]
    for name in dict.fromkeys(readings.name_of(one.get("payment_intent")) for one in backs):
        row = Contribution.objects.filter(payment_intent=name).first()
        if row is None or row.paid_at is None:  # another shop's, or told above
            continue
        money = readings.money(gateway.payment_intent(name), [], gateway.disputes_of(name))
        if row.amount_refunded != money.amount_refunded:
            yield Found(Kind.REFUNDED, "contribution", name, here=str(row.amount_refunded), there=str(money.amount_refunded))
        elif row.status != money.status:
            yield Found(Kind.STATUS, "contribution", name, here=row.status, there=money.status)


def _compare_invoice(bill: gateway.Object) -> Iterator[Found]:
    row = Contribution.objects.filter(invoice_id=bill["id"]).first()
    if row is None or row.paid_at is None:
        yield Found(Kind.MISSING_HERE, "invoice", bill["id"], there=str(bill["amount_paid"]))
    elif row.amount != bill["amount_paid"]:
        yield Found(Kind.AMOUNT, "invoice", bill["id"], here=str(row.amount), there=str(bill["amount_paid"]))


def _subscriptions(until: datetime) -> Iterator[Found]:
    seen: set[str] = set()
    for sub in gateway.every("subscriptions", {"status": "all"}):
        if not readings.user_of(sub) or sub["created"] > until.timestamp():
            continue
        seen.add(sub["id"])
        reading = readings.monthly(sub)
        row = Subscription.objects.filter(stripe_id=sub["id"]).first()
        if row is None:
            yield Found(Kind.MISSING_HERE, "subscription", sub["id"], there=reading.status)
        elif row.status != reading.status:
            late = row.end_requested_at is not None or row.ended_at is not None
            kind = Kind.CHARGED_AFTER_END if late and reading.ended_at is None else Kind.STATUS
            yield Found(kind, "subscription", sub["id"], here=row.status, there=reading.status)
        elif row.amount != reading.amount:
            yield Found(Kind.AMOUNT, "subscription", sub["id"], here=str(row.amount), there=str(reading.amount))
        elif row.end_requested_at and row.is_live and row.end_requested_at < until:
            yield Found(Kind.CHARGED_AFTER_END, "subscription", sub["id"], here="end_requested", there=reading.status)
    for row in Subscription.objects.live().filter(started_at__lte=until).exclude(stripe_id__in=seen):
        yield Found(Kind.MISSING_THERE, "subscription", row.stripe_id, here=row.status)


@transaction.atomic
def _store(found: list[Found]) -> None:
    now = timezone.now()
    still = {(one.kind, one.object_id) for one in found}
    for row in _open().select_for_update():
        if (row.kind, row.object_id) not in still:
            row.settled_at = now
            row.save(update_fields=["settled_at"])
    fresh = 0
    for one in found:
        _row, made = Difference.objects.update_or_create(
            kind=one.kind, object_id=one.object_id, settled_at=None,
            defaults={"object_type": one.object_type, "here": one.here, "there": one.there},
        )  # fmt: skip
        fresh += made
    if fresh:
        record("stripe.differences_found", None, new=fresh, open=len(found))
