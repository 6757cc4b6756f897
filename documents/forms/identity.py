"""The studio's identity on documents: law, bank, numbering, what is usual."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from stdnum import bic, iban
from stdnum.exceptions import ValidationError as NotValid

from aaperture.lib import countries
from documents.forms.fields import NumberField, percent
from documents.models import Identity, Invoice
from documents.vat import rates
from studio import identifiers

GROUPS: list[tuple[Any, tuple[str, ...]]] = [
    (
        _("Who you are"),
        (
            "legal_name", "legal_form", "street", "postcode", "city", "country", "email", "phone", "company_number", "register",
        ),
    ),
    (_("VAT"), ("vat_scheme", "vat_number", "default_vat_rate", "prices_include_vat", "vat_on_debits")),
    (_("Bank"), ("iban", "bic", "account_holder")),
    (_("What is usual"), ("payment_days", "quote_days", "deposit_percent")),
    (_("Numbers begin with"), ("quote_prefix", "contract_prefix", "invoice_prefix", "credit_note_prefix")),
]  # fmt: skip
PREFIX = re.compile(r"[A-Za-z0-9_.-]+")
PREFIXES = ("quote_prefix", "contract_prefix", "invoice_prefix", "credit_note_prefix")


class IdentityForm(forms.ModelForm):
    iban = forms.CharField(
        label="IBAN", max_length=42, required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text=_("Printed on invoices, with a code that banking applications read. Stored encrypted."),
    )  # fmt: skip
    country = forms.ChoiceField(label=_("Country"))
    deposit_percent = NumberField(label=_("Usual deposit in %"), min_value=0, max_value=100, max_digits=5, decimal_places=2)
    default_vat_rate = forms.TypedChoiceField(label=_("Usual VAT rate"), required=False)

    class Meta:
        model = Identity
        fields = (
            "legal_name", "legal_form", "street", "postcode", "city", "country", "email", "phone", "company_number", "register",
            "vat_number", "vat_scheme", "vat_on_debits", "bic", "account_holder", "default_vat_rate", "prices_include_vat",
            "payment_days", "quote_days", "deposit_percent", *PREFIXES,
        )  # fmt: skip
        widgets = {"street": forms.Textarea(attrs={"rows": 2})}
        help_texts = {
            "legal_name": _("The company’s name; in France a sole trader’s own name with “EI”."),
            "legal_form": _("As the law wants it printed, such as “SARL au capital de 5 000 €”; nothing for a sole trader."),
            "company_number": _("SIRET in France, the enterprise number in Belgium."),
            "register": _("Such as “RCS Paris 123 456 789”, where you have one."),
            "invoice_prefix": _("The year and the number follow: F-2026-0001."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = countries.choices()[1:]  # type: ignore[attr-defined]  # a field that offers choices
        country = self.data.get("country") or self.instance.country
        offered = list(dict.fromkeys([*rates(country), self.instance.default_vat_rate]))
        self.fields["default_vat_rate"].choices = [(str(rate), percent(rate)) for rate in offered]  # type: ignore[attr-defined]  # a field that offers choices
        self.fields["default_vat_rate"].empty_value = str(self.instance.default_vat_rate)  # type: ignore[attr-defined]  # a TypedChoiceField, declared above
        self.initial["default_vat_rate"] = str(self.instance.default_vat_rate)
        self.initial["iban"] = self.instance.iban or ""

    def grouped(self) -> list[tuple[Any, list[Any]]]:
        """The fields under their headings, for the page."""
        return [(words, [self[name] for name in names]) for words, names in GROUPS]

    def clean_iban(self) -> str:
        text = self.cleaned_data["iban"]
        try:
            return str(iban.validate(text)) if text else ""
        except NotValid:
            raise ValidationError(_("That is no IBAN: a digit is missing or wrong. Copy it from your bank.")) from None

    def clean_bic(self) -> str:
        text = self.cleaned_data["bic"]
        try:
            return str(bic.validate(text)) if text else ""
        except NotValid:
            raise ValidationError(_("That is no BIC: it has 8 or 11 characters.")) from None

    def clean_phone(self) -> str:
        return identifiers.phone(self.cleaned_data["phone"])

    def clean_vat_number(self) -> str:
        return identifiers.vat_number(self.cleaned_data["vat_number"])

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        try:
            values["company_number"] = identifiers.company_number(values.get("company_number", ""), values.get("country", ""))
        except ValidationError as fault:
            self.add_error("company_number", fault)
        for name in PREFIXES:
            if not PREFIX.fullmatch(values.get(name, "F-")):
                self.add_error(name, _("Letters, digits, hyphens, points and underscores only: it becomes part of a file’s name."))
        kept = [values.get(name, "") for name in ("invoice_prefix", "credit_note_prefix")]
        if kept[0] == kept[1]:
            self.add_error("credit_note_prefix", _("Credit notes need a beginning of their own, or two documents would have one number."))
        for name, others in {"invoice_prefix": Q(kind="credit_note"), "credit_note_prefix": ~Q(kind="credit_note")}.items():
            begun = rf"^{re.escape(values.get(name, ''))}\d{{4}}-"
            if Invoice.objects.filter(others, organization=self.instance.organization_id, number__regex=begun).exists():
                self.add_error(name, _("Numbers of the other kind have begun with this before."))
        return values
