from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from integrations.models import Connection
from tracker.models import Opportunity
from tracker.stages import LABEL_CHOICES, Ball, Kind, Stage, Task

PERIODS = [("7", _("Past week")), ("30", _("Past month")), ("90", _("Past three months")), ("365", _("Past year"))]


class FilterForm(forms.Form):
    """What may narrow the board; all of it lives in the address."""

    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    stage = forms.ChoiceField(label=_("Stage"), required=False, choices=[("", _("Any stage")), ("open", _("All open")), *Stage.choices])
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", _("Any kind")), *Kind.choices])
    label = forms.ChoiceField(label=_("Last mail"), required=False, choices=[("", _("Any mail")), *LABEL_CHOICES])
    turn = forms.ChoiceField(label=_("Whose turn"), required=False, choices=[("", _("Anybody’s")), *Ball.choices])
    period = forms.ChoiceField(label=_("When"), required=False, choices=[("", _("Any time")), *PERIODS])

    def __init__(self, *args: Any, mailboxes: Iterable[Connection] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        choices = [(str(mailbox.pk), mailbox.account_email) for mailbox in mailboxes]
        if len(choices) > 1:
            self.fields["mailbox"] = forms.ChoiceField(
                label=_("Mailbox"), required=False, choices=[("", _("Any mailbox")), *choices]
            )  # fmt: skip


class OpportunityForm(forms.ModelForm):
    class Meta:
        model = Opportunity
        fields = ["kind", "company", "role", "contact_name", "contact_email", "ball", "task", "task_text", "task_due_on", "notes"]
        widgets = {
            "task_due_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "contact_email": forms.EmailInput(attrs={"autocomplete": "off"}),
        }

    def clean(self) -> dict[str, Any]:
        """Something to call it by, and a task that says what it is."""
        values = super().clean() or self.cleaned_data
        if not self.errors and not any(values.get(name) for name in ("company", "role", "contact_name")):
            self.add_error("company", _("Fill in a company, a role or a contact, so that you recognise it."))
        if values.get("task_text") and not values.get("task"):
            values["task"] = Task.OWN
        if values.get("task") == Task.OWN and not values.get("task_text"):
            self.add_error("task_text", _("Say what is to be done."))
        return values


class NewOpportunityForm(OpportunityForm):
    """Adding by hand also says how far it has come."""

    class Meta(OpportunityForm.Meta):
        fields = ["kind", "stage", *OpportunityForm.Meta.fields[1:]]


class MoveForm(forms.Form):
    to = forms.ChoiceField(label=_("Stage"), choices=Stage.choices)
