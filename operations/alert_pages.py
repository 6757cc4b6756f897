"""The console of security alerts: what is going on, what is behind it, who looks after it, and what is done about it."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.client_address import client_address
from aaperture.lib.console import ReadOnlyAdmin, console
from accounts.admin.columns import badge
from accounts.admin.ending import operator
from accounts.models import User
from accounts.roles import ROLE_PERMISSIONS
from audit.actions import ACTIONS
from audit.alerts import services
from audit.alerts.detection import activity_behind
from audit.detectors import MAILED, Severity
from audit.models import Activity, AlertNote, SecurityAlert
from audit.services import opened_or_empty
from operations import alert_chart
from operations.services import containment
from operations.services.containment import NAMES

LIST = "admin:audit_securityalert_changelist"
PAGE = "admin:audit_securityalert_change"
MOST_PEOPLE = 8
TONES = {Severity.LOW: "", Severity.MEDIUM: "info", Severity.HIGH: "warn", Severity.CRITICAL: "danger"}
STATES = {SecurityAlert.State.OPEN: "danger", SecurityAlert.State.ACKNOWLEDGED: "warn", SecurityAlert.State.RESOLVED: "ok"}


def handlers() -> Any:
    """The accounts that may look after alerts."""
    roles = [role for role, permissions in ROLE_PERMISSIONS.items() if services.MANAGE in permissions]
    return User.objects.filter(role__in=roles, is_active=True, erasure_requested_at=None).order_by("email")


def waiting() -> tuple[int, int]:
    """How many alerts nobody has resolved, and how many of them are severe."""
    severities = list(SecurityAlert.objects.unresolved().values_list("severity", flat=True))
    return len(severities), sum(severity in MAILED for severity in severities)


class AssignForm(forms.Form):
    person = forms.ModelChoiceField(label=_("Who looks after it"), queryset=User.objects.none())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["person"].queryset = handlers()  # type: ignore[attr-defined]  # a ModelChoiceField, declared above


class NoteForm(forms.Form):
    note = forms.CharField(
        label=_("Note"), max_length=services.LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("What was found and done. Notes stay; name people by their role or id."),
    )  # fmt: skip


class Step:
    """One thing a person does with an alert: its words, its form, its service."""

    def __init__(self, label: Any, question: Any, form: type[forms.Form] | None, do: Any, *, after_end: bool = False) -> None:
        self.label, self.question, self.form, self.do, self.after_end = label, question, form, do, after_end


STEPS = {
    "acknowledge": Step(
        _("Acknowledge"), _("You have seen it and look into it. It is yours unless somebody else has it."), None,
        lambda alert, data, **who: services.acknowledge(alert, **who),
    ),
    "assign": Step(
        _("Assign"), _("They see it as theirs in the list."), AssignForm,
        lambda alert, data, **who: services.assign(alert, data["person"], **who),
    ),
    "note": Step(
        _("Add a note"), "", NoteForm, lambda alert, data, **who: services.add_note(alert, data["note"], **who), after_end=True
    ),
    "mail_again": Step(
        _("Send the mail again"),
        _("A worker ended while it was being sent. If it went out after all, mail programs show it once: it is the same message."),
        None,
        lambda alert, data, **who: services.mail_again(alert, **who),
        after_end=True,
    ),
    "resolve": Step(
        _("Resolve"), _("It is over. The same opens a new alert only for what happens from now on."), NoteForm,
        lambda alert, data, **who: services.resolve(alert, note=data["note"], **who),
    ),
}  # fmt: skip


@admin.register(SecurityAlert, site=console)
class SecurityAlertAdmin(BigListMixin, ReadOnlyAdmin):
    page = "pages.monitoring"
    keyset = ("opened_at", "id")
    change_list_template = "operations/security_alerts.html"
    list_display = ["opened_at", "severity_shown", "kind", "state_shown", "count", "assigned"]
    list_display_links = ["opened_at", "kind"]
    list_filter = ["state", "severity", "kind"]

    def get_urls(self) -> list[Any]:
        step = self.admin_site.admin_view(self.step_view)
        return [path("<uuid:alert_id>/do/<str:name>/", step, name="audit_securityalert_step"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"chart": alert_chart.chart(), **(extra_context or {})})

    # --- columns -------------------------------------------------------------------------------------------------------

    def prepare_rows(self, request: HttpRequest, rows: list[SecurityAlert]) -> None:
        people = User.objects.only("email").in_bulk({row.assigned_to for row in rows if row.assigned_to})
        for row in rows:
            row.assignee = people.get(row.assigned_to)  # type: ignore[attr-defined]  # set on the rows of one page

    @admin.display(description=_("severity"))
    def severity_shown(self, alert: SecurityAlert) -> SafeString:
        return badge(alert.get_severity_display(), TONES[Severity(alert.severity)])

    @admin.display(description=_("state"))
    def state_shown(self, alert: SecurityAlert) -> SafeString:
        return badge(alert.get_state_display(), STATES[SecurityAlert.State(alert.state)])

    @admin.display(description=_("assigned to"))
    def assigned(self, alert: SecurityAlert) -> str:
        return alert.assignee.email if alert.assignee else "–"  # type: ignore[attr-defined]  # set on the rows of one page

    # --- pages -----------------------------------------------------------------------------------------------------------

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        alert = self._alert(request, object_id)
        rows = activity_behind(alert)
        context = {
            **self.admin_site.each_context(request), "title": str(alert), "opts": self.opts, "original": alert, "alert": alert,
            "severity": self.severity_shown(alert), "state": self.state_shown(alert), "count": number_format(alert.count),
            "steps": self._steps(request, alert), "notes": self._notes(alert), "assignee": _name(alert.assigned_to),
            "details": [(name.replace("_", " "), _told(value)) for name, value in alert.details.items() if name != "threshold"],
            **self._behind(request, rows),
        }  # fmt: skip
        return TemplateResponse(request, "operations/security_alert.html", context)

    def step_view(self, request: HttpRequest, alert_id: UUID, name: str) -> HttpResponse:
        alert, step = self._alert(request, str(alert_id)), STEPS.get(name)
        if step is None:
            raise Http404
        if not request.user.has_perm(services.MANAGE):
            raise PermissionDenied
        form = step.form(request.POST or None) if step.form else None
        back = reverse(PAGE, args=[alert.pk])
        if request.method == "POST" and (form is None or form.is_valid()):
            try:
                step.do(alert, form.cleaned_data if form else {}, actor=operator(request), request=request)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), "error")
            else:
                self.message_user(request, _("Saved."))
            return redirect(back)
        return self.operation_page(request, title=step.label, question=step.question, form=form, button=step.label, back=back)

    def _alert(self, request: HttpRequest, object_id: str) -> SecurityAlert:
        if not self.has_view_permission(request):
            raise PermissionDenied
        alert = self.get_object(request, object_id)
        if alert is None:
            raise Http404
        return alert

    def _steps(self, request: HttpRequest, alert: SecurityAlert) -> list[tuple[Any, str]]:
        if not request.user.has_perm(services.MANAGE):
            return []
        state, over = SecurityAlert.State, alert.state == SecurityAlert.State.RESOLVED
        return [
            (step.label, reverse("admin:audit_securityalert_step", args=[alert.pk, name]))
            for name, step in STEPS.items()
            if (step.after_end or not over)
            and (name != "acknowledge" or alert.state == state.OPEN)
            and (name != "mail_again" or alert.mail == SecurityAlert.Mail.UNKNOWN)
        ]

    def _notes(self, alert: SecurityAlert) -> list[dict[str, Any]]:
        notes = list(alert.notes.order_by("written_at", "id"))
        assigned = {UUID(note.text) for note in notes if note.what == AlertNote.What.ASSIGNED}
        people = User.objects.only("email").in_bulk({note.author_id for note in notes if note.author_id} | assigned)
        return [
            {
                "at": note.written_at, "what": note.get_what_display(), "who": _email(people, note.author_id),
                "text": self._text(note, people),
            }
            for note in notes
        ]  # fmt: skip

    def _text(self, note: AlertNote, people: dict[Any, User]) -> Any:
        if note.what == AlertNote.What.ASSIGNED:
            return _email(people, UUID(note.text))
        if note.what == AlertNote.What.ESCALATED:
            return Severity(note.text).label
        return NAMES.get(note.text, note.text) if note.what == AlertNote.What.CONTAINED else note.text

    def _behind(self, request: HttpRequest, rows: list[Activity]) -> dict[str, Any]:
        """People and addresses only for those whom the matrix lets see accounts and the activity log."""
        may = request.user.has_perm
        ids = {str(row.actor_id) for row in rows if row.actor_id} | {row.target_id for row in rows if row.target_type == "accounts.user"}
        people = list(User.objects.filter(pk__in=ids).order_by("email")[:MOST_PEOPLE]) if may("accounts.view_user") else []
        addresses: list[str] = []
        if may("audit.view_activity"):
            addresses = list(dict.fromkeys(found for row in rows if (found := opened_or_empty(row, "address"))))[:MOST_PEOPLE]
        emails = {str(user.pk): user.email for user in people}
        lines = [
            {"row": row, "what": ACTIONS[row.action], "who": emails.get(str(row.actor_id), "") or emails.get(row.target_id, "")}
            for row in rows
        ]
        own = client_address(request)
        return {
            "lines": lines, "people": people, "may_contain": may("accounts.change_user"),
            "addresses": [(address, containment.why_never(address, own)) for address in addresses],
            "may_block": may("operations.block_network"), "may_read_log": may("audit.view_activity"),
        }  # fmt: skip


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _name(user_id: UUID | None) -> str:
    return User.objects.filter(pk=user_id).values_list("email", flat=True).first() or "" if user_id else ""


def _email(people: dict[Any, User], user_id: UUID | None) -> str:
    return people[user_id].email if user_id in people else str(user_id or "")
