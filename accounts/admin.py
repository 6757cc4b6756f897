from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from aaperture.lib.console import ConsoleModelAdmin, ReadOnlyAdmin, console
from accounts.models import InstanceSettings, User
from audit.services import record


@admin.register(User, site=console)
class UserAdmin(ReadOnlyAdmin):
    page = "pages.users"
    list_display = ["email", "name", "role", "is_active", "last_login", "created_at"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["-created_at"]
    fields = ["email", "name", "role", "is_active", "is_primary_admin", "language", "timezone", "last_login", "created_at"]


@admin.register(InstanceSettings, site=console)
class InstanceSettingsAdmin(ConsoleModelAdmin):
    list_display = ["__str__", "registration_open", "premium_for", "updated_at"]
    fields = ["registration_open", "premium_for"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_change_permission(request) and not InstanceSettings.objects.exists()

    def save_model(self, request: HttpRequest, obj: InstanceSettings, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record("settings.changed", obj, request=request, fields=sorted(form.changed_data))
