"""Forms of quotes and invoices: the sheet, and its lines."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from documents.amounts import ZERO
from documents.forms.fields import NumberField, PriceField, day_field, percent
from documents.models import Identity, Invoice, Quote
from documents.models.sheets import Sheet
from documents.vat import rates
from studio.models import Contact

MOST_LINES = 100
PREFIX = "lines"
PERCENT = {"min_value": 0, "max_value": 100, "max_digits": 5, "decimal_places": 2}
AMOUNT = {"min_value": 0, "max_digits": 10, "decimal_places": 2}


class SheetForm(forms.Form):
    """What quotes and invoices say beside their lines."""

    subject = forms.CharField(label=_("Subject"), max_length=200, help_text=_("What it is for, as the client calls it."))
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    service_on = day_field(label=_("Date of service"), required=False)
    vat_included = forms.BooleanField(label=_("Prices include VAT"), required=False)
    discount_percent = NumberField(label=_("Discount in %"), required=False, **PERCENT)
    discount_amount = PriceField(label=_("or as an amount"), required=False, **AMOUNT)
    reverse_charge = forms.BooleanField(
        label=_("Reverse charge"), required=False, help_text=_("For a company in another country of the Union, which pays the VAT itself.")
    )  # fmt: skip
    client_reference = forms.CharField(
        label=_("Client’s reference"), max_length=100, required=False, help_text=_("An order number they want to see on it.")
    )  # fmt: skip
    notes = forms.CharField(label=_("Text below the lines"), max_length=5_000, required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def __init__(self, *args: Any, identity: Identity, contact: Contact | None, sheet: Sheet | None = None, **kwargs: Any) -> None:
        if sheet is not None:
            kwargs["initial"] = {name: getattr(sheet, name) or "" for name in self.base_fields} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        abroad = contact is not None and contact.kind == Contact.Kind.COMPANY and contact.country not in {"", identity.country}
        if not (identity.charges_vat and (abroad or (sheet is not None and sheet.reverse_charge))):
            del self.fields["reverse_charge"]
        if not identity.charges_vat:
            del self.fields["vat_included"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for name in ("discount_percent", "discount_amount", "deposit_percent", "deposit_amount"):
            if name in self.fields and name not in self.errors:
                values[name] = values.get(name) or ZERO
        if values.get("discount_percent") and values.get("discount_amount"):
            self.add_error("discount_amount", _("Give the discount in % or as an amount, not both."))
        return values


class QuoteForm(SheetForm):
    valid_until = day_field(label=_("Valid until"), required=False)
    deposit_percent = NumberField(label=_("Deposit in %"), required=False, **PERCENT)
    deposit_amount = PriceField(label=_("or as an amount"), required=False, **AMOUNT)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("deposit_percent") and values.get("deposit_amount"):
            self.add_error("deposit_amount", _("Give the deposit in % or as an amount, not both."))
        return values


class InvoiceForm(SheetForm):
    due_on = day_field(label=_("Due on"), required=False, help_text=_("Left empty, your usual days to pay count from the day of issue."))


class LineForm(forms.Form):
    description = forms.CharField(label=_("Description"), max_length=300)
    details = forms.CharField(label=_("Details"), max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 1}))
    quantity = NumberField(label=pgettext_lazy("of a line", "Quantity"), min_value=0, max_digits=9, decimal_places=3, initial=Decimal(1))
    unit = forms.CharField(label=_("Unit"), max_length=20, required=False)
    unit_price = PriceField(label=_("Unit price"), min_value=0, max_digits=11, decimal_places=4)
    discount = NumberField(label=_("Discount in %"), required=False, **PERCENT)
    vat_rate = forms.TypedChoiceField(label=_("VAT"), coerce=Decimal)
    optional = forms.BooleanField(label=_("Option the client may add"), required=False)

    def __init__(self, *args: Any, identity: Identity, options: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = rates(identity.country, charges_vat=identity.charges_vat)
        own = self._own_rate()
        offered = [*known, *([own] if own is not None and own not in known else [])]
        self.fields["vat_rate"].choices = [(str(rate), percent(rate)) for rate in offered]  # type: ignore[attr-defined]  # a field that offers choices
        usual = identity.default_vat_rate if identity.charges_vat else ZERO
        self.fields["vat_rate"].initial = str(usual if usual in known else known[0])
        if not options:
            del self.fields["optional"]
        if self.initial.get("discount") == ZERO:
            self.initial["discount"] = ""

    def _own_rate(self) -> Decimal | None:
        """A rate that the line has from before, which is no longer offered."""
        stored = self.initial.get("vat_rate")
        return stored if isinstance(stored, Decimal) else None

    def clean_discount(self) -> Decimal:
        return self.cleaned_data["discount"] or ZERO


LineFormSet = forms.formset_factory(LineForm, extra=0, max_num=MOST_LINES, validate_max=True, absolute_max=MOST_LINES + 1)
LINE_NAMES = tuple(LineForm.base_fields)
BLANK = ("description", "details", "unit_price")


def rows_said(data: QueryDict) -> list[dict[str, str]]:
    """What a posted form says of each line, as text, in order."""
    try:
        count = min(int(data.get(f"{PREFIX}-TOTAL_FORMS", "0")), MOST_LINES + 1)
    except ValueError:
        count = 0
    return [{name: data.get(f"{PREFIX}-{place}-{name}", "") for name in LINE_NAMES} for place in range(count)]


def changed_rows(rows: list[dict[str, str]], wanted: str) -> list[dict[str, str]]:
    """With a line added, taken out or moved up: `add`, `remove-2`, `up-2`; others leave them as they are."""
    act, _dash, place = wanted.partition("-")
    at = int(place) if place.isdecimal() and int(place) < len(rows) else -1
    if act == "add" and len(rows) < MOST_LINES:
        return [*rows, {}]
    if act == "remove" and at >= 0:
        return [*rows[:at], *rows[at + 1 :]]
    if act == "up" and at > 0:
        return [*rows[: at - 1], rows[at], rows[at - 1], *rows[at + 1 :]]
    return rows


def bound(rows: list[dict[str, str]], **form_kwargs: Any) -> Any:
    """A formset of these rows, without those that say nothing."""
    said = [row for row in rows if any(row.get(name, "").strip() for name in BLANK)]
    data: dict[str, Any] = {f"{PREFIX}-TOTAL_FORMS": len(said), f"{PREFIX}-INITIAL_FORMS": len(said)}
    for place, row in enumerate(said):
        data |= {f"{PREFIX}-{place}-{name}": value for name, value in row.items() if value}
    return LineFormSet(data, prefix=PREFIX, form_kwargs=form_kwargs, initial=[{} for _row in said])


def unbound(rows: Sequence[Mapping[str, Any]], **form_kwargs: Any) -> Any:
    """A formset that shows these rows and complains of nothing."""
    return LineFormSet(prefix=PREFIX, initial=rows, form_kwargs=form_kwargs)


FORMS: dict[type, type[SheetForm]] = {Quote: QuoteForm, Invoice: InvoiceForm}
