"""Coach links: who follows whom, since when, agreed or not. Staff appoint a coach; only the client can agree."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.console import console
from accounts.admin.columns import badge
from accounts.admin.ending import EndingAdmin, operator
from accounts.models import CoachLink, User, canonical_email
from accounts.roles import OPERATIONS, Role
from accounts.services import coaching

LIST = "admin:accounts_coachlink_changelist"


class AppointForm(forms.Form):
    coach = forms.EmailField(label=_("Coach’s e-mail address"), max_length=254)
    client = forms.EmailField(label=_("Client’s e-mail address"), max_length=254)

    def clean_coach(self) -> User:
        coach = User.objects.filter(
            email=canonical_email(self.cleaned_data["coach"]), role=Role.COACH, is_active=True, erasure_requested_at=None
        ).first()
        if coach is None:
            raise ValidationError(_("No active account with the role Coach has this address."))
        return coach

    def clean_client(self) -> User:
        client = User.objects.filter(email=canonical_email(self.cleaned_data["client"]), is_active=True, erasure_requested_at=None).first()
        if client is None:
            raise ValidationError(_("No active account has this address."))
        return client


@admin.register(CoachLink, site=console)
class CoachLinkAdmin(EndingAdmin):
    end_label = _("End coaching")
    end_question = _("The coach sees nothing of this client any more, from now on.")
    end_done = _("Coaching ended.")
    list_display = ["appointed_at", "coach", "client", "state", "shows_subjects", "ends_at", "end_date"]
    list_select_related = ["coach", "client"]
    search_fields = ["coach__email", "client__email"]
    ordering = ["-appointed_at"]
    readonly_fields = (
        "coach",
        "client",
        "appointed_by",
        "appointed_at",
        "state",
        "accepted_at",
        "shows_subjects",
        "ends_at",
        "end_date",
        "ended_by",
    )
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[CoachLink]:
        return super().get_queryset(request).select_related("coach", "client")

    @admin.display(description=_("status"))
    def state(self, link: CoachLink) -> SafeString:
        if not self.is_open(link):
            return badge(_("ended"))
        return badge(_("in force"), "ok") if link.accepted_at else badge(_("waiting for the client"), "warn")

    def owner_of(self, row: CoachLink) -> User:
        return row.client

    def said(self, row: CoachLink) -> str:
        return row.coach.email

    def is_open(self, row: CoachLink) -> bool:
        return row.end_date is None

    def end(self, request: HttpRequest, row: CoachLink) -> None:
        coaching.end(row, actor=operator(request), request=request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_page(request) and request.user.has_perm(OPERATIONS["users", "edit"][0])

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = AppointForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                coaching.appoint(operator(request), form.cleaned_data["coach"], form.cleaned_data["client"], request=request)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.message_user(request, _("Appointed. Nothing is seen before the client agrees."))
                return redirect(LIST)
        question = _("The client is asked, and says what the coach may see and until when.")
        return self.operation_page(
            request, title=_("Appoint a coach"), question=question, form=form, button=_("Appoint"), back=reverse(LIST)
        )
