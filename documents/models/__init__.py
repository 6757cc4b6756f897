"""Quotes, contracts, invoices and what was paid: what a studio and its clients agree on. All of it belongs to an organization."""

from documents.models.client_links import Acceptance, ClientLink
from documents.models.contracts import Contract, ContractTemplate
from documents.models.counts import DocumentCount
from documents.models.identity import Identity
from documents.models.invoices import Invoice, InvoiceLine, Payment
from documents.models.numbering import NumberSeries
from documents.models.quotes import Quote, QuoteLine

__all__ = [
    "Acceptance",
    "ClientLink",
    "Contract",
    "ContractTemplate",
    "DocumentCount",
    "Identity",
    "Invoice",
    "InvoiceLine",
    "NumberSeries",
    "Payment",
    "Quote",
    "QuoteLine",
]
