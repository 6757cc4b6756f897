"""What Stripe's objects look like: how each is born, and how it is shown in the old and the new versions of the API."""

from __future__ import annotations

import copy
import secrets
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.stripe.world import StripeWorld

Object = dict[str, Any]
CURRENT = "2026-10-28.endive"
NEW_SHAPE = "2025-03-31"  # invoices lost `payment_intent` and `subscription`, subscriptions their period
MONTH = 30 * 86400
PREFIXES = {
    "checkout.session": "cs_test_", "payment_intent": "pi_", "charge": "ch_", "customer": "cus_", "subscription": "sub_",
    "subscription_item": "si_", "invoice": "in_", "invoice_payment": "inpay_", "line_item": "il_", "refund": "re_", "dispute": "du_",
    "product": "prod_", "price": "price_", "event": "evt_",
}  # fmt: skip


def make(kind: str, **fields: Any) -> Object:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
    name = PREFIXES[kind] + "".join(secrets.choice(alphabet) for _ in range(24))
    return {"id": name, "object": kind, "created": int(time.time()), "livemode": False, **fields}


def listed(url: str, rows: list[Any], *, more: bool = False) -> Object:
    return {"object": "list", "data": rows, "has_more": more, "url": url}


def session(
    *, mode: str, total: int, currency: str, item: Object, urls: Object, metadata: Object, reference: str | None, expires_at: int
) -> Object:
    return make(
        "checkout.session", amount_subtotal=total, amount_total=total, cancel_url=urls.get("cancel"), client_reference_id=reference,
        currency=currency, customer=None, customer_creation="if_required", customer_details=None, customer_email=None,
        expires_at=expires_at, invoice=None, metadata=metadata, mode=mode, payment_intent=None, payment_method_types=["card"],
        payment_status="unpaid", status="open", submit_type=None, subscription=None, success_url=urls["success"],
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, ui_mode="hosted", _item=item,
    )  # fmt: skip


def payment_intent(*, amount: int, currency: str, customer: str | None, metadata: Object) -> Object:
    return make(
        "payment_intent", amount=amount, amount_capturable=0, amount_received=0, canceled_at=None, capture_method="automatic_async",
        currency=currency, customer=customer, description=None, last_payment_error=None, latest_charge=None, metadata=dict(metadata),
        payment_method_types=["card"], status="requires_payment_method",
    )  # fmt: skip


def charge(intent: Object, *, email: str, url: str) -> Object:
    row = make(
        "charge", amount=intent["amount"], amount_captured=intent["amount"], amount_refunded=0, billing_details={"email": email},
        captured=True, currency=intent["currency"], customer=intent["customer"], disputed=False, failure_code=None,
        metadata=dict(intent["metadata"]), outcome={"type": "authorized"}, paid=True, payment_intent=intent["id"], refunded=False,
        status="succeeded",
    )  # fmt: skip
    return row | {"receipt_url": f"{url}/receipts/{row['id']}"}


def price(*, amount: int, currency: str, product: str, recurring: Object | None) -> Object:
    shown = {"interval": recurring["interval"], "interval_count": 1, "usage_type": "licensed"} if recurring else None
    kind = "recurring" if recurring else "one_time"
    return make("price", active=True, currency=currency, product=product, recurring=shown, type=kind, unit_amount=amount)


def subscription(*, customer: str, row: Object, metadata: Object) -> Object:
    now = int(time.time())
    item = make("subscription_item", current_period_start=now, current_period_end=now + MONTH, price=row, quantity=1)
    return make(
        "subscription", cancel_at=None, cancel_at_period_end=False, canceled_at=None, collection_method="charge_automatically",
        currency=row["currency"], customer=customer, ended_at=None, items=listed("/v1/subscription_items", [item]), latest_invoice=None,
        metadata=dict(metadata), pause_collection=None, start_date=now, status="incomplete", trial_end=None,
    )  # fmt: skip


