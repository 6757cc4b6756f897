"""What documents write into a project's timeline."""

from django.utils.translation import gettext_lazy as _

from studio.timeline import Kind, register

register(
    {
        "quote.created": Kind(_("Quote drafted"), "file-pen-line"),
        "quote.sent": Kind(_("Quote %(number)s sent"), "send"),
        "quote.accepted": Kind(_("Quote %(number)s accepted"), "circle-check"),
        "quote.declined": Kind(_("Quote %(number)s declined"), "circle-x"),
        "quote.revised": Kind(_("Quote %(number)s replaced by a new version"), "files"),
        "contract.created": Kind(_("Contract drafted"), "file-pen-line"),
        "contract.sent": Kind(_("Contract %(number)s sent"), "send"),
        "contract.accepted": Kind(_("Contract %(number)s accepted"), "circle-check"),
        "contract.declined": Kind(_("Contract %(number)s declined"), "circle-x"),
        "contract.voided": Kind(_("Contract %(number)s voided"), "ban"),
        "invoice.created": Kind(_("Invoice drafted"), "file-pen-line"),
        "invoice.issued": Kind(_("Invoice %(number)s issued: %(amount)s"), "receipt"),
        "invoice.sent": Kind(_("Invoice %(number)s sent"), "send"),
        "invoice.credited": Kind(_("Credit note %(number)s issued: %(amount)s"), "receipt"),
        "payment.recorded": Kind(_("Payment of %(amount)s for %(number)s"), "banknote"),
        "payment.reversed": Kind(_("Payment of %(amount)s for %(number)s taken back"), "undo-2"),
        "document.opened": Kind(_("%(number)s opened by the client"), "eye"),
    }
)
