from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization, User


class SignupExtras(forms.Form):
    """What our sign-up asks beside allauth's e-mail address and password."""

    name = forms.CharField(label=_("Your name"), max_length=150, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"}))

    field_order = ["name", "email", "password1"]

    def signup(self, request: Any, user: User) -> None:
        """allauth's hook; the adapter's `save_user` has already stored the name and the language."""


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "language", "timezone"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right")))
        self.fields["timezone"] = forms.ChoiceField(label=_("Time zone"), choices=[(z, z.replace("_", " ")) for z in [*zones, "UTC"]])


class StudioForm(forms.ModelForm):
    class Meta:
        model = Organization
        fields = ["name"]
        labels = {"name": _("Studio name")}


def current_language() -> str:
    """The page's language if we have it, else English."""
    language = (get_language() or "en")[:2]
    return language if language in dict(settings.LANGUAGES) else "en"
