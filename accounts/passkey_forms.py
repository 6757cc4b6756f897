"""allauth's forms for a person's own passkeys, in our words."""

from typing import Any

from allauth.core import context
from allauth.mfa.webauthn import forms as webauthn_forms
from django import forms
from django.utils.translation import gettext_lazy as _

from aaperture.lib.agents import describe_agent

LONGEST_NAME = 60


class AddWebAuthnForm(webauthn_forms.AddWebAuthnForm):
    """Proposes the browser in use as the name, and a passkey that signs in alone."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME, required=False, help_text=_("To tell it from your other ones."))
    passwordless = forms.BooleanField(
        label=_("It may sign me in alone, without my password"),
        required=False,
        initial=True,
        help_text=_("Needs a device that checks your finger, your face or a code. Older security keys may serve as second step only."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {}).setdefault("name", describe_agent(context.request.headers.get("User-Agent", "")))
        super().__init__(*args, **kwargs)


class EditWebAuthnForm(webauthn_forms.EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
