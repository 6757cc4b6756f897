"""The form by which a won opportunity becomes a contact, a project and, if its day is known, a session."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from studio.forms import ContactForm
from studio.session_forms import SessionForm


class ClientForm(ContactForm):
    """What a contact begins with; the rest is asked for when an invoice needs it."""

    ASKED = ("kind", "given_name", "family_name", "company_name", "email", "language")
    project_title = forms.CharField(label=_("Title of the project"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in set(self.fields) - {*self.ASKED, "project_title"}:
            del self.fields[name]

    def client(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.ASKED}


class FirstSessionForm(SessionForm):
    """A session that is planned only when its day is given."""

    ASKED = ("type", "day", "start", "end", "ends_on", "timezone", "photographer", "status", "hold_until", "place", "address")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("type", "day", "start", "end"):
            self.fields[name].required = False
        self.fields["type"].choices = [("", _("Not chosen yet")), *self.fields["type"].choices]  # type: ignore[attr-defined]  # a field that offers choices
        for name in set(self.fields) - set(self.ASKED):
            self.fields[name].widget = forms.HiddenInput()

    def clean_day(self) -> Any:
        return super().clean_day() if self.cleaned_data["day"] else None

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if values.get("day"):
            for name in ("start", "end"):
                if values.get(name) is None and name not in self.errors:
                    self.add_error(name, _("With a day, say from when until when."))
            if not values.get("type") and "type" not in self.errors:
                self.add_error("type", _("With a day, say what is photographed."))
        return values

    def to_book(self) -> dict[str, Any] | None:
        """What to book, or None without a day."""
        return self.values() if self.cleaned_data.get("day") else None
