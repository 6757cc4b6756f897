"""Quotes, contracts, invoices and what was paid: what a studio and its clients agree on. All of it belongs to an organization."""

from documents.models.client_links import Acceptance, ClientLink, ClientLinkQuerySet
from documents.models.contracts import Contract, ContractQuerySet, ContractTemplate
from documents.models.counts import DocumentCount
from documents.models.identity import Identity
from documents.models.invoices import Invoice, InvoiceLine, InvoiceQuerySet, Payment
from documents.models.numbering import NumberSeries
from documents.models.quotes import Quote, QuoteLine, QuoteQuerySet

__all__ = [
    "Acceptance",
    "ClientLink",
    "ClientLinkQuerySet",
    "Contract",
    "ContractQuerySet",
    "ContractTemplate",
    "DocumentCount",
    "Identity",
    "Invoice",
    "InvoiceLine",
    "InvoiceQuerySet",
    "NumberSeries",
    "Payment",
    "Quote",
    "QuoteLine",
    "QuoteQuerySet",
]
