"""Forms of photo sessions: a day and two times on the clock of the place."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Organization, User
from accounts.studio_roles import ROLES_BY_OPERATION
from studio.clock import RECKONED, day_of_end, end_of_day, span, zone_choices
from studio.models import PhotoSession

Status = PhotoSession.Status
PLANNED = (Status.REQUESTED, Status.TENTATIVE, Status.CONFIRMED)
EXPLAINED = {
    Status.REQUESTED: _("Requested: noted, keeps nobody’s time"),
    Status.TENTATIVE: _("On hold: keeps the time until a day you name"),
    Status.CONFIRMED: _("Confirmed: keeps the time"),
}
HOLDS_FOR = timedelta(days=7)
YEARS = 5
MOST = timedelta(days=31)


def photographers_of(organization: Organization | Any) -> list[User]:
    """Who may photograph for a studio: its members who may edit sessions."""
    roles = ROLES_BY_OPERATION["sessions.edit"]
    memberships = {"memberships__organization": organization, "memberships__ended_at": None, "memberships__role__in": roles}
    return list(User.objects.filter(**memberships).order_by("name", "email").distinct())


class SessionForm(forms.Form):
    type = forms.ChoiceField(label=_("Type"), choices=PhotoSession.Type.choices)
    title = forms.CharField(
        label=_("Title"), max_length=200, required=False, help_text=_("Without one it is called like its project.")
    )  # fmt: skip
    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    start = forms.TimeField(label=pgettext_lazy("time of day", "From"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    end = forms.TimeField(
        label=pgettext_lazy("time of day", "Until"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=_("An end before the beginning is the next day’s."),
    )
    ends_on = forms.DateField(
        label=_("Ends on"), required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Only if it takes several days."),
    )  # fmt: skip
    timezone = forms.ChoiceField(label=_("Time zone of the place"))
    photographer = forms.ChoiceField(label=_("Photographer"), required=False)
    status = forms.ChoiceField(label=_("Status"))
    hold_until = forms.DateField(
        label=_("Hold until"), required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day. After it the time is free again by itself."),
    )  # fmt: skip
    place = forms.CharField(label=_("Place"), max_length=200, required=False)
    address = forms.CharField(label=_("Address"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2}))
    notes = forms.CharField(
        label=_("Notes for the day"), max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Who to ask for, where to park, what not to forget."),
    )  # fmt: skip
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, organization: Organization | Any, user: User, session: PhotoSession | None = None, **kwargs: Any
    ) -> None:
        self.session = session
        kwargs["initial"] = (_initial(session) if session else _proposal(user)) | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)
        people = {str(person.pk): person for person in photographers_of(organization)}
        if session and session.photographer and str(session.photographer_id) not in people:
            people[str(session.photographer_id)] = session.photographer  # has left the studio, and stays until somebody else is named
        self.people = people
        statuses = [*PLANNED, *([session.status] if session and session.status not in PLANNED else [])]
        choices: dict[str, list[tuple[Any, Any]]] = {
            "timezone": zone_choices(),
            "photographer": [("", _("Nobody yet")), *((pk, str(person)) for pk, person in people.items())],
            "status": [(status, EXPLAINED.get(Status(status), Status(status).label)) for status in statuses],
        }
        for name, found in choices.items():
            self.fields[name].choices = found  # type: ignore[attr-defined]  # a field that offers choices

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if abs(day.year - timezone.localdate().year) > YEARS:
            raise ValidationError(_("Choose a day within five years."))
        return day

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if all(values.get(name) is not None for name in ("day", "start", "end")) and values.get("timezone"):
            try:
                values["starts_at"], values["ends_at"] = self._span(values)
            except ValidationError as fault:
                self.add_error("ends_on" if fault.code == "end" else "start", fault)
        self._check_hold(values)
        return values

    def _span(self, values: dict[str, Any]) -> tuple[datetime, datetime]:
        """Times left as they were shown stay what they are: from Google some come with seconds."""
        if self.session is not None:
            shown = _initial(self.session)
            shown |= {name: shown[name].replace(second=0, microsecond=0) for name in ("start", "end")}
            if all(values.get(name) == shown[name] for name in ("day", "start", "end", "ends_on", "timezone")):
                return self.session.starts_at, self.session.ends_at
        ends_on = values.get("ends_on")
        if ends_on and (ends_on, values["end"]) <= (values["day"], values["start"]):
            raise ValidationError(_("It would end before it begins."), code="end")
        if ends_on and ends_on - values["day"] > MOST:
            raise ValidationError(_("A session takes at most 31 days."), code="end")
        return span(values["day"], values["start"], values["end"], ZoneInfo(values["timezone"]), ends_on=ends_on)

    def _check_hold(self, values: dict[str, Any]) -> None:
        day = values.get("hold_until")
        if values.get("status") != Status.TENTATIVE or day is None:
            return
        if day < timezone.localdate():
            self.add_error("hold_until", _("Choose a day that is still to come."))
        elif day.year > timezone.localdate().year + YEARS:
            self.add_error("hold_until", _("Choose a day within five years."))

    def values(self) -> dict[str, Any]:
        """What `studio.services.sessions` stores."""
        said = self.cleaned_data
        hold = said["hold_until"] if said["status"] == Status.TENTATIVE else None
        same = {name: said[name] for name in ("type", "title", "status", "starts_at", "ends_at", "timezone", "place", "address", "notes")}
        return same | {
            "photographer": self.people.get(said["photographer"]),
            "hold_expires_at": end_of_day(hold, ZoneInfo(said["timezone"])) if hold else None,
        }


def _proposal(user: User) -> dict[str, Any]:
    return {
        "status": Status.TENTATIVE,
        "hold_until": timezone.localdate() + HOLDS_FOR,
        "timezone": user.timezone,
        "photographer": str(user.pk),
        "type": PhotoSession.Type.PORTRAIT,
    }


def _initial(session: PhotoSession) -> dict[str, Any]:
    start, end = session.local_start, session.local_end
    as_shown = (start.date(), start.time().replace(second=0, microsecond=0), end.time().replace(second=0, microsecond=0))
    several = session.last_of_several or end.date() != day_of_end(*as_shown)
    same = ("type", "title", "timezone", "place", "address", "notes", "status", "version")
    return {name: getattr(session, name) for name in same} | {
        "day": start.date(),
        "start": start.time(),
        "end": end.time(),
        "ends_on": end.date() if several else None,
        "photographer": str(session.photographer_id or ""),
        "hold_until": session.held_through,
    }


class DaysForm(forms.Form):
    """The days that somebody thinks of for a session."""

    day = forms.DateField(validators=RECKONED)
    ends_on = forms.DateField(validators=RECKONED, required=False)

    @property
    def last(self) -> date:
        day: date = self.cleaned_data["day"]
        return min(max(day, self.cleaned_data["ends_on"] or day), day + MOST)


class ThatDayForm(DaysForm):
    """Whose days to look at while a session is planned; what is not filled in yet is no error."""

    photographer = forms.UUIDField()
    timezone = forms.ChoiceField()
    but = forms.UUIDField(required=False)  # the session that is being edited

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["timezone"].choices = zone_choices()  # type: ignore[attr-defined]  # a field that offers choices


class BusyForm(DaysForm):
    """Days of one's own, and the times that are being thought of, if there are any yet."""

    timezone = forms.ChoiceField()
    start = forms.TimeField(required=False)
    end = forms.TimeField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["timezone"].choices = zone_choices()  # type: ignore[attr-defined]  # a field that offers choices


class SessionMoveForm(forms.Form):
    to = forms.ChoiceField(choices=Status.choices)
    version = forms.IntegerField(required=False)


class AgendaFilterForm(forms.Form):
    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    who = forms.ChoiceField(label=_("Photographer"), required=False)
    when = forms.ChoiceField(label=_("When"), required=False, choices=[("", _("To come")), ("past", _("Past"))])

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["who"].choices = [("", _("Everybody")), *((str(person.pk), str(person)) for person in people)]  # type: ignore[attr-defined]  # a field that offers choices
