"""What may narrow the lists of quotes, contracts and invoices; all of it lives in the address."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from documents.models import Contract, Invoice, Quote


class FilterForm(forms.Form):
    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    state = forms.ChoiceField(label=_("Status"), required=False)
    states: list[tuple[Any, Any]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["state"].choices = [("", _("Any status")), *self.states]  # type: ignore[attr-defined]  # a field that offers choices


class QuoteFilterForm(FilterForm):
    states = list(Quote.Status.choices)


class ContractFilterForm(FilterForm):
    states = list(Contract.Status.choices)


class InvoiceFilterForm(FilterForm):
    states = list(Invoice.State.choices)
