"""Forms of contacts and projects."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from aaperture.lib import countries
from studio import identifiers
from studio.models import Contact, Project


class ContactFilterForm(forms.Form):
    """What may narrow the list of contacts; all of it lives in the address."""

    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    kind = forms.ChoiceField(label=_("Who"), required=False, choices=[("", _("Persons and companies")), *Contact.Kind.choices])
    language = forms.ChoiceField(label=_("Language"), required=False)
    order = forms.ChoiceField(label=_("Order"), required=False, choices=[("", _("By name")), ("newest", _("Newest first"))])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        languages = Contact._meta.get_field("language").choices or []
        self.fields["language"].choices = [("", _("Any language")), *languages]  # type: ignore[attr-defined]  # a field that offers choices


class ContactForm(forms.ModelForm):
    phone = forms.CharField(
        label=_("Phone"), max_length=40, required=False, widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"})
    )
    country = forms.ChoiceField(label=_("Country"), required=False)
    seen = forms.CharField(required=False, widget=forms.HiddenInput)  # the state that somebody edits: when it was written

    field_order = (
        "kind", "given_name", "family_name", "company_name", "email", "phone", "language", "street", "postcode", "city", "country",
        "vat_number", "company_number", "notes",
    )  # fmt: skip

    class Meta:
        model = Contact
        fields = (
            "kind", "given_name", "family_name", "company_name", "email", "language", "street", "postcode", "city", "country",
            "vat_number", "company_number", "notes",
        )  # fmt: skip
        widgets = {
            "email": forms.EmailInput(attrs={"autocomplete": "off"}),
            "street": forms.Textarea(attrs={"rows": 2}),
            "given_name": forms.TextInput(attrs={"autocomplete": "off"}),
            "family_name": forms.TextInput(attrs={"autocomplete": "off"}),
        }
        help_texts = {
            "language": _("Mails and documents for them are written in it."),
            "vat_number": _("With the country’s letters first, as in FR12345678901. Invoices to companies need it."),
            "company_number": _("SIREN or SIRET in France, the enterprise number in Belgium."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"].choices = countries.choices()  # type: ignore[attr-defined]  # a field that offers choices
        if not self.instance._state.adding:
            self.initial["phone"] = self.instance.phone
            self.initial["seen"] = self.instance.updated_at.isoformat()

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()

    def clean_phone(self) -> str:
        return identifiers.phone(self.cleaned_data["phone"])

    def clean_vat_number(self) -> str:
        return identifiers.vat_number(self.cleaned_data["vat_number"])

    def clean(self) -> dict[str, Any]:
        """Something to call them by, and a number that fits its country."""
        values = super().clean() or self.cleaned_data
        company = values.get("kind") == Contact.Kind.COMPANY
        if company and not values.get("company_name") and "company_name" not in self.errors:
            self.add_error("company_name", _("Fill in the company’s name."))
        if not company and not any(values.get(name) for name in ("given_name", "family_name", "company_name", "email")):
            self.add_error("given_name", _("Fill in a name or an e-mail address, so that you recognise them."))
        try:
            values["company_number"] = identifiers.company_number(values.get("company_number", ""), values.get("country", ""))
        except ValidationError as fault:
            self.add_error("company_number", fault)
        return values

    def _get_validation_exclusions(self) -> set[str]:
        """The table's own check is said by `clean` in words."""
        return {*super()._get_validation_exclusions(), "given_name"}  # type: ignore[misc]  # a set, which the stub calls none


class ProjectFilterForm(forms.Form):
    q = forms.CharField(label=_("Search"), max_length=200, required=False, widget=forms.SearchInput)
    status = forms.ChoiceField(
        label=_("Status"), required=False,
        choices=[("", _("Under way")), ("all", _("All projects")), *Project.Status.choices],
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields: tuple[str, ...] = ("title", "deliver_on", "notes")
        widgets = {"deliver_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}
        help_texts = {"title": _("As you would call it on the phone: “Wedding Claire and Marc”.")}


class NewProjectForm(ProjectForm):
    """A new one also says how far it has come."""

    class Meta(ProjectForm.Meta):
        fields = ("title", "status", "deliver_on", "notes")


class ProjectMoveForm(forms.Form):
    to = forms.ChoiceField(label=_("Status"), choices=Project.Status.choices)


class NoteForm(forms.Form):
    text = forms.CharField(
        label=_("Note"), max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}), strip=True
    )  # fmt: skip