def invoice(sub: Object, *, total: int, subtotal: int, reason: str) -> Object:
    item = sub["items"]["data"][0]
    period = {"start": item["current_period_start"], "end": item["current_period_end"]}
    line = make("line_item", amount=subtotal, currency=sub["currency"], period=period, quantity=1)
    return make(
        "invoice", amount_due=total, amount_paid=0, amount_remaining=total, attempt_count=0, attempted=False, billing_reason=reason,
        currency=sub["currency"], customer=sub["customer"], lines=listed("/v1/invoices/lines", [line]), metadata={},
        parent={
            "type": "subscription_details", "quote_details": None,
            "subscription_details": {"subscription": sub["id"], "metadata": dict(sub["metadata"])},
        },
        period_start=period["start"], period_end=period["start"], status="open", subtotal=subtotal, total=total,
        status_transitions={"finalized_at": int(time.time()), "paid_at": None, "voided_at": None, "marked_uncollectible_at": None},
        _payments=[],
    )  # fmt: skip


def invoice_payment(bill: Object, intent: Object, *, status: str) -> Object:
    return make(
        "invoice_payment", amount_paid=intent["amount"] if status == "paid" else None, amount_requested=intent["amount"],
        currency=intent["currency"], invoice=bill["id"], is_default=True, status=status,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
    )  # fmt: skip


def refund(intent: Object, *, amount: int, metadata: Object, reason: str | None, status: str) -> Object:
    return make(
        "refund", amount=amount, charge=intent["latest_charge"], currency=intent["currency"], metadata=metadata,
        payment_intent=intent["id"], reason=reason, status=status,
    )  # fmt: skip


def dispute(intent: Object, *, reason: str) -> Object:
    return make(
        "dispute", amount=intent["amount"], charge=intent["latest_charge"], currency=intent["currency"], evidence_details={},
        is_charge_refundable=False, metadata={}, payment_intent=intent["id"], reason=reason, status="needs_response",
    )  # fmt: skip


def render(world: StripeWorld, row: Object, *, version: str = CURRENT, expand: tuple[str, ...] = ()) -> Object:
    """As the API of `version` shows it, less what is ours; `expand` are dotted paths."""
    shown = shaped(world, row, old=version < NEW_SHAPE)
    for path in expand:
        unfold(world, shown, path.split("."), version)
    return shown


def shaped(world: StripeWorld, row: Object, *, old: bool) -> Object:
    shown = {name: copy.deepcopy(value) for name, value in row.items() if not name.startswith("_")}
    if row["object"] == "checkout.session":
        shown["url"] = f"{world.base_url}/c/pay/{row['id']}" if row["status"] == "open" else None
    elif old and row["object"] == "invoice":
        details = shown.pop("parent")["subscription_details"]
        paid_by = [world.objects[name] for name in row["_payments"]]
        intent = paid_by[-1]["payment"]["payment_intent"] if paid_by else None
        shown |= {
            "subscription": details["subscription"], "subscription_details": {"metadata": details["metadata"]},
            "payment_intent": intent, "charge": world.objects[intent]["latest_charge"] if intent else None,
            "paid": row["status"] == "paid", "paid_out_of_band": row["status"] == "paid" and not intent and row["total"] > 0,
        }  # fmt: skip
    elif old and row["object"] == "subscription":
        item = shown["items"]["data"][0]
        shown |= {name: item.pop(name) for name in ("current_period_start", "current_period_end")}
    return shown


def unfold(world: StripeWorld, shown: Any, path: list[str], version: str) -> None:
    """Put the object in the place of its id, along `path`; lists pass it on to each of their rows."""
    name, rest = path[0], path[1:]
    if isinstance(shown, list):
        for one in shown:
            unfold(world, one, path, version)
        return
    if not isinstance(shown, dict):
        return
    if name == "payments" and shown.get("object") == "invoice" and version >= NEW_SHAPE:
        rows = [render(world, world.objects[one], version=version) for one in world.objects[shown["id"]]["_payments"]]
        shown["payments"] = listed("/v1/invoice_payments", rows)
    value = shown.get(name)
    if isinstance(value, str) and value in world.objects:
        shown[name] = render(world, world.objects[value], version=version)
    if rest and shown.get(name) is not None:
        unfold(world, shown[name], rest, version)
