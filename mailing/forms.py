"""Forms of e-mails: when one goes out, what it says, and what narrows the list."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Organization
from mailing.models import EmailTemplate, ScheduledEmail, SendingAccount
from mailing.placeholders import names_in, unknown
from studio.clock import RECKONED, instant

FURTHEST = timedelta(days=366)
TEXT_ROWS = 12
PLACEHOLDER = "placeholder"  # the code of an error
PORTS = frozenset({465, 587, 2465, 2525, 2587})  # at which providers take mail from their customers
Status = ScheduledEmail.Status


class EmailFilterForm(forms.Form):
    """What may narrow the list of e-mails; all of it lives in the address."""

    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    status = forms.ChoiceField(label=_("Status"), required=False, choices=[("", _("Any status")), *Status.choices])
    kind = forms.ChoiceField(label=_("Sent with"), required=False, choices=[("", _("Anything")), *EmailTemplate.Kind.choices])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class MomentForm(forms.Form):
    """A day and a time on the person's own clock."""

    day = forms.DateField(label=_("Day"), validators=RECKONED, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    time = forms.TimeField(label=_("Time"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        self.zone = ZoneInfo(zone)
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["time"].help_text = _("On your clock (%(zone)s).") % {"zone": zone.replace("_", " ")}

    def moment(self, values: dict[str, Any]) -> datetime | None:
        """The instant that day and time name; says at the time field why it will not do."""
        try:
            at = instant(values["day"], values["time"], self.zone)
        except ValidationError as fault:
            self.add_error("time", fault)
            return None
        if not timezone.now() < at < timezone.now() + FURTHEST:
            self.add_error("time", _("Choose a moment that is still to come, within a year."))
        return at

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("day") and values.get("time"):
            values["send_at"] = self.moment(values)
        return values


class SendForm(MomentForm):
    """Now, or at a time."""

    when = forms.ChoiceField(
        label=_("When"),
        choices=[("now", pgettext_lazy("e-mail", "Now")), ("later", _("At a time that I choose"))],
        initial="now",
        widget=forms.RadioSelect,
    )
    attach = forms.BooleanField(label=_("Attach it as a PDF"), required=False, initial=True)
    field_order = ("attach", "when", "day", "time")

    def __init__(self, *args: Any, with_document: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("day", "time"):
            self.fields[name].required = False
        if not with_document:
            del self.fields["attach"]

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        values["send_at"] = None
        if values.get("when") == "now" and (values.get("day") or values.get("time")):
            self.add_error("when", _("You named a day or a time as well. Choose “At a time that I choose”, or empty both."))
        if values.get("when") == "later":
            for name in ("day", "time"):
                if not values.get(name) and name not in self.errors:
                    self.add_error(name, _("Say when it is to go out."))
            if values.get("day") and values.get("time"):
                values["send_at"] = self.moment(values)
        return values


class WordsForm(forms.Form):
    """A subject and a text, looked at while they are written."""

    @property
    def faults(self) -> list[str]:
        """Why they cannot be shown, apart from what is not written yet."""
        errors = [error for some in self.errors.as_data().values() for error in some]
        return [message for error in errors if error.code == PLACEHOLDER for message in error.messages]


class FreeTextForm(WordsForm):
    """Written by hand; it goes out at once or not at all."""

    subject = forms.CharField(label=_("Subject"), max_length=200)
    text = forms.CharField(
        label=_("Text"), max_length=20_000, widget=forms.Textarea(attrs={"rows": TEXT_ROWS}),
        help_text=_("An empty line begins a paragraph; **bold**, - for a list. We keep no copy of it."),
    )  # fmt: skip
    attach = forms.BooleanField(label=_("Attach it as a PDF"), required=False, initial=True)
    link = forms.BooleanField(label=_("Add a personal link to it"), required=False, initial=True)

    def __init__(self, *args: Any, with_document: bool, with_link: bool, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        if not with_document:
            del self.fields["attach"]
        if not with_link:
            del self.fields["link"]

    def clean(self) -> dict[str, Any]:
        """What stands between double braces would reach the client as it is."""
        values = super().clean() or self.cleaned_data
        for field in ("subject", "text"):
            if names_in(values.get(field, "")):
                words = _("Placeholders are filled in templates only. Write the words themselves here.")
                self.add_error(field, ValidationError(words, code=PLACEHOLDER))
        return values


class TemplateForm(WordsForm):
    """A template's kind and language stay; its name may change, and its words with a further version."""

    kind = forms.ChoiceField(label=_("Sent with"), choices=EmailTemplate.Kind.choices)
    language = forms.ChoiceField(label=_("Language"))
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("For yourself: clients do not see it."))
    subject = forms.CharField(label=_("Subject"), max_length=200)
    text = forms.CharField(label=_("Text"), max_length=20_000, widget=forms.Textarea(attrs={"rows": TEXT_ROWS, "class": "mono"}))

    def __init__(self, *args: Any, template: EmailTemplate | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.template = template
        self.fields["language"].choices = EmailTemplate._meta.get_field("language").choices  # type: ignore[attr-defined]  # a field that offers choices
        if template:
            del self.fields["kind"], self.fields["language"]

    @property
    def kind_of_text(self) -> str:
        said = self.data.get("kind", "") if self.is_bound else self.initial.get("kind", "")
        return self.template.kind if self.template else said if said in EmailTemplate.Kind.values else EmailTemplate.Kind.MESSAGE.value

    def clean(self) -> dict[str, Any]:
        values = self.cleaned_data
        for field in ("subject", "text"):
            found = unknown(self.kind_of_text, *((values.get(field, ""), "") if field == "subject" else ("", values.get(field, ""))))
            for name in found:
                words = _("There is no placeholder “%(name)s” here. The list shows those that there are.") % {"name": name}
                self.add_error(field, ValidationError(words, code=PLACEHOLDER))
        return values


class ReminderForm(forms.Form):
    days = forms.IntegerField(label=_("Days after the due date"), min_value=0, max_value=180)
    template = forms.ModelChoiceField(label=_("Template"), queryset=EmailTemplate.objects.none())

    def __init__(self, *args: Any, organization: Organization, language: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        rows = EmailTemplate.objects.for_organization(organization).offered([EmailTemplate.Kind.REMINDER], language=language)
        field: Any = self.fields["template"]
        field.queryset, field.empty_label = rows, None
        field.label_from_instance = lambda row: f"{row.name} ({row.language.upper()})"


class SendingAccountForm(forms.ModelForm):
    password = forms.CharField(
        label=_("Password"), max_length=500, required=False, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=False),
    )  # fmt: skip
    field_order = ("from_email", "from_name", "host", "port", "security", "username", "password")

    class Meta:
        model = SendingAccount
        fields = ("from_email", "from_name", "host", "port", "security", "username")
        help_texts = {
            "host": _("As your provider names it, for example smtp.example.com."),
            "port": _("465 for TLS, 587 for STARTTLS."),
            "from_email": _("The address that your clients see and answer to."),
            "from_name": _("Without one, your studio’s name."),
        }
        widgets = {
            "host": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "username": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        known = not self.instance._state.adding
        self.fields["password"].help_text = (
            _("It is never shown again. Leave it empty to keep the one you entered.")
            if known
            else _("It is stored encrypted and never shown again.")
        )

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().rstrip(".").lower()
        if not host or any(character.isspace() or character in "/:@" for character in host):
            raise ValidationError(_("Enter the server’s name alone, without “https://” and without a port."))
        return host

    def clean_port(self) -> int:
        port = int(self.cleaned_data["port"])
        if port not in PORTS:
            raise ValidationError(_("Mail servers take mail at port 465 or 587."))
        return port
