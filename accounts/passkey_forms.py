"""allauth's forms with a passkey in them: in our words, and proof against whatever is sent in a credential's place."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as webauthn_forms
from allauth.mfa.webauthn.internal import auth as webauthn
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from django import forms
from django.utils.translation import gettext_lazy as _

from aaperture.lib.agents import describe_agent
from audit.services import record_after

LONGEST_NAME = 60
LONGEST_CREDENTIAL = 30_000  # characters; with the certificates of its maker a real one may have ten thousand
# what the parsers of credentials raise over bytes that are none
NONSENSE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    struct.error,
    InvalidSignature,
    UnsupportedAlgorithm,
)


class CredentialField(forms.JSONField):
    """What passkey.js fills in: one JSON object of bounded size and depth."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > LONGEST_CREDENTIAL:
            raise _refused()
        try:
            credential = super().to_python(value)
        except RecursionError:
            credential = []
        if credential is not None and not isinstance(credential, dict):
            raise _refused()
        return credential


@contextmanager
def refusing_nonsense() -> Iterator[None]:
    """One ValidationError for what is no credential, is not of this account, or has a signature that does not fit."""
    try:
        yield
    except (forms.ValidationError, *NONSENSE):
        raise _refused() from None


def _refused() -> forms.ValidationError:
    return forms.ValidationError(_("This passkey does not fit. Try again, or use another way."))


class AddWebAuthnForm(webauthn_forms.AddWebAuthnForm):
    """Proposes the browser in use as the name, and a passkey that signs in alone."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME, required=False, help_text=_("To tell it from your other ones."))
    credential = CredentialField()
    passwordless = forms.BooleanField(
        label=_("It may sign me in alone, without my password"),
        required=False,
        initial=True,
        help_text=_("Needs a device that checks your finger, your face or a code. Older security keys may serve as second step only."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {}).setdefault("name", describe_agent(context.request.headers.get("User-Agent", "")))
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        with refusing_nonsense():
            return super().clean()


class EditWebAuthnForm(webauthn_forms.EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)


class LoginWebAuthnForm(webauthn_forms.LoginWebAuthnForm):
    """A sign-in by passkey alone: only by one that checked a finger, a face or a code, whatever the challenge was made for.

    The session may hold a challenge of a second step, which asks for a touch only; found on the street, a key would then do.
    A refused one names nobody in the log: who it claims to be from is only a claim.
    """

    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        try:
            with refusing_nonsense():
                given = webauthn.parse_authentication_response(self.cleaned_data["credential"])
                if not given.response.authenticator_data.is_user_verified():
                    raise _refused()
                return super().clean_credential()
        except forms.ValidationError:
            record_after(context.request, "user.login.failed", reason="passkey")
            raise
