"""The console of people. Every change is a service's; every button asks first."""

import contextlib
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ConsoleModelAdmin, console
from accounts import protections
from accounts.admin.acts import ACTS, CHARGED, Act
from accounts.admin.columns import badge, role_badge
from accounts.admin.ending import operator
from accounts.admin.forms import NewUserForm, RoleForm
from accounts.forms import ProfileForm
from accounts.models import ApiKey, ApiSession, Session, User
from accounts.roles import OPERATIONS, Role
from accounts.second_factor import FACTORS
from accounts.services import users

MOST = 100  # accounts in one go
LIST = "admin:accounts_user_changelist"


def act_url(name: str, ids: list[Any]) -> str:
    return reverse("admin:accounts_user_act", args=[name]) + "?" + urlencode([("id", str(one)) for one in ids])


def said_of(url_name: str, ids: list[Any]) -> str:
    return reverse(url_name) + "?" + urlencode([("id", str(one)) for one in ids])


def _bulk(name: str) -> Any:
    """The list's action: it only leads to the question."""

    @admin.action(description=ACTS[name].label, permissions=[ACTS[name].operation])
    def lead(self: Any, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        return redirect(act_url(name, list(queryset.values_list("pk", flat=True)[:MOST])))

    lead.__name__ = name
    return lead


@admin.register(User, site=console)
class UserAdmin(ConsoleModelAdmin):
    page = "pages.users"
    change_form_template = "admin/account.html"
    form = ProfileForm
    list_display = ["email", "name", "role_shown", "state", "second_factor", "last_login", "created_at"]
    list_filter = ["role", "is_active"]
    search_fields = ["email", "name"]
    ordering = ["-created_at"]
    fields = [
        "email", "role_shown", "state", "name", "language", "timezone", "second_factor", "open_sessions", "open_keys", "last_login",
        "created_at",
    ]  # fmt: skip
    readonly_fields = ["email", "role_shown", "state", "second_factor", "open_sessions", "open_keys", "last_login", "created_at"]
    actions = [_bulk(name) for name in ACTS]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        factor = Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
        return super().get_queryset(request).annotate(_second_factor=Exists(factor))

    # --- columns ---------------------------------------------------------------------------------------------------

    @admin.display(description=_("role"), ordering="role")
    def role_shown(self, user: User) -> SafeString:
        return role_badge(user)

    @admin.display(description=_("status"), ordering="is_active")
    def state(self, user: User) -> SafeString:
        if user.is_primary_admin:
            return badge(_("primary administrator"), "info")
        return badge(_("active"), "ok") if user.is_active else badge(_("not active"), "danger")

    @admin.display(description=_("second factor"), boolean=True)
    def second_factor(self, user: User) -> bool:
        return getattr(user, "_second_factor", False)

    @admin.display(description=_("open sessions"))
    def open_sessions(self, user: User) -> int:
        now = timezone.now()
        web = Session.objects.filter(user=user, expire_date__gt=now).count()
        return web + ApiSession.objects.filter(user=user, ended_at=None, expires_at__gt=now).count()

    @admin.display(description=_("valid API keys"))
    def open_keys(self, user: User) -> int:
        return ApiKey.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now()).count()

    # --- who may ---------------------------------------------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request) and (obj is None or protections.allows(operator(request), obj, "edit"))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request) and (obj is None or protections.allows(operator(request), obj, "delete"))

    def _may(self, request: HttpRequest, operation: str) -> bool:
        return self.has_page(request) and request.user.has_perm(OPERATIONS["users", operation][0])

    def has_change_role_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "change_role")

    def has_activate_deactivate_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "activate_deactivate")

    def has_reset_password_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "reset_password") and operator(request).role != Role.DEVELOPER

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "edit")

    # --- pages -----------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        act = self.admin_site.admin_view(self.act_view)
        return [path("do/<str:name>/", act, name="accounts_user_act"), *super().get_urls()]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        user = self.get_object(request, object_id) if object_id else None
        if user is not None and request.method == "POST":
            protections.check(operator(request), user, "edit", request)  # says why, and puts a developer's attempt on record
        context = {"acts": self._acts(request, user), "show_save_and_add_another": False, "show_save_and_continue": False}
        if user is not None and not user.is_active:
            context["beside"] = said_of(CHARGED, [user.pk])
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _acts(self, request: HttpRequest, user: User | None) -> list[tuple[Any, str]]:
        """The buttons of somebody's page: what this reader may do to them now. Deleting has Django's own."""
        if user is None or not self.has_page(request):
            return []
        return [
            (act.label, act_url(name, [user.pk]))
            for name, act in ACTS.items()
            if name != "delete" and act.applies(user) and protections.allows(operator(request), user, act.operation)
        ]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        users.edit_user(operator(request), obj, changes, request)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        return self._act_on(request, "delete", [object_id])

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """Not Django's: its view keeps a transaction open, and a mail goes out here."""
        actor = operator(request)
        protections.check_grant(actor, Role.MEMBER)
        form = NewUserForm(request.POST or None, actor=actor)
        if request.method == "POST" and form.is_valid():
            try:
                self._create(request, form)
            except ValidationError as error:
                form.add_error(
                    None, error if not hasattr(error, "error_dict") else [one for row in error.error_dict.values() for one in row]
                )
            else:
                return redirect(LIST)
        question = _("They get a mail with a link to choose a password of their own.")
        return self.operation_page(
            request, title=_("Add an account"), question=question, form=form, button=_("Make the account"), back=reverse(LIST)
        )

    def _create(self, request: HttpRequest, form: NewUserForm) -> None:
        try:
            users.create_user(operator(request), request=request, **form.cleaned_data)
        except (SMTPException, OSError):
            words = _("The account was made, but its mail could not be sent. Send a link to set a password once mail works again.")
            self.message_user(request, words, messages.WARNING)
        else:
            self.message_user(request, _("The account was made; a mail is on its way."))

    def act_view(self, request: HttpRequest, name: str) -> HttpResponse:
        return self._act_on(request, name, request.POST.getlist("id") or request.GET.getlist("id"))

    def _act_on(self, request: HttpRequest, name: str, ids: list[str]) -> HttpResponse:
        act = ACTS.get(name)
        chosen = self._chosen(ids)
        if act is None or not chosen:
            raise Http404
        for user in chosen:
            protections.check(operator(request), user, act.operation, request)
        if any(act.sensitive(user) for user in chosen):
            users.step_up(request)
        form = RoleForm(request.POST or None, actor=operator(request), initial={"role": chosen[0].role}) if name == "change_role" else None
        if request.method == "POST" and (form is None or form.is_valid()):
            return self._done(request, act, chosen, form.cleaned_data["role"] if form else "")
        subjects = [{"id": user.pk, "label": user.email, "note": user.get_role_display()} for user in chosen]
        return self.operation_page(
            request, title=act.label, question=act.question, subjects=subjects, form=form, button=act.label, danger=act.danger,
            beside=said_of(act.beside, ids) if act.beside else "",
            back=reverse("admin:accounts_user_change", args=[chosen[0].pk]) if len(chosen) == 1 else reverse(LIST),
        )  # fmt: skip

    def _done(self, request: HttpRequest, act: Act, chosen: list[User], role: str) -> HttpResponse:
        """All or none, except mail: what was sent was sent."""
        with contextlib.nullcontext() if act.operation == "reset_password" else transaction.atomic():
            for user in chosen:
                try:
                    act.do(operator(request), user, request, role)
                except (SMTPException, OSError):
                    self.message_user(request, _("The mail could not be sent. Please try again later."), messages.ERROR)
                    return redirect(LIST)
        self.message_user(request, act.done)
        if len(chosen) == 1 and act.operation != "delete":
            return redirect("admin:accounts_user_change", chosen[0].pk)
        return redirect(LIST)

    def _chosen(self, ids: list[str]) -> list[User]:
        known = []
        for one in ids[:MOST]:
            with contextlib.suppress(ValueError):
                known.append(UUID(one))
        return list(User.objects.filter(pk__in=known).order_by("email"))
