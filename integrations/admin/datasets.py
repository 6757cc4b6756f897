import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.console import ReadOnlyAdmin, console
from integrations.models import DatasetRow, Pipeline
from integrations.services.datasets import NAME

PREVIEW = 120


class PipelineFilter(admin.SimpleListFilter):
    """Pipelines of the instance that keep a dataset; a member's are nobody's business here."""

    title = _("pipeline")
    parameter_name = "pipeline"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = Pipeline.objects.filter(destination=NAME, connection__owner=None).order_by("name")
        return [(str(pk), name) for pk, name in own.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        try:
            return queryset.filter(pipeline_id=UUID(self.value())) if self.value() else queryset
        except ValueError:
            return queryset.none()


@admin.register(DatasetRow, site=console)
class DatasetRowAdmin(BigListMixin, ReadOnlyAdmin):
    """What pipelines of the instance keep; exported and emptied from the pipeline's own page."""

    page = "pages.pipelines"
    keyset = ("stored_at", "id")
    list_display = ["stored_at", "pipeline", "item_id", "preview"]
    list_display_links = ["stored_at"]
    list_filter = [PipelineFilter]
    list_select_related = ["pipeline"]
    fields = ["item_id", "pipeline", "stored_at", "seen_at", "whole"]
    readonly_fields = ["item_id", "pipeline", "stored_at", "seen_at", "whole"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetRow]:
        return super().get_queryset(request).filter(owner=None)

    @admin.display(description=_("fields"))
    def preview(self, row: DatasetRow) -> str:
        return Truncator(json.dumps(row.data, ensure_ascii=False)).chars(PREVIEW)

    @admin.display(description=_("fields"))
    def whole(self, row: DatasetRow) -> str:
        return format_html("<pre>{}</pre>", json.dumps(row.data, ensure_ascii=False, indent=2))
