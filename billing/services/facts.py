"""Reading from Stripe what an event is about. The network is asked here, before any transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connection

from billing import gateway, readings
from billing.models import Contribution
from billing.readings import Monthly, Payment, Visit

OF_A_PAYMENT = {"charge", "refund", "dispute", "payment_intent"}


@dataclass
class Facts:
    """What Stripe says now about an object and everything that hangs on it; `read_at` is from before it was asked."""

    read_at: datetime
    visit: Visit | None = None
    subscription: Monthly | None = None
    payments: list[Payment] = field(default_factory=list)
    user_id: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it carries what we send along, an account's id; the account at Stripe may serve other shops too."""
        try:
            return bool(UUID(self.user_id))
        except ValueError:
            return False


def database_now() -> datetime:
    """One clock for all workers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at


def about(kind: str, name: str, payment_intent: str = "") -> Facts:
    """`kind` and `name` as in an event's object. Raises StripeUnavailable, StripeRefused, StripeGone."""
    facts = Facts(database_now())
    if kind == "checkout.session":
        _read_session(facts, name)
    elif kind == "invoice":
        _read_invoice(facts, name)
    elif kind == "subscription":
        _read_subscription(facts, name)
    elif kind in OF_A_PAYMENT:
        _read_payment(facts, payment_intent or name)
    return facts


def _read_session(facts: Facts, name: str) -> None:
    row = gateway.session(name)
    facts.visit = readings.visit(row)
    facts.user_id = facts.visit.user_id
    intent = row.get("payment_intent")
    if payment := readings.single_payment(row, _money(intent) if isinstance(intent, dict) else None):
        facts.payments.append(payment)
    if bill := readings.name_of(row.get("invoice")):
        _read_invoice(facts, bill)
    elif sub := readings.name_of(row.get("subscription")):
        _read_subscription(facts, sub)


def _read_subscription(facts: Facts, name: str) -> None:
    facts.subscription = readings.monthly(gateway.subscription(name))
    facts.user_id = facts.user_id or facts.subscription.user_id


def _read_invoice(facts: Facts, name: str) -> None:
    row = gateway.invoice(name)
    if sub := readings.subscription_of(row):
        _read_subscription(facts, sub)
    facts.user_id = facts.user_id or readings.payer_of(row)
    intent = readings.intent_of(row)
    money = _money(gateway.payment_intent(intent)) if intent and row["status"] == "paid" else None
    if payment := readings.invoice_payment(row, money, user_id=facts.user_id):
        facts.payments.append(payment)


def _read_payment(facts: Facts, name: str) -> None:
    """By whatever it paid: the page, or the invoice."""
    if not name.startswith("pi_"):
        return
    known = Contribution.objects.filter(payment_intent=name).first()
    bill = (known.invoice_id or "") if known else gateway.invoice_of(name)
    if bill:
        _read_invoice(facts, bill)
    elif page := gateway.session_of(name):
        _read_session(facts, page)


def _money(intent: gateway.Object) -> readings.Money:
    """With refunds and disputes where the charge says that there are any."""
    charge = intent["latest_charge"] if isinstance(intent.get("latest_charge"), dict) else {}
    refunds = gateway.refunds_of(intent["id"]) if charge else []
    disputes = gateway.disputes_of(intent["id"]) if charge.get("disputed") else []
    return readings.money(intent, refunds, disputes)
