"""Small forms: an answer, a payment, a credit, a deposit."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from documents.forms.fields import PriceField, day_field
from documents.models import Payment

MONEY = {"min_value": Decimal("0.01"), "max_digits": 12, "decimal_places": 2}


class AnswerForm(forms.Form):
    """What the client said, written down by the studio."""

    name = forms.CharField(label=_("Who agreed"), max_length=200, help_text=_("The name of the person, as on the paper or in the mail."))
    options = forms.TypedMultipleChoiceField(
        label=_("Options they take"), coerce=int, required=False, widget=forms.CheckboxSelectMultiple
    )  # fmt: skip

    def __init__(self, *args: Any, options: list[tuple[int, str]] = [], **kwargs: Any) -> None:  # noqa: B006  never changed
        super().__init__(*args, **kwargs)
        if options:
            self.fields["options"].choices = options  # type: ignore[attr-defined]  # a field that offers choices
        else:
            del self.fields["options"]


class AgreementForm(AnswerForm):
    """What a client signs on their page."""

    name = forms.CharField(label=_("Your name"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    words = forms.CharField(
        label=_("Write “Bon pour accord”"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("These words say that you agree to this document."),
    )  # fmt: skip
    field_order = ("options", "name", "words")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "options" in self.fields:
            self.fields["options"].label = _("Options you take")

    def clean_words(self) -> str:
        words = " ".join(self.cleaned_data["words"].replace("«", " ").replace("»", " ").strip("“”\"'. ").split())
        if words.casefold() != "bon pour accord":
            raise forms.ValidationError(_("Please write the three words: Bon pour accord."))
        return words


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"), max_length=1_000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )  # fmt: skip


class PaymentForm(forms.Form):
    amount = PriceField(label=_("Amount"), **MONEY)
    paid_on = day_field(label=_("Paid on"))
    method = forms.ChoiceField(label=_("How"), choices=Payment.Method.choices)
    reference = forms.CharField(label=_("Reference"), max_length=100, required=False)


class AmountForm(forms.Form):
    """Of a deposit or a credit note; left empty, the usual one."""

    amount = PriceField(label=_("Amount with VAT"), required=False, **MONEY)
