"""The operator console: the stock Django admin, with our sign-in, our permissions and no side door round the services."""

from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin import site as console
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _

__all__ = ["ConsoleModelAdmin", "ConsoleSite", "ReadOnlyAdmin", "console"]


class ConsoleSite(admin.AdminSite):
    """For staff only: others get 403, nobody signed in is led to our own sign-in page."""

    site_header = _("Aaperture console")
    site_title = _("Aaperture console")
    index_title = _("Overview")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and getattr(request.user, "is_staff", False) and request.user.has_perm("pages.dashboard")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return guarded

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.user.is_authenticated:
            if not self.has_permission(request):
                raise PermissionDenied
            return redirect("admin:index")
        return redirect_to_login(request.GET.get("next", reverse("admin:index")), reverse("account_login"))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return redirect("account_change_password")


class ConsoleModelAdmin(admin.ModelAdmin):
    """Asks for the page and the operation; lists stay cheap however long they grow.

    `page` names the matrix page that this list belongs to. Changes go through services (override `save_model` and actions);
    Django's own log is not written, the activity log is.
    """

    page = ""
    list_per_page = 50
    show_full_result_count = False
    actions_selection_counter = True
    preserve_filters = True

    def has_page(self, request: HttpRequest) -> bool:
        return not self.page or request.user.has_perm(self.page)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_page(request) and super().has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_page(request) and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_page(request) and super().has_delete_permission(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the list offers to filter by: any other column could be read letter by letter through the address."""
        filters = self.get_list_filter(request)
        offered = {one[0] if isinstance(one, list | tuple) else one for one in filters} | {self.date_hierarchy}
        return any(isinstance(name, str) and (lookup == name or lookup.startswith(f"{name}__")) for name in offered)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # it would bypass the services
        return actions

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing: the service that made the change has recorded it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing either."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing either."""


class ReadOnlyAdmin(ConsoleModelAdmin):
    """A list and a detail page, nothing to press."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
