"""Forms of studios and coaching."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, canonical_email
from accounts.studio_roles import invitable

DESCRIPTIONS = {
    Membership.Role.OWNER: _("Everything, closing the studio too."),
    Membership.Role.MANAGER: _("Runs the studio with the owners: invites assistants and accountants, sees and edits all business data."),
    Membership.Role.ASSISTANT: _("Works on contacts, sessions, documents and mail; sees no invoices."),
    Membership.Role.ACCOUNTANT: _("Works on invoices and payments; sees contacts and documents, changes neither."),
}


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("Their e-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role in the studio"))

    def __init__(self, *args: Any, inviter: Membership, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role, Membership.Role(role).label) for role in invitable(inviter.role)]  # type: ignore[attr-defined]  # a field that offers choices
        self.initial.setdefault("role", Membership.Role.ASSISTANT)

    def clean_email(self) -> str:
        return canonical_email(self.cleaned_data["email"])


class MemberRoleForm(forms.Form):
    role = forms.ChoiceField(choices=[choice for choice in Membership.Role.choices if choice[0] != Membership.Role.OWNER])


class CoachScopeForm(forms.Form):
    shows_subjects = forms.BooleanField(
        label=_("Also show subjects and senders of my mail"),
        required=False,
        help_text=_("Only of mail that belongs to an opportunity. Never its text."),
    )
    ends_on = forms.DateField(
        label=_("Until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The last day. Without one it lasts until one of you ends it."),
    )

    LASTS = timedelta(days=183)

    @classmethod
    def proposal(cls) -> dict[str, Any]:
        """What a client is offered first: half a year, without subjects and senders."""
        return {"shows_subjects": False, "ends_on": timezone.localdate() + cls.LASTS}

    def clean_ends_on(self) -> Any:
        day = self.cleaned_data["ends_on"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(_("Choose a day that is still to come."))
        if day and day.year > timezone.localdate().year + 10:
            raise forms.ValidationError(_("Choose a day within the next ten years."))
        return day

    def ends_at(self) -> datetime | None:
        """The end of that day where the client lives."""
        day = self.cleaned_data["ends_on"]
        return timezone.make_aware(datetime.combine(day, time.max)) if day else None
