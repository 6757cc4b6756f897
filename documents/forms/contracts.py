"""Forms of contracts and of their templates."""

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from documents.forms.fields import day_field
from documents.models import ContractTemplate
from documents.placeholders import unknown

TEXT = {"rows": 24, "class": "paper-text"}


class ContractForm(forms.Form):
    subject = forms.CharField(label=_("Title"), max_length=200)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    valid_until = day_field(label=_("Open for agreement until"), required=False)
    text = forms.CharField(
        label=_("Text"), max_length=60_000, widget=forms.Textarea(attrs=TEXT),
        help_text=_("Markdown: # for a heading, - for a list, **bold**."),
    )  # fmt: skip


class TemplateForm(forms.ModelForm):
    class Meta:
        model = ContractTemplate
        fields = ("name", "language", "text")
        widgets = {"text": forms.Textarea(attrs=TEXT)}

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if wrong := unknown(text):
            raise ValidationError(_("These placeholders are not on the list: %(names)s."), params={"names": ", ".join(wrong)})
        return text

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        same = ContractTemplate.objects.filter(
            organization=self.instance.organization_id, name=values.get("name"), language=values.get("language")
        )  # fmt: skip
        if same.exclude(pk=self.instance.pk).exists():
            self.add_error("name", _("There is a template with this name in this language already."))
        return values
