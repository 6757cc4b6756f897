"""The lists of quotes, contracts and invoices: one shape for the three."""

from decimal import Decimal
from typing import Any, NamedTuple

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import ngettext

from accounts.http import UserRequest
from accounts.models import Membership
from accounts.studio_roles import may
from documents.amounts import ZERO
from documents.forms.filters import FilterForm
from documents.models import Identity
from documents.printing import Writing
from documents.zones import today_in
from studio.views.pages import asked_without_blanks, page_of, query, wants_rows


class Listing(NamedTuple):
    """What a list is of, for the studio whose `identity` it is. `figures` are sums above it, each with its words."""

    kind: str
    own: Any
    form: type[FilterForm]
    figures: list[tuple[str, Decimal | None]]
    identity: Identity
    operation: str


def list_page(request: UserRequest, mine: Membership, listing: Listing) -> HttpResponse:
    filters = asked_without_blanks(listing.form(request.GET))
    rows = listing.own.search(filters.get("q", ""))
    if state := filters.get("state"):
        rows = rows.in_state(state, today=today_in(listing.identity.country))
    page, pages = page_of(request, rows.newest_first().for_lists(), filters)
    list_url = reverse(f"documents:{listing.kind}_list")
    writing = Writing({"language": (request.LANGUAGE_CODE or "en")[:2], "currency": listing.identity.currency})
    total = page.paginator.count
    context = {
        "kind": listing.kind,
        "list_url": list_url,
        "filters": listing.form(initial=filters),
        "filtered": bool(filters),
        "page": page,
        "pages": pages,
        "rows": [(row, money_of(row, writing.language)) for row in page.object_list],
        "total": total,
        "counted": counted(listing.kind, total),
        "may_edit": may(mine.role, listing.operation),
    }
    if wants_rows(request, "documents"):
        response = render(request, "documents/_rows.html", context)
        response["HX-Push-Url"] = list_url + (f"?{query(filters)}" if filters else "")
        return response
    context["any"] = bool(total) or listing.own.exists()
    context["figures"] = [(words, writing.money(amount or ZERO)) for words, amount in listing.figures]
    return render(request, f"documents/{listing.kind}_list.html", context)


def money_of(row: Any, language: str) -> str:
    """What a row comes to; nothing for a contract."""
    return Writing({"language": language, "currency": row.currency}).money(row.gross) if hasattr(row, "gross") else ""


def counted(kind: str, n: int) -> str:
    words = {
        "quote": ngettext("%(n)d quote", "%(n)d quotes", n),
        "contract": ngettext("%(n)d contract", "%(n)d contracts", n),
        "invoice": ngettext("%(n)d invoice", "%(n)d invoices", n),
    }
    return words[kind] % {"n": n}
