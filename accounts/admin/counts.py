"""Lists of the console that say how much somebody has of something, never which."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from aaperture.lib.console import ReadOnlyAdmin


class Counted(NamedTuple):
    """Rows of a studio: what a column calls them, and which fields equal what."""

    words: Any
    model: type[Model]
    only: dict[str, str] = {}


def count_column(name: str, words: Any) -> Any:
    """What shows the count annotated under `_name`."""

    @admin.display(description=words, ordering=f"_{name}")
    def show(row: Any) -> int:
        return getattr(row, f"_{name}")

    show.__name__ = name
    return show


def count_columns(counted: Mapping[str, Counted]) -> list[Any]:
    return [count_column(name, one.words) for name, one in counted.items()]


def _count(counted: Counted) -> Coalesce:
    """Of one studio, by itself: joined to one another the tables would multiply."""
    rows = counted.model._default_manager.filter(organization=OuterRef("pk"), **counted.only).order_by()
    counts = rows.values("organization").annotate(n=Count("id")).values("n")
    return Coalesce(Subquery(counts, output_field=IntegerField()), 0)


class StudioCountsAdmin(ReadOnlyAdmin):
    """Of a proxy of Organization: each studio by its random id, with what is `counted` of it (see `count_columns`)."""

    page = "pages.monitoring"
    ordering = ["-created_at"]
    counted: Mapping[str, Counted]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        counts = {f"_{name}": _count(one) for name, one in self.counted.items()}
        return super().get_queryset(request).defer("name").annotate(**counts)
