"""Fields that several forms share."""

import re
from typing import Any

from django import forms
from django.utils.translation import get_language

THOUSANDS = re.compile(r",(?=\d{3}(\D|$))")


class NumberField(forms.DecimalField):
    """A number as people write it: a comma or a point for decimals, spaces between thousands; in English a comma may stand there too."""

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
        """Without zeros that say nothing: 1 and not 1.000, 12.50 and not 12.5000."""
        if value in {None, ""} or isinstance(value, str):
            return value
        text = f"{value:f}"
        whole, _point, rest = text.partition(".")
        rest = rest.rstrip("0")
        text = f"{whole}.{rest.ljust(2, '0')}" if rest else whole
        return text.replace(".", ",") if (get_language() or "").startswith("fr") else text


class PriceField(NumberField):
    """With two decimals at least."""

    def prepare_value(self, value: Any) -> Any:
        said = super().prepare_value(value)
        if isinstance(value, str) or value is None or not said or "." in said or "," in said:
            return said
        return f"{said},00" if (get_language() or "").startswith("fr") else f"{said}.00"


def day_field(**options: Any) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options)
