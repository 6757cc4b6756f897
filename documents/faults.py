"""What pages say when something cannot be done with a document: why, and what to do."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from documents.models import Identity
from documents.services.errors import Incomplete, NotPossible

WORDS = {
    "sent": gettext_lazy("It is with the client already and does not change any more. Make a new version instead."),
    "draft": gettext_lazy("It is still a draft."),
    "accepted": gettext_lazy("The client has accepted it already."),
    "accepted_before": gettext_lazy("The client has accepted the version before. Write another quote for what is added."),
    "declined": gettext_lazy("The client has declined it."),
    "expired": gettext_lazy("Its date is over. Make a new version with a later one."),
    "superseded": gettext_lazy("A newer version has taken its place."),
    "voided": gettext_lazy("It was voided."),
    "numbered": gettext_lazy("It has a number already, and numbers have no gaps. It stays."),
    "issued": gettext_lazy("The invoice is issued and does not change any more. A credit note corrects it."),
    "cancelled": gettext_lazy("A credit note has cancelled this invoice."),
    "credit_note": gettext_lazy("That is not possible with a credit note."),
    "discount": gettext_lazy("The discount exceeds the sum of the lines."),
    "largest": gettext_lazy("That is more than a hundred million: check the quantities and prices."),
    "invoiced": gettext_lazy("There is an invoice for the balance already."),
    "amount": gettext_lazy("The amount must be more than nothing, and no more than what is left."),
    "reversed": gettext_lazy("This payment was taken back already."),
    "contact": gettext_lazy("Choose the client first: edit it, and say whom it is for."),
    "lines": gettext_lazy("Add at least one line first."),
    "text": gettext_lazy("The contract has no text yet."),
    "link": gettext_lazy("This link was taken back. Ask for a new one."),
    "colleague": gettext_lazy("You are signed in to this studio; here the client answers. Write their answer down on the document’s page."),
}


def words_of(fault: NotPossible) -> str:
    """One or two sentences, for the person who tried."""
    if not isinstance(fault, Incomplete):
        return str(WORDS.get(fault.code, _("That is not possible at the moment.")))
    said = [str(WORDS[name]) for name in fault.missing if name in WORDS]
    if fields := identity_labels(fault):
        said.append(_("Complete your studio’s details for documents first: %(fields)s.") % {"fields": ", ".join(map(_inside, fields))})
    return " ".join(said)


def _inside(label: str) -> str:
    """As it stands inside a sentence; abbreviations stay what they are."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def identity_labels(fault: NotPossible) -> list[str]:
    names = [name.removeprefix("identity.") for name in getattr(fault, "missing", []) if name.startswith("identity.")]
    return [str(Identity._meta.get_field(name).verbose_name) for name in names]  # type: ignore[union-attr]  # columns of its own, no relation
