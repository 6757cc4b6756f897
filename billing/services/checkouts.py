"""Setting out to contribute: one payment page for a person and a rhythm, however many tabs ask for it.

The row comes first and its id is the idempotency key, so that a second tab, a second click or a retry after a crash is given the same
page. Only the account's id and the amount go to Stripe.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from billing import gateway
from billing.amounts import shown
from billing.models import Checkout, ContributionTerms, Subscription
from billing.models.contributions import Rhythm
from billing.services import applying, facts

KEPT_FOR = timedelta(hours=23)  # Stripe's pages, and what it remembers of an idempotency key, last a day
PRODUCT = "Contribution"


class AlreadyMonthly(Exception):
    """There is a monthly contribution: its amount can be changed."""


class PaymentUnderWay(Exception):
    """The page before this one has just been paid."""


def check_amount(amount: int, terms: ContributionTerms) -> None:
    """Raises ValidationError for what the terms do not allow."""
    if not terms.minimum <= amount <= terms.maximum:
        limits = {"least": shown(terms.minimum, terms.currency), "most": shown(terms.maximum, terms.currency)}
        raise ValidationError(_("Choose an amount from %(least)s to %(most)s.") % limits, code="amount")


def begin(user: User, *, rhythm: str, amount: int, request: Any = None) -> str:
    """The address of the payment page.

    Raises ValidationError, AlreadyMonthly, PaymentUnderWay, StripeUnavailable, StripeRefused.
    """
    terms = ContributionTerms.current()
    check_amount(amount, terms)
    if url := _page_before(user, rhythm=rhythm, amount=amount, currency=terms.currency):
        return url
    row = _opened(user, rhythm=rhythm, amount=amount, currency=terms.currency, request=request)
    session = _made(row)
    Checkout.objects.filter(pk=row.pk, session_id=None).update(session_id=session["id"])
    return str(session["url"])


@transaction.atomic
def _opened(user: User, *, rhythm: str, amount: int, currency: str, request: Any) -> Checkout:
    """The open row, or a new one: under the person's lock there is one at a time."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if rhythm == Rhythm.MONTHLY and Subscription.objects.visible_to(user).live().filter(end_requested_at=None).exists():
        raise AlreadyMonthly
    mine = Checkout.objects.filter(user=user, rhythm=rhythm)
    mine.filter(status=Checkout.Status.OPEN, created_at__lte=timezone.now() - KEPT_FOR).update(status=Checkout.Status.EXPIRED)
    row = mine.filter(status=Checkout.Status.OPEN).first()
    if row is not None:
        if (row.amount, row.currency) != (amount, currency):  # another tab was quicker
            raise PaymentUnderWay
        return row
    row = Checkout.objects.create(user=user, rhythm=rhythm, amount=amount, currency=currency)
    record("contribution.checkout_started", row, actor=user, request=request, rhythm=rhythm, amount=amount, currency=currency)
    return row


def _made(row: Checkout) -> dict[str, Any]:
    """The page of `row`. Where Stripe would say the same no again for a day, the next try begins with another row."""
    try:
        return gateway.create_session(_params(row), key=f"checkout-{row.pk}")
    except (gateway.StripeRefused, gateway.StripeUnavailable) as fault:
        if isinstance(fault, gateway.StripeRefused) or fault.for_good:
            Checkout.objects.filter(pk=row.pk, session_id=None, status=Checkout.Status.OPEN).update(status=Checkout.Status.REPLACED)
        raise


def _page_before(user: User, *, rhythm: str, amount: int, currency: str) -> str:
    """The address of a page that is open for the same amount; that of another is closed, so that the person cannot pay both.

    Raises PaymentUnderWay where it has been paid.
    """
    open_rows = Checkout.objects.filter(user=user, rhythm=rhythm, status=Checkout.Status.OPEN)
    row = open_rows.filter(created_at__gt=timezone.now() - KEPT_FOR).first()
    if row is None:
        return ""
    if (row.amount, row.currency) == (amount, currency):
        if row.session_id is None:
            return ""
        with suppress(gateway.StripeGone):
            session = gateway.session(row.session_id)
            if session["status"] == "open":
                return str(session["url"])
        _look_again(row.session_id)
        return ""
    name = row.session_id or str(_made(row)["id"])
    try:
        gateway.expire_session(name)
    except gateway.StripeRefused:
        _look_again(name)
    Checkout.objects.filter(pk=row.pk, status=Checkout.Status.OPEN).update(status=Checkout.Status.REPLACED, session_id=name)
    return ""


def _look_again(name: str) -> None:
    """At a page that is no longer open, before its event has told us. Raises PaymentUnderWay unless it has merely expired."""
    try:
        applying.apply(facts.about("checkout.session", name))
    except gateway.StripeGone:  # made with a key of another mode or account
        Checkout.objects.filter(session_id=name, status=Checkout.Status.OPEN).update(status=Checkout.Status.EXPIRED)
    if not Checkout.objects.filter(session_id=name, status__in=[Checkout.Status.EXPIRED, Checkout.Status.REPLACED]).exists():
        raise PaymentUnderWay


def _params(row: Checkout) -> dict[str, Any]:
    """The same for the same row, word by word: an idempotency key allows no other."""
    price: dict[str, Any] = {"currency": row.currency, "unit_amount": row.amount, "product_data": {"name": PRODUCT}}
    whose = {"user_id": str(row.user_id)}
    monthly = row.rhythm == Rhythm.MONTHLY
    return {
        "mode": "subscription" if monthly else "payment",
        "line_items": [{"price_data": price | ({"recurring": {"interval": "month"}} if monthly else {}), "quantity": 1}],
        "client_reference_id": whose["user_id"],
        "metadata": whose,
        ("subscription_data" if monthly else "payment_intent_data"): {"metadata": whose},
        "success_url": settings.PUBLIC_URL + reverse("billing:thanks"),
        "cancel_url": settings.PUBLIC_URL + reverse("billing:contribute") + "?back",
    }


def newest(user: User) -> Checkout | None:
    return Checkout.objects.filter(user=user).exclude(status=Checkout.Status.REPLACED).order_by("-created_at").first()


def close_pages_of(account_id: UUID) -> None:
    """For an account that closes: pages that are still open. What cannot be closed now ends when somebody pays (see `applying`)."""
    for row in Checkout.objects.filter(user=account_id, status=Checkout.Status.OPEN).exclude(session_id=None):
        try:
            gateway.expire_session(str(row.session_id))
        except (gateway.StripeUnavailable, gateway.StripeRefused):
            continue
        Checkout.objects.filter(pk=row.pk, status=Checkout.Status.OPEN).update(status=Checkout.Status.EXPIRED)
