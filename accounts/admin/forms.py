"""The forms of the console's operations on accounts."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.protections import may_grant
from accounts.roles import Role


class RoleField(forms.ChoiceField):
    """Offers what `actor` may grant; takes any role, since refusing is the service's, on record."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label=_("Role"), choices=Role.choices, **kwargs)

    def offer(self, actor: User) -> None:
        self.widget.choices = [choice for choice in Role.choices if may_grant(actor, choice[0])]


class RoleForm(forms.Form):
    role = RoleField()

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].offer(actor)  # type: ignore[attr-defined]  # a RoleField, declared above


class NewUserForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(label=_("Name"), max_length=150, required=False)
    role = RoleField(initial=Role.MEMBER)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].offer(actor)  # type: ignore[attr-defined]  # a RoleField, declared above
