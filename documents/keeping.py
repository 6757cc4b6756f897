"""How long the law wants documents kept.

Issued invoices and their payments stay until `keep_until`; what a client accepted stays five years, as long as either side may go to
court over it (code civil, art. 2224). Everything else may go at once.
"""

from datetime import date
from typing import Any

from django.db.models import Q
from django.utils import timezone

from documents.models import Contract, Invoice, Quote

ACCEPTED_YEARS = 5


def kept_until(document: Quote | Contract | Invoice) -> date:
    """The last day on which it may not go. Only for issued invoices and accepted quotes and contracts."""
    if isinstance(document, Invoice):
        assert document.keep_until is not None
        return document.keep_until
    assert document.answered_at is not None
    return years_after(timezone.localdate(document.answered_at), ACCEPTED_YEARS)


def years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, month=3, day=1)


def kept_on(today: date) -> dict[Any, Q]:
    """By model, which rows the law wants kept today."""
    answered = Q(answered_at__isnull=False) & Q(answered_at__date__gte=years_after(today, -ACCEPTED_YEARS))
    return {
        Quote: Q(status=Quote.Status.ACCEPTED) & answered,
        Contract: Q(status__in=[Contract.Status.ACCEPTED, Contract.Status.VOIDED], acceptance__isnull=False) & answered,
        Invoice: ~Q(status=Invoice.Status.DRAFT) & Q(keep_until__gte=today),
    }
