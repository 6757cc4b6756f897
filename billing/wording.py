"""What pages say about faults and statuses of contributions."""

from typing import Any

from django.utils.translation import gettext_lazy as _

FAULTS: dict[str, Any] = {
    # the exception's name: (code, HTTP status)
    "AlreadyMonthly": ("already_monthly", 409),
    "PaymentUnderWay": ("under_way", 409),
    "StripeUnavailable": ("unavailable", 503),
    "StripeRefused": ("refused", 502),
    "StripeGone": ("refused", 502),
    "NothingMonthly": ("nothing_monthly", 409),
    "words": {
        "amount": _("Choose an amount."),
        "already_monthly": _("You contribute monthly already: change the amount below instead."),
        "under_way": _("Your payment is being confirmed. One moment."),
        "unavailable": _("Stripe does not answer at the moment. Nothing was changed and nothing charged; please try again later."),
        "refused": _("Stripe did not accept this. Nothing was changed and nothing charged."),
        "nothing_monthly": _("There is no monthly contribution to change."),
    },
}
TONES = {
    "paid": "ok", "processing": "info", "failed": "danger", "partly_refunded": "warn", "refunded": "", "disputed": "warn", "lost": "danger",
    "active": "ok", "trialing": "ok", "past_due": "danger", "unpaid": "danger", "paused": "warn", "canceled": "", "incomplete": "info",
    "applied": "ok", "received": "info", "ignored": "", "unmatched": "warn", "requested": "info", "pending": "info", "succeeded": "ok",
}  # fmt: skip
