"""Values that sources write in many ways, written in one: what the step `normalise` does to a field."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from aaperture.lib.composed import composed

DAY_FIRST = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})")
SHORTEST_PHONE = 6
BETWEEN_DIGITS = re.compile(r"(?<=\d)\D+(?=\d)")
WITHIN_ONE_NUMBER = re.compile(r"[\s.,'’]+")


def text(value: Any) -> Any:
    """One line without spaces around it; what is no text stays."""
    return " ".join(composed(value).split()) if isinstance(value, str) else value


def lower(value: Any) -> Any:
    return text(value).lower() if isinstance(value, str) else value


def email(value: Any) -> str | None:
    """The address in small letters, or None for what is none."""
    found = lower(value) if isinstance(value, str) else ""
    try:
        validate_email(found)
    except ValidationError:
        return None
    return str(found)


def phone(value: Any) -> str | None:
    """Digits, a plus before them where the country is said; None for what has too few."""
    told = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = "".join(char for char in told if char.isascii() and char.isdecimal())
    if len(digits) < SHORTEST_PHONE:
        return None
    if told.startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def number(value: Any) -> float | int | None:
    """A number. The last comma or point is the decimal one, unless exactly three digits follow it; None for none or two."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    told = re.sub(r"[^\d,.\-]", "", value) if isinstance(value, str) and _is_one(value) else ""
    whole, separator, rest = re.fullmatch(r"(.*?)(?:([.,])(\d*))?", told).groups("")  # type: ignore[union-attr]  # it fits any text
    if len(rest) == 3:
        whole, rest = whole + rest, ""
    digits = re.sub(r"[.,]", "", whole)
    try:
        return float(f"{digits or 0}.{rest}") if separator and rest else int(digits)
    except ValueError:
        return None


def _is_one(told: str) -> bool:
    """Nothing stands between its digits that no number holds: `=1+1` and `2 x 500` are two."""
    return all(WITHIN_ONE_NUMBER.fullmatch(between) for between in BETWEEN_DIGITS.findall(told))


def day(value: Any) -> str | None:
    """The day as 2026-11-22, of an ISO date or instant, or day first as 22/11/2026; None for what is none."""
    told = value.strip() if isinstance(value, str) else ""
    found = DAY_FIRST.fullmatch(told)
    try:
        if found:
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        return datetime.fromisoformat(told).date().isoformat()
    except ValueError:
        return None


WAYS: dict[str, Callable[[Any], Any]] = {
    "text": text, "lower": lower, "email": email, "phone": phone, "number": number, "date": day,
}  # fmt: skip
