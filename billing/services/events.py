"""Stripe's events: checked, stored once, applied by a worker. The row is the queue."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from audit.services import record
from billing import gateway
from billing.models import StripeEvent
from billing.services import applying, facts

TOLERANCE = 300  # seconds between Stripe's signature and now
LEASE = timedelta(minutes=2)
BACK_OFF = (5, 15, 60, 300, 900, 3600)  # seconds; then hourly
MOST_ATTEMPTS = 60  # two and a half days
Status = StripeEvent.Status

APPLIED = frozenset(
    {
        "checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "invoice.paid", "invoice.payment_succeeded", "invoice.payment_failed", "invoice.voided", "invoice.marked_uncollectible",
        "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
        "customer.subscription.paused", "customer.subscription.resumed",
        "charge.refunded", "charge.refund.updated", "refund.created", "refund.updated", "refund.failed",
        "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)  # fmt: skip


class EventRefused(Exception):
    """Not Stripe's, too old, of the wrong mode, or no event at all. `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def receive(body: bytes, signature: str) -> StripeEvent | None:
    """Store an event once; returns it when there is something to apply. Raises EventRefused."""
    check_signature(body, signature)
    event = _parsed(body)
    if event["livemode"] is not gateway.is_live():
        raise EventRefused("livemode")
    about = event["data"]["object"]
    handled = event["type"] in APPLIED
    row = StripeEvent(
        event_id=event["id"], type=event["type"][:100], api_version=str(event.get("api_version") or "")[:40], livemode=event["livemode"],
        happened_at=datetime.fromtimestamp(event["created"], UTC), object_type=str(about.get("object") or "")[:60],
        object_id=str(about.get("id") or "")[:100], payment_intent=_intent(about), payload_hash=hashlib.sha256(body).digest(),
        status=Status.RECEIVED if handled else Status.IGNORED,
    )  # fmt: skip
    StripeEvent.objects.bulk_create([row], ignore_conflicts=True)  # one statement: the second delivery finds it there
    return row if handled else None


def check_signature(body: bytes, signature: str) -> None:
    """Against every configured secret: there are two while one replaces the other. Raises EventRefused."""
    for secret in settings.STRIPE_WEBHOOK_SECRET:
        try:
            stripe.WebhookSignature.verify_header(body.decode(), signature, secret, TOLERANCE)
        except (stripe.SignatureVerificationError, UnicodeDecodeError, ValueError, TypeError):  # TypeError: letters that are not ASCII
            continue
        return
    raise EventRefused("signature")


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(body)
        fits = (
            event["object"] == "event" and isinstance(event["livemode"], bool) and isinstance(event["data"]["object"], dict)
            and 0 < len(event["id"]) <= 100 and 0 <= event["created"] < 1 << 33 and all(_is_plain(text) for text in _kept(event))
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise EventRefused("shape")
    return event


def _kept(event: dict[str, Any]) -> list[Any]:
    """The texts of it that are stored."""
    about = event["data"]["object"]
    return [event["id"], event["type"], event.get("api_version") or "", about.get("object") or "", about.get("id") or "", _intent(about)]


def _is_plain(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable()


def _intent(about: dict[str, Any]) -> str:
    intent = about.get("payment_intent")
    return str((intent.get("id") if isinstance(intent, dict) else intent) or "")[:100]


# --- the worker


def due() -> list[UUID]:
    return list(StripeEvent.objects.due(timezone.now()).order_by("due_at").values_list("pk", flat=True)[:500])


def apply_event(pk: UUID) -> None:
    """Read what the event is about, then write it down; may be called at any time by any number of processes."""
    event = _claim(pk)
    if event is None:
        return
    try:
        found = facts.about(event.object_type, event.object_id, event.payment_intent)
    except gateway.StripeUnavailable as error:
        _put_off(event, str(error))
    except gateway.StripeRefused as error:
        _finish(event, Status.FAILED, error.code or "refused")
    else:
        with transaction.atomic():
            _finish_locked(event, applying.apply(found))


@transaction.atomic
def _claim(pk: UUID) -> StripeEvent | None:
    """Leases the event: whoever dies over it leaves it due again."""
    rows = StripeEvent.objects.select_for_update(skip_locked=True)
    event = rows.due(timezone.now()).filter(pk=pk).first()
    if event is None:
        return None
    if event.attempts >= MOST_ATTEMPTS:  # nobody who tried came back to say why
        _finish(event, Status.FAILED, event.error or "attempts")
        return None
    event.due_at, event.attempts = timezone.now() + LEASE, event.attempts + 1
    event.save(update_fields=["due_at", "attempts"])
    return event


def _finish_locked(event: StripeEvent, attention: str) -> None:
    row = StripeEvent.objects.select_for_update().get(pk=event.pk)
    if row.status != Status.RECEIVED:  # another worker, after this one's lease had lapsed
        return
    row.status, row.error, row.applied_at = Status.UNMATCHED if attention else Status.APPLIED, attention, timezone.now()
    row.save(update_fields=["status", "error", "applied_at"])
    if attention:
        record("stripe.event_unmatched", row, reason=attention, type=row.type)


def _finish(event: StripeEvent, status: str, error: str) -> None:
    StripeEvent.objects.filter(pk=event.pk, status=Status.RECEIVED).update(status=status, error=error[:60])


def _put_off(event: StripeEvent, error: str) -> None:
    if event.attempts >= MOST_ATTEMPTS:
        _finish(event, Status.FAILED, error)
        return
    wait = BACK_OFF[min(event.attempts, len(BACK_OFF)) - 1]
    StripeEvent.objects.filter(pk=event.pk).update(due_at=timezone.now() + timedelta(seconds=wait), error=error[:60])


@transaction.atomic
def retry(rows: Any, *, actor: User, request: Any = None) -> list[UUID]:
    """Have events applied again that failed or were nobody's; returns which."""
    chosen = list(rows.select_for_update().filter(status__in=[Status.FAILED, Status.UNMATCHED]))
    for row in chosen:
        row.status, row.due_at, row.attempts, row.error = Status.RECEIVED, timezone.now(), 0, ""
        row.save(update_fields=["status", "due_at", "attempts", "error"])
        record("stripe.event_retried", row, actor=actor, request=request, type=row.type)
    return [row.pk for row in chosen]
