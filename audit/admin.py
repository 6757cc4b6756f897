from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from aaperture.lib.big_lists import BigListMixin
from aaperture.lib.client_address import canonical
from aaperture.lib.console import ReadOnlyAdmin, console
from audit.actions import ACTIONS
from audit.models import Activity
from audit.seal.places import FAILURES
from audit.seal.search import SHOWN, archived_months, search_archive
from audit.services import opened_or_empty, record
from vault.services import keyed_hash

MOST_ACTIONS = 12  # that one word may mean


class ActionFilter(admin.SimpleListFilter):
    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for action in ACTIONS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(action=self.value()) if self.value() in ACTIONS else queryset


@admin.register(Activity, site=console)
class ActivityAdmin(BigListMixin, ReadOnlyAdmin):
    """Newest first; who, what and on what. Address and agent are opened on the detail page only."""

    keyset = ("recorded_at", "id")
    list_display = ["recorded_at", "action", "who", "target_type", "target_id", "credential"]
    list_display_links = ["recorded_at"]
    list_filter = [ActionFilter]
    search_fields = ["actor_id"]  # shows the field; `search_for` says what is looked for
    search_help_text = _("Search by an e-mail address, an id of a person or of an object, a network address, or an action such as “user.”.")
    fields = [
        "recorded_at", "action", "actor_kind", "actor_id", "origin_address", "origin_agent", "credential", "target_type", "target_id",
        "organization_id", "request_id", "details",
    ]  # fmt: skip
    readonly_fields = ["origin_address", "origin_agent"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Activity]:
        return super().get_queryset(request).defer("canonical")

    def search_for(self, request: HttpRequest, text: str) -> list[Q]:
        """An e-mail address finds what its account did, what was done to it, and what was tried under that name."""
        if "@" in text:
            people = get_user_model().objects.filter(email__iexact=text).values_list("pk", flat=True)
            return [Q(account_hash=keyed_hash("account", text.casefold())), *(one for pk in people for one in self._person(pk))]
        if (address := canonical(text)) is not None:
            return [Q(address_hash=keyed_hash("address", str(address)))]
        try:
            return self._person(UUID(text))
        except ValueError:
            actions = [action for action in ACTIONS if action.startswith(text)][:MOST_ACTIONS]
            return [Q(action=action) for action in actions] or [Q(target_id=text)]

    def _person(self, pk: UUID) -> list[Q]:
        return [Q(actor_id=pk), Q(target_id=str(pk))]

    def prepare_rows(self, request: HttpRequest, rows: list[Activity]) -> None:
        people = get_user_model().objects.only("email").in_bulk({row.actor_id for row in rows if row.actor_id})
        for row in rows:
            person = people.get(row.actor_id)
            row.who = person.email if person else str(row.actor_id or "")  # type: ignore[attr-defined]  # set on the rows of one page

    @admin.display(description=_("who"))
    def who(self, activity: Activity) -> str:
        return activity.who or activity.get_actor_kind_display()  # type: ignore[attr-defined]  # set on the rows of one page

    @admin.display(description=_("address"))
    def origin_address(self, activity: Activity) -> str:
        return opened_or_empty(activity, "address") or "–"

    @admin.display(description=_("browser or program"))
    def origin_agent(self, activity: Activity) -> str:
        return opened_or_empty(activity, "agent") or "–"


class ArchiveForm(forms.Form):
    month = forms.TypedChoiceField(label=_("Month"), coerce=date.fromisoformat)
    q = forms.CharField(label=_("Search for"), max_length=200, required=False, help_text=ActivityAdmin.search_help_text)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["month"].choices = [(f"{month:%Y-%m-%d}", f"{month:%Y-%m}") for month in archived_months()]  # type: ignore[attr-defined]  # a field that offers choices


def archive_view(request: HttpRequest) -> HttpResponse:
    """Activity that has left the log for the archive; each search is on record."""
    log = ActivityAdmin(Activity, console)
    form, found = ArchiveForm(request.GET if "month" in request.GET else None), None
    if form.is_bound and form.is_valid():
        month, text = form.cleaned_data["month"], form.cleaned_data["q"].strip()
        sought: list[Any] = log.search_for(request, text) if text else []
        conditions = [dict(one.children) for one in sought]
        try:
            found = search_archive(month, conditions)
        except FAILURES:
            form.add_error(None, _("The archive does not answer, or does not have this month."))
        else:
            record("audit.archive_searched", request=request, month=f"{month:%Y-%m}", found=found.total)
            log.prepare_rows(request, found.activities)
    context = {**console.each_context(request), "title": _("Archived activity"), "form": form, "found": found, "shown": SHOWN}
    return TemplateResponse(request, "audit/archive.html", context)


console.add_page(
    "audit", _("Archived activity"), archive_view, route="audit/archive/", url_name="audit_archive", permission="audit.view_activity"
)
