"""The panels of documents on the page of today: what is overdue, what waits for an answer, and how the money stands."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import format_compact_currency
from django.db.models import Count, Q, Sum
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from aaperture.lib.charts import Pair, paired_bars
from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from accounts.today import Need, Thing
from accounts.views.today import needs_panel, panel
from documents.amounts import ZERO
from documents.models import Contract, Identity, Invoice, Payment, Quote
from documents.printing import Writing
from documents.services.identities import identity_of
from documents.zones import today_in
from studio.access import here

FIRST, MONTHS = 3, 12
LATELY = timedelta(days=60)


@require_GET
@vary_on_headers("HX-Request")
def needs(request: UserRequest) -> HttpResponse:
    mine = here(request, "documents.view")
    identity = identity_of(mine.organization_id)
    today, writing = today_in(identity.country), _writing(request, identity)
    found = [_overdue(mine, today, writing)] if may(mine.role, "invoices.view") else []
    own = Quote.objects.for_organization(mine.organization)
    found += [_accepted(own.to_go_on_with(since=timezone.now() - LATELY), writing)] if may(mine.role, "documents.edit") else []
    quotes = own.waiting(today=today)
    contracts = Contract.objects.for_organization(mine.organization).waiting(today=today)
    found += [_quotes(quotes, writing), _contracts(contracts)]
    return needs_panel(request, _("Documents"), [need for need in found if need])


def _overdue(mine: Membership, today: date, writing: Writing) -> Need | None:
    late = Invoice.objects.for_organization(mine.organization).overdue(today=today)
    figures = late.aggregate(count=Count("pk"), sum=Sum("balance"))
    if not figures["count"]:
        return None
    rows = late.for_lists().order_by("due_on", "pk")[:FIRST]
    due = pgettext("invoice", "due on %(day)s")
    things = [
        Thing(
            reverse("documents:invoice", args=[row.pk]), row.number,
            _about(row, writing.money(row.balance), due % {"day": date_format(row.due_on or today, "j N Y")}),
        )
        for row in rows
    ]  # fmt: skip
    title = ngettext("%(n)d invoice is overdue: %(amount)s", "%(n)d invoices are overdue: %(amount)s", figures["count"])
    words = title % {"n": figures["count"], "amount": writing.money(figures["sum"])}
    return Need("danger", "receipt", words, _("Go to invoices"), reverse("documents:invoice_list") + "?state=overdue", things)


def _quotes(waiting: Any, writing: Writing) -> Need | None:
    figures = waiting.aggregate(count=Count("pk"), sum=Sum("gross"))
    if not figures["count"]:
        return None
    rows = waiting.for_lists().order_by("valid_until", "pk")[:FIRST]
    things = [
        Thing(reverse("documents:quote", args=[row.pk]), row.number, _about(row, writing.money(row.gross), _until(row))) for row in rows
    ]
    title = ngettext(
        "%(n)d quote waits for its client: %(amount)s", "%(n)d quotes wait for their clients: %(amount)s", figures["count"]
    )  # fmt: skip
    words = title % {"n": figures["count"], "amount": writing.money(figures["sum"])}
    return Need("info", "file-pen-line", words, _("Go to quotes"), reverse("documents:quote_list") + "?state=sent", things)


def _accepted(accepted: Any, writing: Writing) -> Need | None:
    figures = accepted.aggregate(count=Count("pk"), sum=Sum("gross"))
    if not figures["count"]:
        return None
    rows = accepted.for_lists().order_by("-answered_at", "pk")[:FIRST]
    things = [Thing(reverse("documents:quote", args=[row.pk]), row.number, _about(row, writing.money(row.gross))) for row in rows]
    title = ngettext("%(n)d quote is accepted: %(amount)s", "%(n)d quotes are accepted: %(amount)s", figures["count"])
    words = title % {"n": figures["count"], "amount": writing.money(figures["sum"])}
    address = reverse("documents:quote_list") + "?state=accepted"
    return Need("info", "circle-check", words, _("Go to quotes"), address, things, _("Send the contract, or invoice the deposit."))


def _contracts(waiting: Any) -> Need | None:
    count = waiting.count()
    if not count:
        return None
    rows = waiting.for_lists().defer("text", "content", "search_text").order_by("valid_until", "pk")[:FIRST]
    things = [Thing(reverse("documents:contract", args=[row.pk]), row.number, _about(row, _until(row))) for row in rows]
    words = ngettext("%(n)d contract waits for its client", "%(n)d contracts wait for their clients", count) % {"n": count}
    return Need("info", "signature", words, _("Go to contracts"), reverse("documents:contract_list") + "?state=sent", things)


def _until(row: Quote | Contract) -> str:
    return _("valid until %(day)s") % {"day": date_format(row.valid_until, "j N")} if row.valid_until else ""


def _about(row: Any, *more: str) -> str:
    return " · ".join(part for part in (row.contact.name if row.contact else row.subject, *more) if part)


def _writing(request: UserRequest, identity: Identity) -> Writing:
    return Writing({"language": (request.LANGUAGE_CODE or "en")[:2], "currency": identity.currency})


@require_GET
@vary_on_headers("HX-Request")
def money(request: UserRequest) -> HttpResponse:
    mine = here(request, "invoices.view")
    identity = identity_of(mine.organization_id)
    today, writing = today_in(identity.country), _writing(request, identity)
    own = Invoice.objects.for_organization(mine.organization)
    late = Q(due_on__lt=today)
    owed = own.outstanding().aggregate(sum=Sum("balance"), late=Sum("balance", filter=late))
    months = _months(today)
    issued = own.issued_per_month(since=months[0])
    received = Payment.objects.for_organization(mine.organization).per_month(since=months[0])
    context = {
        "any": bool(issued or received) or own.exists(),
        "owed": writing.money(owed["sum"] or ZERO),
        "late": writing.money(owed["late"] or ZERO),
        "is_late": bool(owed["late"]),
        "received": writing.money(received.get(months[-1], ZERO)),
        "chart": _chart(months, issued, received, writing),
        "may_quote": may(mine.role, "documents.edit"),
        "may_invoice": may(mine.role, "invoices.edit"),
    }
    return panel(request, "documents/_today_money.html", _("Money"), context)


def _months(today: date) -> list[date]:
    """The first days of the last twelve months, this one last."""
    ends = [today.year * 12 + today.month - 1 - back for back in range(MONTHS - 1, -1, -1)]
    return [date(number // 12, number % 12 + 1, 1) for number in ends]


def _chart(months: list[date], issued: dict[date, Decimal], received: dict[date, Decimal], writing: Writing) -> SafeString:
    pairs = []
    for month in months:
        values = (issued.get(month, ZERO), received.get(month, ZERO))
        words = (writing.money(values[0]), writing.money(values[1]))
        pairs.append(Pair(date_format(month, "M"), date_format(month, "YEAR_MONTH_FORMAT"), (float(values[0]), float(values[1])), words))
    columns = (_("Month"), pgettext("money", "Invoiced"), pgettext("money", "Received"))
    return paired_bars(
        "money", title=_("Invoiced and received"), pairs=pairs, columns=columns,
        description=_("What was invoiced, less credit notes, and what was received in each of the last twelve months."),
        scale=lambda value: str(format_compact_currency(value, writing.currency, locale=writing.language)),
    )  # fmt: skip
