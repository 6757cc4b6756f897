"""The operator console of documents: how many quotes, contracts, invoices and payments each studio has, and in which state; never which."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from documents.models import Contract, DocumentCount, Invoice, Payment, Quote

COUNTED: dict[str, tuple[Any, type[Any], dict[str, str]]] = {
    "quotes_draft": (_("quotes: drafts"), Quote, {"status": "draft"}),
    "quotes_sent": (_("sent"), Quote, {"status": "sent"}),
    "quotes_accepted": (_("accepted"), Quote, {"status": "accepted"}),
    "quotes_declined": (_("declined"), Quote, {"status": "declined"}),
    "contracts_draft": (_("contracts: drafts"), Contract, {"status": "draft"}),
    "contracts_sent": (_("sent"), Contract, {"status": "sent"}),
    "contracts_accepted": (_("accepted"), Contract, {"status": "accepted"}),
    "invoices_draft": (_("invoices: drafts"), Invoice, {"status": "draft"}),
    "invoices_issued": (_("issued"), Invoice, {"status": "issued"}),
    "invoices_cancelled": (_("cancelled"), Invoice, {"status": "cancelled"}),
    "payments": (_("payments"), Payment, {}),
}


def _column(name: str, words: Any) -> Any:
    """What shows the count annotated under `_name`."""

    @admin.display(description=words, ordering=f"_{name}")
    def show(row: DocumentCount) -> int:
        return getattr(row, f"_{name}")

    show.__name__ = name
    return show


COLUMNS = [_column(name, words) for name, (words, _model, _only) in COUNTED.items()]


def _count(model: type[Any], only: dict[str, str]) -> Coalesce:
    """Of one studio, by itself: joined to one another the tables would multiply."""
    rows = model.objects.filter(organization=OuterRef("pk"), **only).order_by().values("organization").annotate(n=Count("id")).values("n")
    return Coalesce(Subquery(rows, output_field=IntegerField()), 0)


@admin.register(DocumentCount, site=console)
class DocumentCountAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["id", *COLUMNS]
    fields = ["id", *COLUMNS]
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DocumentCount]:
        counts = {f"_{name}": _count(model, only) for name, (_words, model, only) in COUNTED.items()}
        return super().get_queryset(request).defer("name").annotate(**counts)
