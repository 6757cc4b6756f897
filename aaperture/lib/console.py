"""The operator console: the stock Django admin, with our sign-in, our permissions and no side door round the services."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, cast

from django import forms
from django.apps import apps as django_apps
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console_words import name_fields

__all__ = ["ConsoleModelAdmin", "ConsoleSite", "ReadOnlyAdmin", "console"]
Words = Any  # a text, or one that is translated when it is shown
FILTERED_BY = ("", "__exact", "__in", "__isnull", "__gte", "__lt", "__year", "__month", "__day")  # what Django's own filters write


class Page(NamedTuple):
    """A page of the console that is no model's list."""

    app_label: str
    name: Any
    view: Callable[..., HttpResponse]
    route: str
    url_name: str
    permission: str


class ConsoleSite(admin.AdminSite):
    """For staff only: others get 403, nobody signed in is led to our own sign-in page."""

    site_header = _("Aaperture console")
    site_title = _("Aaperture console")
    index_title = _("Overview")
    enable_nav_sidebar = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[Page] = []

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own lists: those that packages register for themselves would write past the services."""
        if admin_class is not None and issubclass(admin_class, ConsoleModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def add_page(self, app_label: str, name: Any, view: Callable[..., HttpResponse], *, route: str, url_name: str, permission: str) -> None:
        """A page that is no model's list, beside the models of `app_label`, for those who have `permission`."""

        @wraps(view)
        def permitted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        self._pages.append(Page(app_label, name, permitted, route, url_name, permission))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        for page in self._pages:
            if not request.user.has_perm(page.permission) or app_label not in {None, page.app_label}:
                continue
            url = reverse(f"admin:{page.url_name}")
            app = next((one for one in apps if one["app_label"] == page.app_label), None)
            if app is None:
                name = django_apps.get_app_config(page.app_label).verbose_name
                app = {"name": name, "app_label": page.app_label, "app_url": url, "has_module_perms": True, "models": []}
                apps.append(app)
            entry = {"name": page.name, "object_name": page.url_name, "admin_url": url, "add_url": None, "perms": {}, "view_only": True}
            app["models"] = sorted([*app["models"], entry], key=lambda model: str(model["name"]))
        return apps

    def get_urls(self) -> list[Any]:
        """Without "view on site": it leads to any object by numbers, and nothing of ours has such an address."""
        own = [path(page.route, self.admin_view(page.view), name=page.url_name) for page in self._pages]
        return [*own, *(pattern for pattern in super().get_urls() if getattr(pattern, "name", "") != "view_on_site")]

    def app_index(self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Headed by the app's name: Django puts "administration" beside it, which French does not say like that."""
        named = next((app["name"] for app in self.get_app_list(request, app_label)), "")
        return super().app_index(request, app_label, {"title": named, **(extra_context or {})})

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


console = cast("ConsoleSite", admin.site)


class ConsoleForm(forms.ModelForm):
    """A model may object to a field that the form does not show, because it is read-only here: then the form as a whole says so."""

    def add_error(self, field: str | None, error: Any) -> None:
        faults = getattr(error, "error_dict", None)
        if field is None and faults is not None:
            shown: dict[str, list[Any]] = {}
            for name, found in faults.items():
                shown.setdefault(name if name in self.fields else NON_FIELD_ERRORS, []).extend(found)
            error = ValidationError(shown)
        super().add_error(field, error)


class ConsoleModelAdmin(admin.ModelAdmin):
    """Asks for the page and the operation; lists stay cheap however long they grow.

    `page` names the matrix page that this list belongs to. Changes go through services (override `save_model` and actions);
    Django's own log is not written, the activity log is.
    """

    form: type[forms.ModelForm] = ConsoleForm
    page = ""
    list_per_page = 50
    show_full_result_count = False
    actions_selection_counter = True
    preserve_filters = True
    view_on_site = False

    def __init__(self, model: type[Model], admin_site: admin.AdminSite) -> None:
        for shown in (model, *(inline.model for inline in self.inlines)):
            name_fields(shown)
        super().__init__(model, admin_site)

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
        """Only what the list offers to filter by, and as it offers it: any other column could be read letter by letter through
        the address, and a made-up pattern would be an error of the database's."""
        filters = self.get_list_filter(request)
        if lookup in {getattr(one, "parameter_name", None) for one in filters}:  # a filter's own word, which is no column
            return True
        offered = {one[0] if isinstance(one, list | tuple) else one for one in filters} | {self.date_hierarchy}
        return lookup in {f"{name}{way}" for name in offered if isinstance(name, str) for way in FILTERED_BY}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """An action that is not offered is refused when it is asked for all the same; Django's would only not find it."""
        name = request.POST.get("action", "") if request.method == "POST" else ""
        offered = {row[1] for row in self._get_base_actions()}  # type: ignore[attr-defined]  # before permissions are asked
        if name in offered and name not in self.get_actions(request):
            raise PermissionDenied
        titled = {"title": capfirst(str(self.opts.verbose_name_plural)), **(extra_context or {})}  # Django's orders one to choose
        return super().changelist_view(request, titled)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Headed by what it is: Django puts "Change" before it, which French does not say like that."""
        titled = {"title": capfirst(str(self.opts.verbose_name)), **(extra_context or {})} if object_id else extra_context
        return super().changeform_view(request, object_id, form_url, titled)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's own history is not written; the activity log has its lines."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return redirect(reverse("admin:audit_activity_changelist", query={"q": object_id}))

    def operation_page(
        self, request: HttpRequest, *, title: Words, button: Words, back: str, question: Words = "", subjects: Iterable[Any] = (),
        form: Any = None, danger: bool = False, beside: str = "",
    ) -> HttpResponse:  # fmt: skip
        """What is asked before something is done: a question, to whom or what, perhaps a form, one button.

        `beside` is the address of what another app has to say to it.
        """
        context = {
            **self.admin_site.each_context(request), "title": title, "opts": self.opts, "question": question,
            "subjects": list(subjects), "form": form, "button": button, "back": back, "danger": danger, "beside": beside,
        }  # fmt: skip
        return TemplateResponse(request, "admin/operation.html", context)

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
