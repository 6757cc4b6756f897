"""The account at the pretend Stripe: its objects, and what can happen to them. Every happening is an event."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe import objects
from sandbox.stripe.errors import StripeError, missing
from sandbox.stripe.objects import MONTH, Object, make, render
from sandbox.stripe.webhooks import Webhooks

SECRET_KEY = "sk_test_sandbox"
LIVE = {"trialing", "active", "past_due", "unpaid", "paused", "incomplete"}


@dataclass
class StripeWorld:
    base_url: str = ""
    webhooks: Webhooks = field(default_factory=Webhooks)
    key: str = SECRET_KEY
    objects: dict[str, Object] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)  # by idempotency key
    asked: deque[Object] = field(default_factory=lambda: deque(maxlen=2000))
    lost: list[str] = field(default_factory=list)  # paths whose next answer gets lost after the deed
    kept: set[str] = field(default_factory=set)  # those of them whose failure stays with the idempotency key

    def reset(self) -> None:
        self.webhooks.stop()
        self.webhooks = Webhooks()
        self.objects.clear()
        self.answers.clear()
        self.asked.clear()
        self.lost.clear()
        self.kept.clear()

    # --- the objects

    def add(self, row: Object) -> Object:
        self.objects[row["id"]] = row
        return row

    def get(self, kind: str, name: str) -> Object:
        row = self.objects.get(name)
        if row is None or row["object"] != kind:
            raise missing(kind.replace(".", " ").replace("_", " "), name)
        return row

    def all(self, kind: str) -> list[Object]:
        """Newest first, as Stripe lists them."""
        return [row for row in reversed(self.objects.values()) if row["object"] == kind]

    def say(self, kind: str, row: Object, previous: Object | None = None) -> None:
        self.webhooks.happened(kind, render(self, row, version=self.webhooks.version), previous)

    # --- Checkout

    def expire(self, session: Object) -> Object:
        if session["status"] != "open":
            raise StripeError(f'Only Checkout Sessions with a status in ["open"] can be expired; this one is {session["status"]}.')
        session["status"] = "expired"
        self.say("checkout.session.expired", session)
        return session

    def pay(self, session: Object, *, email: str = "", way: str = "card") -> Object:
        """`way`: card, debit (settles later), coupon (everything off)."""
        self.must_be_open(session)
        session["customer_details"] = {"email": email or "payer@example.test", "name": "A Payer", "address": {"country": "FR"}}
        if way == "coupon":
            session["total_details"]["amount_discount"] = session["amount_subtotal"]
            session["amount_total"] = 0
        self.begin(session) if session["mode"] == "subscription" else self.pay_once(session, way)
        if session["mode"] == "subscription":
            self.pay_first_invoice(session, way)
        session["status"] = "complete"
        self.say("checkout.session.completed", session)
        return session

    def must_be_open(self, session: Object) -> None:
        if session["status"] == "open" and session["expires_at"] <= time.time():
            self.expire(session)
        if session["status"] != "open":
            raise StripeError("This Checkout Session is no longer open.")

    def pay_once(self, session: Object, way: str) -> None:
        if way == "coupon":
            session["payment_status"] = "no_payment_required"
            return
        intent = self.intent_of(session)
        if way == "debit":
            intent["status"] = "processing"
            self.say("payment_intent.processing", intent)
            return
        self.succeed(intent, session["customer_details"]["email"])
        session["payment_status"] = "paid"

    def intent_of(self, session: Object) -> Object:
        """Made when somebody first tries to pay, as Stripe does."""
        if session["payment_intent"]:
            return self.objects[session["payment_intent"]]
        metadata = session["_item"].get("intent_metadata", {})
        intent = self.add(
            objects.payment_intent(amount=session["amount_total"], currency=session["currency"], customer=None, metadata=metadata)
        )
        session["payment_intent"] = intent["id"]
        self.say("payment_intent.created", intent)
        return intent

    def succeed(self, intent: Object, email: str = "payer@example.test") -> None:
        row = self.add(objects.charge(intent, email=email, url=self.base_url))
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": row["id"], "last_payment_error": None}
        self.say("charge.succeeded", row)
        self.say("payment_intent.succeeded", intent)

    def fail(self, intent: Object) -> None:
        error = {"code": "card_declined", "decline_code": "generic_decline", "message": "Your card was declined.", "type": "card_error"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
        self.say("payment_intent.payment_failed", intent)

    def decline(self, session: Object) -> None:
        """The card is refused and the page stays open; of a subscription nothing exists yet."""
        self.must_be_open(session)
        if session["mode"] == "payment":
            self.fail(self.intent_of(session))

    def settle(self, session: Object, *, well: bool) -> Object:
        """A debit that was under way comes through, or does not."""
        intent = self.objects.get(session["payment_intent"] or "")
        if intent is None or intent["status"] != "processing":
            raise StripeError("Nothing is under way for this session.")
        if well:
            self.succeed(intent)
            session["payment_status"] = "paid"
        else:
            self.fail(intent)
        self.say(f"checkout.session.async_payment_{'succeeded' if well else 'failed'}", session)
        return session

    # --- subscriptions

    def begin(self, session: Object) -> Object:
        customer = self.add(make("customer", email=session["customer_details"]["email"], metadata={}))
        item = session["_item"]
        sub = self.add(objects.subscription(customer=customer["id"], row=item["price"], metadata=item.get("subscription_metadata", {})))
        session |= {"customer": customer["id"], "subscription": sub["id"]}
        self.say("customer.created", customer)
        self.say("customer.subscription.created", sub)
        return sub

    def pay_first_invoice(self, session: Object, way: str) -> None:
        sub = self.objects[session["subscription"]]
        bill = self.bill(sub, reason="subscription_create", free=way == "coupon")
        session["invoice"] = bill["id"]
        self.pay_invoice(bill)
        self.change(sub, status="active")
        session["payment_status"] = "paid" if bill["total"] else "no_payment_required"

    def bill(self, sub: Object, *, reason: str, free: bool = False) -> Object:
        amount = sub["items"]["data"][0]["price"]["unit_amount"]
        row = self.add(objects.invoice(sub, total=0 if free else amount, subtotal=amount, reason=reason))
        sub["latest_invoice"] = row["id"]
        self.say("invoice.created", row)
        self.say("invoice.finalized", row)
        return row

    def pay_invoice(self, bill: Object, *, out_of_band: bool = False) -> Object:
        bill |= {"status": "paid", "amount_paid": bill["total"], "amount_remaining": 0, "attempted": True}
        bill["attempt_count"] += 1
        bill["status_transitions"]["paid_at"] = int(time.time())
        if bill["total"] and not out_of_band:
            intent = self.intent_for(bill)
            self.succeed(intent)
            payment = self.objects[bill["_payments"][-1]]
            payment |= {"status": "paid", "amount_paid": intent["amount"]}
            self.say("invoice_payment.paid", payment)
        self.say("invoice.paid", bill)
        self.say("invoice.payment_succeeded", bill)
        return bill

    def fail_invoice(self, bill: Object) -> Object:
        bill |= {"attempted": True, "attempt_count": bill["attempt_count"] + 1}
        self.fail(self.intent_for(bill))
        self.say("invoice.payment_failed", bill)
        return bill

    def intent_for(self, bill: Object) -> Object:
        if bill["_payments"]:
            return self.objects[self.objects[bill["_payments"][-1]]["payment"]["payment_intent"]]
        intent = self.add(objects.payment_intent(amount=bill["total"], currency=bill["currency"], customer=bill["customer"], metadata={}))
        bill["_payments"].append(self.add(objects.invoice_payment(bill, intent, status="open"))["id"])
        return intent

    def change(self, sub: Object, **fields: Any) -> Object:
        previous = {name: sub.get(name) for name, value in fields.items() if sub.get(name) != value}
        if previous:
            sub |= fields
            self.say("customer.subscription.updated", sub, previous)
        return sub

    def renew(self, sub: Object, *, outcome: str = "paid") -> Object:
        """The next month begins; `outcome`: paid, failed, out_of_band, free."""
        if sub["status"] not in LIVE:
            raise StripeError("This subscription has ended.")
        if sub["cancel_at_period_end"]:
            return self.cancel(sub)
        item = sub["items"]["data"][0]
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] += MONTH
        self.say("customer.subscription.updated", sub, {"latest_invoice": sub["latest_invoice"]})
        bill = self.bill(sub, reason="subscription_cycle", free=outcome == "free")
        if outcome == "failed":
            self.fail_invoice(bill)
            return self.change(sub, status="past_due")
        self.pay_invoice(bill, out_of_band=outcome == "out_of_band")
        return self.change(sub, status="active")

    def pay_overdue(self, sub: Object) -> Object:
        bill = self.objects[sub["latest_invoice"]]
        if bill["status"] == "open":
            self.pay_invoice(bill)
        return self.change(sub, status="active")

    def pause(self, sub: Object, *, on: bool) -> Object:
        """Nothing is collected for a while. The subscription goes on being active, and says of itself only that it was updated."""
        return self.change(sub, pause_collection={"behavior": "void", "resumes_at": None} if on else None)

    def suspend(self, sub: Object) -> Object:
        """What becomes of a trial that ends without a card."""
        self.change(sub, status="paused")
        self.say("customer.subscription.paused", sub)
        return sub

    def cancel(self, sub: Object) -> Object:
        if sub["status"] == "canceled":
            raise missing("subscription", sub["id"])
        sub |= {"status": "canceled", "ended_at": int(time.time()), "canceled_at": int(time.time())}
        self.say("customer.subscription.deleted", sub)
        return sub

    # --- money going back

    def refund(
        self, intent: Object, *, amount: int | None, metadata: Object, reason: str | None = None, status: str = "succeeded"
    ) -> Object:
        charge = self.objects.get(intent["latest_charge"] or "")
        if charge is None:
            raise StripeError("This PaymentIntent does not have a successful charge to refund.")
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        wanted = left if amount is None else amount
        if not 0 < wanted <= left:
            raise StripeError(f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})", param="amount")
        row = self.add(objects.refund(intent, amount=wanted, metadata=metadata, reason=reason, status=status))
        charge["amount_refunded"] += wanted
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.say("refund.created", row)
        self.say("charge.refunded", charge)
        return row

    def fail_refund(self, row: Object) -> Object:
        """The bank sends it back: the money is ours again."""
        charge = self.objects[row["charge"]]
        charge["amount_refunded"] -= row["amount"]
        charge["refunded"] = False
        row["status"] = "failed"
        self.say("refund.failed", row)
        self.say("charge.refund.updated", row)
        return row

    def open_dispute(self, intent: Object, reason: str = "fraudulent") -> Object:
        charge = self.objects[intent["latest_charge"]]
        charge["disputed"] = True
        row = self.add(objects.dispute(intent, reason=reason))
        self.say("charge.dispute.created", row)
        self.say("charge.dispute.funds_withdrawn", row)
        return row

    def close_dispute(self, row: Object, *, won: bool) -> Object:
        row["status"] = "won" if won else "lost"
        if won:
            self.say("charge.dispute.funds_reinstated", row)
        self.say("charge.dispute.closed", row)
        return row
