"""Stripe's API: plain dicts in, plain dicts out, and three kinds of failure. Nothing else here speaks to Stripe.

It is never called inside a transaction: an answer may take as long as TIMEOUT.
"""

import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import stripe
from django.conf import settings

logger = logging.getLogger(__name__)
TIMEOUT = 10.0  # seconds
PAGE = 100
Object = dict[str, Any]


class StripeUnavailable(Exception):
    """No answer, or one that says to come back later. Nothing is known about what was done.

    `for_good`: Stripe keeps this failure under the idempotency key, for a day, and gives it to whoever asks with that key again.
    """

    def __init__(self, said: str, *, for_good: bool = False) -> None:
        super().__init__(said)
        self.for_good = for_good


class StripeRefused(Exception):
    """Stripe will not do it, however often it is asked."""

    def __init__(self, code: str = "") -> None:
        super().__init__(code)
        self.code = code


class StripeGone(StripeRefused):
    """There is no such object."""


def is_enabled() -> bool:
    """Whether this instance takes contributions: it can ask Stripe, and knows Stripe's word when it hears it."""
    configured = settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRET
    return bool(configured) and "stripe" not in settings.DISABLED_INTEGRATIONS


def is_live() -> bool:
    """Whether real money moves: what the key is for."""
    return str(settings.STRIPE_SECRET_KEY).startswith(("sk_live_", "rk_live_"))


@lru_cache(maxsize=4)
def _client(key: str, address: str) -> stripe.StripeClient:
    http_client = stripe.RequestsClient(timeout=TIMEOUT)
    return stripe.StripeClient(key, base_addresses={"api": address}, max_network_retries=1, http_client=http_client)


def _v1() -> Any:
    return _client(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE).v1


def _ask(call: Callable[[], Any]) -> Object:
    try:
        answer: Object = call().to_dict()
    except stripe.InvalidRequestError as error:
        raise (StripeGone if error.code == "resource_missing" else StripeRefused)(error.code or "") from None
    except stripe.CardError as error:
        raise StripeRefused(error.code or "") from None
    except stripe.IdempotencyError:  # the key was used with other parameters: those of another version of this product
        raise StripeRefused("idempotency") from None
    except stripe.StripeError as error:
        log = logger.error if isinstance(error, stripe.AuthenticationError | stripe.PermissionError) else logger.warning
        log("stripe unavailable", extra={"error": type(error).__name__, "status": error.http_status})
        kept = (error.headers or {}).get("Idempotent-Replayed") == "true"  # read without regard to case
        raise StripeUnavailable(type(error).__name__, for_good=kept) from None
    except (AttributeError, ValueError):  # no JSON object, or not even text: something in between has answered
        answer = {}
    if "object" not in answer:
        logger.warning("stripe unavailable", extra={"error": "no object"})
        raise StripeUnavailable("no object")
    return answer


def create_session(params: Any, *, key: str) -> Object:
    return _ask(lambda: _v1().checkout.sessions.create(params, {"idempotency_key": key}))


def expire_session(name: str) -> Object:
    return _ask(lambda: _v1().checkout.sessions.expire(name))


def session(name: str) -> Object:
    return _ask(lambda: _v1().checkout.sessions.retrieve(name, {"expand": ["payment_intent.latest_charge"]}))


def session_of(payment_intent: str) -> str:
    """The id of the page on which it was paid, or nothing."""
    found = _ask(lambda: _v1().checkout.sessions.list({"payment_intent": payment_intent, "limit": 1}))["data"]
    return str(found[0]["id"]) if found else ""


def invoice_of(payment_intent: str) -> str:
    """The id of the invoice that it paid, or nothing."""
    payment = {"type": "payment_intent", "payment_intent": payment_intent}
    found = _ask(lambda: _v1().invoice_payments.list({"payment": payment, "limit": 1}))["data"]
    return str(found[0]["invoice"]) if found else ""


def payment_intent(name: str) -> Object:
    return _ask(lambda: _v1().payment_intents.retrieve(name, {"expand": ["latest_charge"]}))


def invoice(name: str) -> Object:
    return _ask(lambda: _v1().invoices.retrieve(name, {"expand": ["payments"]}))


def subscription(name: str) -> Object:
    return _ask(lambda: _v1().subscriptions.retrieve(name))


def update_subscription(name: str, params: Any) -> Object:
    return _ask(lambda: _v1().subscriptions.update(name, params))


def cancel_subscription(name: str) -> Object:
    return _ask(lambda: _v1().subscriptions.cancel(name))


def refunds_of(payment_intent: str) -> list[Object]:
    return list(_ask(lambda: _v1().refunds.list({"payment_intent": payment_intent, "limit": PAGE}))["data"])


def disputes_of(payment_intent: str) -> list[Object]:
    return list(_ask(lambda: _v1().disputes.list({"payment_intent": payment_intent, "limit": PAGE}))["data"])


def create_refund(params: Any, *, key: str) -> Object:
    return _ask(lambda: _v1().refunds.create(params, {"idempotency_key": key}))


def every(resource: str, params: Any) -> Iterator[Object]:
    """All objects of a list, page after page: `resource` is "invoices", "subscriptions", "refunds", "disputes" or "checkout.sessions"."""
    after: Object = {}
    while True:
        page = _ask(lambda after=after: _listing(resource)({**params, **after, "limit": PAGE}))  # type: ignore[misc]  # mypy infers no lambda with a default
        yield from page["data"]
        if not page["has_more"] or not page["data"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}


def _listing(resource: str) -> Any:
    place = _v1()
    for part in resource.split("."):
        place = getattr(place, part)
    return place.list
