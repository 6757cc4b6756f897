"""What a pipeline is told, as a form: where from, which steps in which version, where to and for whom, when and how much."""

from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, ngettext

from aaperture.lib.console import ConsoleForm
from accounts.models import User
from integrations import schedule as schedules
from integrations.models import Connection, TransformationVersion, validate_schedule

SHOWN = 4
NEVER = "never"


def rhythms() -> list[tuple[str, str]]:
    every = [(schedules.every(hours), ngettext("Every hour", "Every %(n)d hours", hours) % {"n": hours}) for hours in schedules.EVERY]
    return [("", gettext("At the times written below")), *every, (NEVER, gettext("Only when somebody runs it"))]


class ConnectionField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        """What staff call it, and its state where it cannot be read."""
        return str(obj) if obj.status == Connection.Status.ACTIVE else f"{obj} ({obj.get_status_display()})"


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return obj.get_full_name() or obj.email


class PipelineForm(ConsoleForm):
    rhythm = forms.ChoiceField(
        label=gettext_lazy("When"), choices=rhythms, required=False,
        help_text=gettext_lazy("Choose a rhythm, or write the times of day yourself."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if rhythm := given.get("rhythm"):
            given["schedule"] = "" if rhythm == NEVER else rhythm
            self.errors.pop("schedule", None)
        return given

    @property
    def changed_data(self) -> list[str]:
        """The rhythm is no column: what it comes to is the schedule."""
        found = [name for name in super().changed_data if name != "rhythm"]
        new = getattr(self, "cleaned_data", {}).get("schedule")
        if new is not None and "schedule" not in found and new != self.initial.get("schedule", new):
            found.append("schedule")
        return found


def recipients(actor: User, current: User | None) -> Any:
    """Oneself, and whom it is for already: nobody fills a stranger's board."""
    return User.objects.filter(pk__in=[actor.pk, *([current.pk] if current else [])])


def versions() -> Any:
    return TransformationVersion.objects.select_related("transformation").order_by("transformation__name", "-number")


class Told(NamedTuple):
    """What a schedule means."""

    words: str
    times: list[datetime]
    fault: str = ""


def told(schedule: str, *, now: datetime | None = None) -> Told:
    """In words, with the next times it comes to."""
    try:
        validate_schedule(schedule)
    except ValidationError as error:
        return Told("", [], " ".join(error.messages))
    return Told(schedules.words(schedule), schedules.upcoming(schedule, now or timezone.now(), SHOWN))


def asked_for(rhythm: str, schedule: str) -> str:
    """The schedule that the form as it stands comes to."""
    chosen = rhythm if rhythm in dict(rhythms()) else ""
    return "" if chosen == NEVER else chosen or schedule
