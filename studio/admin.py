"""The operator console of the trade: how many contacts, projects and sessions each studio has, never which."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from studio.models import Contact, ContactImport, PhotoSession, Project, StudioCount

COUNTED: dict[str, tuple[Any, type[Any]]] = {
    "contacts": (_("contacts"), Contact),
    "projects": (_("projects"), Project),
    "sessions": (_("photo sessions"), PhotoSession),
    "imports": (_("imports of contacts"), ContactImport),
}


def _column(name: str, words: Any) -> Any:
    """What shows the count annotated under `_name`."""

    @admin.display(description=words, ordering=f"_{name}")
    def show(row: StudioCount) -> int:
        return getattr(row, f"_{name}")

    show.__name__ = name
    return show


COLUMNS = [_column(name, words) for name, (words, _model) in COUNTED.items()]


def _count(model: type[Any]) -> Coalesce:
    """Of one studio, by itself: joined to one another the tables would multiply."""
    rows = model.objects.filter(organization=OuterRef("pk")).order_by().values("organization").annotate(n=Count("id")).values("n")
    return Coalesce(Subquery(rows, output_field=IntegerField()), 0)


@admin.register(StudioCount, site=console)
class StudioCountAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["id", *COLUMNS, "created_at"]
    fields = ["id", *COLUMNS, "created_at"]
    ordering = ["-created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudioCount]:
        counts = {f"_{name}": _count(model) for name, (_words, model) in COUNTED.items()}
        return super().get_queryset(request).defer("name").annotate(**counts)
