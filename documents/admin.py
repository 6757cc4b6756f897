"""The operator console of documents: how many quotes, contracts, invoices and payments each studio has, and in which state; never which."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from accounts.admin.counts import Counted, StudioCountsAdmin, count_columns
from documents.models import Contract, DocumentCount, Invoice, Payment, Quote

COUNTED: dict[str, Counted] = {
    "quotes_draft": Counted(_("quotes: drafts"), Quote, {"status": "draft"}),
    "quotes_sent": Counted(_("sent"), Quote, {"status": "sent"}),
    "quotes_accepted": Counted(_("accepted"), Quote, {"status": "accepted"}),
    "quotes_declined": Counted(_("declined"), Quote, {"status": "declined"}),
    "contracts_draft": Counted(_("contracts: drafts"), Contract, {"status": "draft"}),
    "contracts_sent": Counted(_("sent"), Contract, {"status": "sent"}),
    "contracts_accepted": Counted(_("accepted"), Contract, {"status": "accepted"}),
    "invoices_draft": Counted(_("invoices: drafts"), Invoice, {"status": "draft"}),
    "invoices_issued": Counted(_("issued"), Invoice, {"status": "issued"}),
    "invoices_cancelled": Counted(_("cancelled"), Invoice, {"status": "cancelled"}),
    "payments": Counted(_("payments"), Payment),
}
COLUMNS = count_columns(COUNTED)


@admin.register(DocumentCount, site=console)
class DocumentCountAdmin(StudioCountsAdmin):
    counted = COUNTED
    list_display = ["id", *COLUMNS]
    fields = ["id", *COLUMNS]
