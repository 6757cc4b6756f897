"""What Stripe's objects say, in our words: pure functions over plain dicts, for the API's old shapes and its new ones.

Until 2025 an invoice named its payment intent and its subscription itself, and a subscription its period; since then the first hang
below `payments` and `parent`, and the period belongs to the subscription's item.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from billing.models import Checkout, Contribution, Refund, Subscription
from billing.models.contributions import Rhythm

Object = dict[str, Any]
Status = Contribution.Status
SETTLED_WELL = {"won", "warning_needs_response", "warning_under_review", "warning_closed", "prevented"}  # no money was taken
REFUND_STATUS = {
    "succeeded": Refund.Status.SUCCEEDED, "pending": Refund.Status.PENDING, "requires_action": Refund.Status.PENDING,
    "failed": Refund.Status.FAILED, "canceled": Refund.Status.FAILED,
}  # fmt: skip


class RefundReading(NamedTuple):
    stripe_id: str
    amount: int
    status: str


class Payment(NamedTuple):
    """One payment with everything that became of it; `user_id` is what we once sent along, or empty."""

    user_id: str
    rhythm: str
    status: str
    amount: int
    worth: int
    currency: str
    payment_intent: str | None = None
    invoice_id: str | None = None
    session_id: str | None = None
    subscription_id: str = ""
    amount_refunded: int = 0
    paid_at: datetime | None = None
    period_end: datetime | None = None
    refunds: tuple[RefundReading, ...] = ()


class Monthly(NamedTuple):
    user_id: str
    stripe_id: str
    item_id: str
    product_id: str
    status: str
    is_paused: bool
    amount: int
    currency: str
    started_at: datetime
    period_end: datetime | None
    ends_at_period_end: bool
    ended_at: datetime | None


class Visit(NamedTuple):
    """How a visit to the payment page went."""

    user_id: str
    session_id: str
    rhythm: str
    amount: int
    status: str


def instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def user_of(row: Object) -> str:
    return str((row.get("metadata") or {}).get("user_id") or "")


def name_of(value: Any) -> str:
    """The id, of an object or of what stands in its place."""
    return str(value["id"]) if isinstance(value, dict) else str(value or "")


# --- subscriptions


def monthly(row: Object) -> Monthly:
    item = row["items"]["data"][0]
    price = item["price"]
    return Monthly(
        user_id=user_of(row), stripe_id=row["id"], item_id=item["id"], product_id=name_of(price["product"]),
        status=row["status"] if row["status"] in Subscription.Status.values else Subscription.Status.INCOMPLETE,
        is_paused=row.get("pause_collection") is not None, amount=(price["unit_amount"] or 0) * (item.get("quantity") or 1),
        currency=price["currency"], started_at=datetime.fromtimestamp(row["start_date"], UTC),
        period_end=instant(item.get("current_period_end") or row.get("current_period_end")),
        ends_at_period_end=bool(row.get("cancel_at_period_end")), ended_at=instant(row.get("ended_at")),
    )  # fmt: skip


# --- checkout sessions


def visit(row: Object) -> Visit:
    return Visit(
        user_id=user_of(row), session_id=row["id"], rhythm=Rhythm.MONTHLY if row["mode"] == "subscription" else Rhythm.ONCE,
        amount=row["amount_subtotal"] or 0, status=_visit_status(row),
    )  # fmt: skip


def _visit_status(row: Object) -> str:
    if row["status"] != "complete":
        return Checkout.Status.EXPIRED if row["status"] == "expired" else Checkout.Status.OPEN
    if row["payment_status"] in {"paid", "no_payment_required"}:
        return Checkout.Status.COMPLETE
    intent = row.get("payment_intent")
    waits = not isinstance(intent, dict) or intent["status"] == "processing"
    return Checkout.Status.PROCESSING if waits else Checkout.Status.FAILED


def single_payment(row: Object, money: "Money | None") -> Payment | None:
    """What was paid on a page that is complete, once."""
    if row["status"] != "complete" or row["mode"] != "payment":
        return None
    common = {
        "user_id": user_of(row), "rhythm": Rhythm.ONCE, "currency": row["currency"], "amount": row["amount_total"] or 0,
        "worth": row["amount_subtotal"] or 0,
    }  # fmt: skip
    if money is None:
        free = row["payment_status"] == "no_payment_required"
        return Payment(**common, status=Status.PAID, session_id=row["id"], paid_at=instant(row["created"])) if free else None
    return Payment(**common, payment_intent=money.payment_intent, session_id=row["id"], **money.outcome())


# --- invoices


def subscription_of(row: Object) -> str:
    details = (row.get("parent") or {}).get("subscription_details") or {}
    return name_of(details.get("subscription") or row.get("subscription"))


def payer_of(row: Object) -> str:
    details = (row.get("parent") or {}).get("subscription_details") or row.get("subscription_details") or {}
    return user_of(details)


def intent_of(row: Object) -> str:
    """The payment intent that paid, or tried to; an invoice may be paid without any."""
    payments = [one["payment"] for one in (row.get("payments") or {}).get("data", []) if one["status"] in {"paid", "open"}]
    named = [name_of(one.get("payment_intent")) for one in payments if one.get("payment_intent")]
    return named[-1] if named else name_of(row.get("payment_intent"))


def invoice_payment(row: Object, money: "Money | None", *, user_id: str) -> Payment | None:
    """What an invoice came to; None for one that asks for nothing or has not been tried yet."""
    if not row["subtotal"] or row["status"] == "draft":
        return None
    paid = row["status"] == "paid"
    if not paid and not row.get("attempted"):
        return None
    outcome: Object = {"status": Status.PAID if paid else Status.FAILED, "paid_at": instant(_paid_at(row)) if paid else None}
    if paid and money is not None:
        outcome = money.outcome() | {"paid_at": instant(_paid_at(row)) or money.paid_at}
    return Payment(
        user_id=user_id, rhythm=Rhythm.MONTHLY, amount=row["amount_paid"] if paid else row["amount_due"], worth=row["subtotal"],
        currency=row["currency"], payment_intent=money.payment_intent if money else None, invoice_id=row["id"],
        subscription_id=subscription_of(row), period_end=_period_end(row), **outcome,
    )  # fmt: skip


def _paid_at(row: Object) -> int:
    return int((row.get("status_transitions") or {}).get("paid_at") or row["created"])


def _period_end(row: Object) -> datetime | None:
    ends = [line["period"]["end"] for line in row["lines"]["data"] if line.get("period")]
    return instant(max(ends)) if ends else None


# --- the money itself


class Money(NamedTuple):
    """A payment intent with what went back of it."""

    payment_intent: str
    status: str
    amount_refunded: int
    paid_at: datetime | None
    refunds: tuple[RefundReading, ...]

    def outcome(self) -> Object:
        return {"status": self.status, "amount_refunded": self.amount_refunded, "paid_at": self.paid_at, "refunds": self.refunds}


def money(intent: Object, refunds: list[Object], disputes: list[Object]) -> Money:
    charge = intent["latest_charge"] if isinstance(intent.get("latest_charge"), dict) else None
    back = charge["amount_refunded"] if charge else 0
    came = intent["status"] == "succeeded"
    return Money(
        payment_intent=intent["id"], status=_status(intent, back, [one["status"] for one in disputes]), amount_refunded=back,
        paid_at=instant(charge["created"] if charge else intent["created"]) if came else None,
        refunds=tuple(RefundReading(one["id"], one["amount"], REFUND_STATUS.get(one["status"], Refund.Status.PENDING)) for one in refunds),
    )  # fmt: skip


def _status(intent: Object, back: int, disputes: list[str]) -> str:
    if intent["status"] == "processing":
        return Status.PROCESSING
    if intent["status"] != "succeeded":
        return Status.FAILED
    if "lost" in disputes:
        return Status.LOST
    if any(one not in SETTLED_WELL for one in disputes):
        return Status.DISPUTED
    if back:
        return Status.REFUNDED if back >= intent["amount"] else Status.PARTLY_REFUNDED
    return Status.PAID
