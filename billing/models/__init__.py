"""Contributions to the instance: what was asked for, paid, given back, and what Stripe said."""

from .contributions import Checkout, Contribution, Refund, Subscription
from .events import Difference, StripeEvent
from .promos import PromoCode, PromoGrant
from .terms import ContributionTerms

__all__ = [
    "Checkout",
    "Contribution",
    "ContributionTerms",
    "Difference",
    "PromoCode",
    "PromoGrant",
    "Refund",
    "StripeEvent",
    "Subscription",
]
