"""A connector's settings as a form."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from integrations.connectors import Connector
from integrations.models import Connection
from integrations.services import configured

Save = Callable[[str, dict[str, Any]], Connection]


class SettingsForm(forms.Form):
    """What `kind` has to be told, drawn from its `settings`; what is wrong with the values the service says."""

    name = forms.CharField(label=_("Name"), max_length=configured.LONGEST_NAME, help_text=_("What you call it."))

    def __init__(self, *args: Any, kind: type[Connector], row: Connection | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if row is not None:
            self.fields["name"].initial = row.name
        for setting in kind.settings:
            options: dict[str, Any] = {"label": setting.label, "help_text": setting.help}
            options["required"] = setting.required and not setting.secret
            options["initial"] = (
                row.config.get(setting.name, setting.initial) if row is not None and not setting.secret else setting.initial
            )
            if setting.choices:
                self.fields[setting.name] = forms.ChoiceField(choices=setting.choices, **options)
            elif setting.secret:
                hidden = forms.PasswordInput(attrs={"autocomplete": "off"})  # never written back into the page
                self.fields[setting.name] = forms.CharField(max_length=setting.longest, widget=hidden, **options)
            else:
                self.fields[setting.name] = forms.CharField(max_length=setting.longest, **options)

    def saved(self, save: Save) -> Connection | None:
        """What `save(name, values)` made, or None where nothing was sent or something is wrong, which the form then says."""
        if not self.is_bound or not self.is_valid():
            return None
        values = {name: value for name, value in self.cleaned_data.items() if name != "name"}
        try:
            return save(self.cleaned_data["name"], values)
        except ValidationError as error:
            for name, words in error.message_dict.items():
                self.add_error(name if name in self.fields else None, words)
        except configured.AlreadyThere:
            self.add_error(None, _("This source is read already."))
        return None
