"""Studios and who belongs to them: to read only, the studio's own owner manages it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from accounts.models import Membership, Organization


class MembershipInline(admin.TabularInline):
    model = Membership
    fields = ("user", "role", "joined_at", "ended_at")
    readonly_fields = fields
    extra = 0
    can_delete = False
    verbose_name_plural = _("members")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user").order_by("joined_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Organization, site=console)
class OrganizationAdmin(ReadOnlyAdmin):
    page = "pages.users"
    list_display = ["name", "members", "created_at"]
    search_fields = ["name"]
    ordering = ["-created_at"]
    fields = ["name", "created_at"]
    inlines = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Organization]:
        return super().get_queryset(request).annotate(_members=Count("memberships", filter=Q(memberships__ended_at=None)))

    @admin.display(description=_("members"))
    def members(self, studio: Organization) -> int:
        return studio._members  # type: ignore[attr-defined]  # annotated by the query
