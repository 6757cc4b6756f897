"""Fields that several forms share."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import get_language

THOUSANDS = re.compile(r",(?=\d{3}(\D|$))")


class NumberField(forms.DecimalField):
    """A number as people write it: a comma or a point for decimals, spaces between thousands; in English a comma may stand there too."""

    least_decimals = 0

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"}))
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = "".join(value.replace("€", "").replace("%", "").split())
            if (get_language() or "").startswith("en"):
                value = THOUSANDS.sub("", value)
            value = value.replace(",", ".") if value.count(",") == 1 and "." not in value else value
        return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        """Without zeros that say nothing: 1 and not 1.000, a price 12.50 and not 12.5000."""
        if value in {None, ""} or isinstance(value, str):
            return value
        whole, _point, rest = f"{value:f}".partition(".")
        rest = rest.rstrip("0").ljust(self.least_decimals, "0")
        text = f"{whole}.{rest}" if rest else whole
        return text.replace(".", ",") if (get_language() or "").startswith("fr") else text


class PriceField(NumberField):
    """With two decimals at least."""

    least_decimals = 2


def day_field(**options: Any) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options)


def percent(rate: Decimal) -> str:
    """As a choice is called: 5.5%, 5,5 %."""
    text = f"{rate.normalize():f}"
    return f"{text.replace('.', ',')}\N{NARROW NO-BREAK SPACE}%" if (get_language() or "").startswith("fr") else f"{text}%"
