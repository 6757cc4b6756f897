"""What documents write into a project's timeline."""

from django.utils.translation import gettext_lazy as _

from studio.timeline import Kind, register

register(
    {
        "quote.created": Kind(_("Quote drafted"), "file-pen-line", operation="documents.view"),
        "quote.sent": Kind(_("Quote %(number)s sent"), "send", operation="documents.view"),
        "quote.accepted": Kind(_("Quote %(number)s accepted"), "circle-check", operation="documents.view"),
        "quote.declined": Kind(_("Quote %(number)s declined"), "circle-x", operation="documents.view"),
        "quote.revised": Kind(_("Quote %(number)s replaced by a new version"), "files", operation="documents.view"),
        "contract.created": Kind(_("Contract drafted"), "file-pen-line", operation="documents.view"),
        "contract.sent": Kind(_("Contract %(number)s sent"), "send", operation="documents.view"),
        "contract.accepted": Kind(_("Contract %(number)s accepted"), "circle-check", operation="documents.view"),
        "contract.declined": Kind(_("Contract %(number)s declined"), "circle-x", operation="documents.view"),
        "contract.voided": Kind(_("Contract %(number)s voided"), "ban", operation="documents.view"),
        "invoice.created": Kind(_("Invoice drafted"), "file-pen-line", operation="invoices.view"),
        "invoice.issued": Kind(_("Invoice %(number)s issued: %(amount)s"), "receipt", operation="invoices.view"),
        "invoice.sent": Kind(_("Invoice %(number)s sent"), "send", operation="invoices.view"),
        "invoice.credited": Kind(_("Credit note %(number)s issued: %(amount)s"), "receipt", operation="invoices.view"),
        "payment.recorded": Kind(_("Payment of %(amount)s for %(number)s"), "banknote", operation="invoices.view"),
        "payment.reversed": Kind(_("Payment of %(amount)s for %(number)s taken back"), "undo-2", operation="invoices.view"),
        "document.opened": Kind(_("%(number)s opened by the client"), "eye"),
    }
)
