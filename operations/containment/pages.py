"""The console of containment: networks that are refused, and one person's ways in."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import ReadOnlyAdmin, console
from accounts import protections
from accounts.admin.acts import CHARGED
from accounts.admin.columns import badge
from accounts.admin.ending import operator
from accounts.admin.users import said_of
from accounts.models import ApiKey, ApiSession, Session, User, canonical_email
from accounts.services.users import step_up
from audit.alerts import services as alerts
from audit.models import SecurityAlert
from integrations.models import Connection
from operations.containment.models import BlockedNetwork
from operations.services import containment
from operations.services.containment import ACTS, BLOCK, LONGEST

LIST = "admin:operations_blockednetwork_changelist"
PEOPLE = "accounts.change_user"


class BlockForm(forms.Form):
    network = forms.CharField(label=_("Address or network"), max_length=49, help_text=_("Such as 203.0.113.66 or 203.0.113.0/24."))
    hours = forms.IntegerField(label=_("Hours"), min_value=1, max_value=int(LONGEST.total_seconds() // 3600), initial=24)
    reason = forms.CharField(label=_("Reason"), min_length=3, max_length=200)


class FindForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address of the account"), max_length=254)


def _alert(request: HttpRequest) -> SecurityAlert | None:
    """The alert from whose page somebody came, if any."""
    try:
        return SecurityAlert.objects.filter(pk=UUID(request.GET.get("alert", ""))).first()
    except ValueError:
        return None


def _with_alert(url: str, alert: SecurityAlert | None) -> str:
    return f"{url}?alert={alert.pk}" if alert else url


@admin.register(BlockedNetwork, site=console)
class BlockedNetworkAdmin(ReadOnlyAdmin):
    page = "pages.monitoring"
    list_display = ["network", "state", "lift_link", "reason", "created_at", "ends_at"]
    list_display_links = None
    ordering = ["-created_at"]

    def get_urls(self) -> list[Any]:
        views: dict[str, Any] = {"<uuid:block_id>/lift/": (self.lift_view, "operations_blockednetwork_lift")}
        views["person/<uuid:user_id>/"] = (person_view, "operations_contain_person")
        views["person/<uuid:user_id>/<str:name>/"] = (act_view, "operations_contain")
        own = [path(route, self.admin_site.admin_view(view), name=name) for route, (view, name) in views.items()]
        return [*own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm(BLOCK)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_view_permission(request)

    @admin.display(description=_("state"))
    def state(self, row: BlockedNetwork) -> SafeString:
        if row.is_in_force:
            return badge(_("refused"), "danger")
        return badge(_("lifted"), "ok") if row.lifted_at else badge(_("ended"))

    @admin.display(description="")
    def lift_link(self, row: BlockedNetwork) -> SafeString | str:
        url = reverse("admin:operations_blockednetwork_lift", args=[row.pk])
        return format_html('<a href="{}">{}</a>', url, _("Lift")) if row.is_in_force else ""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [name for name in super().get_list_display(request) if name != "lift_link" or request.user.has_perm(BLOCK)]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied
        step_up(request)
        alert = _alert(request)
        form = BlockForm(request.POST or None, initial={"network": request.GET.get("network", "")[:49]})
        if request.method == "POST" and form.is_valid() and self._block(request, form, alert):
            self.message_user(request, _("Blocked, in every process within seconds."))
            return redirect(reverse("admin:audit_securityalert_change", args=[alert.pk]) if alert else LIST)
        question = _("Nothing is answered to it any more: no page, no console, no API. Never this machine, and never your own address.")
        return self.operation_page(
            request, title=_("Block a network"), question=question, form=form, button=_("Block"), back=reverse(LIST), danger=True
        )

    def _block(self, request: HttpRequest, form: BlockForm, alert: SecurityAlert | None) -> bool:
        given, actor = form.cleaned_data, operator(request)
        try:
            containment.block_network(
                given["network"],
                hours=given["hours"],
                reason=given["reason"],
                actor=actor,
                request=request,
                alert_id=alert.pk if alert else None,
            )
        except ValidationError as error:
            form.add_error(None, error if not hasattr(error, "error_dict") else ValidationError(error.messages))
            return False
        if alert:
            alerts.note_containment(alert, act="block_network", actor=actor, request=request)
        return True

    def lift_view(self, request: HttpRequest, block_id: UUID) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        step_up(request)
        row = get_object_or_404(BlockedNetwork, pk=block_id)
        if request.method == "POST":
            containment.unblock_network(row, actor=operator(request), request=request)
            self.message_user(request, _("It is answered again."))
            return redirect(LIST)
        subjects = [{"id": "", "label": row.network, "note": row.reason}]
        return self.operation_page(request, title=_("Lift the block"), subjects=subjects, button=_("Lift the block"), back=reverse(LIST))


# --- one person ------------------------------------------------------------------------------------------------------------


def find_view(request: HttpRequest) -> HttpResponse:
    """For when there is no alert to start from."""
    form = FindForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = User.objects.filter(email=canonical_email(form.cleaned_data["email"])).first()
        if user:
            return redirect("admin:operations_contain_person", user.pk)
        form.add_error("email", _("No account has this address."))
    context = {**console.each_context(request), "title": _("Containment"), "form": form, "may_block": request.user.has_perm(BLOCK)}
    return TemplateResponse(request, "operations/find_account.html", context)


def person_view(request: HttpRequest, user_id: UUID) -> HttpResponse:
    if not request.user.has_perm(PEOPLE):
        raise PermissionDenied
    user, alert, now = get_object_or_404(User, pk=user_id), _alert(request), timezone.now()
    acts = [
        (act, _with_alert(reverse("admin:operations_contain", args=[user.pk, name]), alert))
        for name, act in ACTS.items()
        if protections.allows(operator(request), user, act.operation) and (name != "suspend" or user.is_active)
    ]
    sessions = Session.objects.filter(user=user, expire_date__gt=now).count()
    context = {
        **console.each_context(request), "title": _("Containment"), "person": user, "alert": alert, "acts": acts,
        "sessions": sessions + ApiSession.objects.filter(user=user, ended_at=None, expires_at__gt=now).count(),
        "keys": ApiKey.objects.filter(user=user, revoked_at=None, expires_at__gt=now).count(),
        "connections": Connection.objects.filter(owner=user).exclude(status=Connection.Status.REVOKED).count(),
    }  # fmt: skip
    return TemplateResponse(request, "operations/contain_person.html", context)


def act_view(request: HttpRequest, user_id: UUID, name: str) -> HttpResponse:
    user, alert, act = get_object_or_404(User, pk=user_id), _alert(request), ACTS.get(name)
    if act is None:
        raise Http404
    protections.check(operator(request), user, act.operation, request)
    step_up(request)
    back = _with_alert(reverse("admin:operations_contain_person", args=[user.pk]), alert)
    if request.method == "POST":
        act.do(operator(request), user, request)
        if alert:
            alerts.note_containment(alert, act=name, actor=operator(request), request=request, person_id=str(user.pk))
        messages.success(request, act.done)
        return redirect(back)
    context = {
        **console.each_context(request), "title": act.label, "question": act.question, "button": act.label, "back": back, "danger": True,
        "subjects": [{"id": "", "label": user.email, "note": user.get_role_display()}],
        "beside": said_of(CHARGED, [user.pk]) if name == "suspend" else "",
    }  # fmt: skip
    return TemplateResponse(request, "admin/operation.html", context)


console.add_page(
    "operations", _("Containment"), find_view, route="operations/containment/", url_name="operations_containment",
    permission=PEOPLE,
)  # fmt: skip
