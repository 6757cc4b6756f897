"""The operator console of opportunities: how many each person has, never which."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from accounts.admin.counts import count_column
from accounts.objections import Objection
from tracker.models import OpportunityCount
from tracker.stages import Stage

COLUMNS = [count_column("total", _("all")), *(count_column(stage.value, stage.label) for stage in Stage)]


@admin.register(OpportunityCount, site=console)
class OpportunityCountAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["email", *COLUMNS]
    fields = ["email", *COLUMNS]
    search_fields = ["email"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[OpportunityCount]:
        kept = Q(opportunities__isnull=False, opportunities__merged_into=None)
        counts = {f"_{stage}": Count("opportunities", filter=kept & Q(opportunities__stage=stage)) for stage in Stage.values}
        people: QuerySet[Any] = OpportunityCount.objects.only("email").exclude(objections__contains=[Objection.STATISTICS])
        return people.annotate(_total=Count("opportunities", filter=kept), **counts)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-_total", "email")
