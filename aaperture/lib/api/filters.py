"""Filters and order by allow-list: a view names what may be asked; anything else is a 400 that says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

LONGEST_SEARCH = 200


@dataclass(frozen=True)
class Filter:
    """One query parameter: what it looks up, and how its text is read."""

    lookup: str
    description: str = ""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def value(self, text: str) -> Any:
        """The value in `text`. Raises ValueError."""
        return text


@dataclass(frozen=True)
class Choice(Filter):
    choices: tuple[str, ...] = ()

    def value(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError(f"Must be one of {', '.join(self.choices)}.")
        return text


class Id(Filter):
    def value(self, text: str) -> UUID:
        try:
            if len(text) != 36:
                raise ValueError
            return UUID(text)
        except ValueError:
            raise ValueError("Must be a UUID.") from None


class Flag(Filter):
    def value(self, text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError("Must be true or false.")
        return text == "true"


class Instant(Filter):
    def value(self, text: str) -> Any:
        try:
            found = parse_datetime(text.upper()) if "T" in text.upper() else None
            if found is None or is_naive(found):
                raise ValueError
            return found.astimezone(UTC)  # PostgreSQL takes no offset above 15 hours
        except (ValueError, OverflowError):
            raise ValueError("Must be an instant with its zone, like 2026-01-31T12:00:00Z.") from None


class Search(Filter):
    """Goes to the queryset's `search()` instead of a lookup."""

    def value(self, text: str) -> str:
        if len(text) > LONGEST_SEARCH:
            raise ValueError("Must have at most 200 characters.")
        return text


def choice(lookup: str, choices: Iterable[str], description: str = "") -> Choice:
    values = tuple(str(value) for value in choices)
    return Choice(lookup, description, {"type": "string", "enum": list(values)}, values)


def identity(lookup: str, description: str = "") -> Id:
    return Id(lookup, description, {"type": "string", "format": "uuid"})


def flag(lookup: str, description: str = "") -> Flag:
    return Flag(lookup, description, {"type": "boolean"})


def instant(lookup: str, description: str = "") -> Instant:
    return Instant(lookup, description, {"type": "string", "format": "date-time"})


def search(description: str = "Every word begins a word of it; accents and case do not matter.") -> Search:
    return Search("", description, {"type": "string", "maxLength": LONGEST_SEARCH})


class AllowList(BaseFilterBackend):
    """Applies `view.filters` (name: Filter) and `view.orderings` (name: field; the first is the default, "-" turns round)."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        for name, rule in getattr(view, "filters", {}).items():
            if name in request.query_params:
                queryset = self._narrowed(queryset, rule, name, request.query_params[name])
        return self._ordered(request, queryset, getattr(view, "orderings", {}))

    def _narrowed(self, queryset: Any, rule: Filter, name: str, text: str) -> QuerySet:
        try:
            value = rule.value(text)
        except ValueError as error:
            raise ValidationError({name: [str(error)]}) from None
        return queryset.search(value) if isinstance(rule, Search) else queryset.filter(**{rule.lookup: value})

    def _ordered(self, request: Request, queryset: QuerySet, orderings: dict[str, str]) -> QuerySet:
        if not orderings:
            return queryset
        allowed = _names(orderings)
        asked = request.query_params.get("ordering", allowed[0])
        if asked not in allowed:
            raise ValidationError({"ordering": [f"Must be one of {', '.join(allowed)}."]})
        bare = asked.removeprefix("-")
        column = orderings.get(bare) or orderings[f"-{bare}"].removeprefix("-")
        return queryset.order_by(f"-{column}" if asked.startswith("-") else column, "pk")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        found = [
            {"name": name, "in": "query", "required": False, "description": rule.description, "schema": rule.schema}
            for name, rule in getattr(view, "filters", {}).items()
        ]
        if orderings := getattr(view, "orderings", {}):
            values = {"type": "string", "enum": _names(orderings)}
            words = "The first is the default."
            found.append({"name": "ordering", "in": "query", "required": False, "description": words, "schema": values})
        return found


def _names(orderings: dict[str, str]) -> list[str]:
    """Both directions of every name, the default first."""
    names = []
    for name in orderings:
        bare = name.removeprefix("-")
        names += [name, bare if name.startswith("-") else f"-{bare}"]
    return names
