"""allauth's forms that ask for a password or a code, with our lock before the asking and our codes behind it."""

from typing import Any

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter
from allauth.core import context
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base import forms as mfa_forms
from allauth.mfa.internal.flows.add import validate_can_add_authenticator
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp_forms
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.webauthn import forms as webauthn_forms
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.contrib import messages
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import lockout, second_factor
from accounts.passkey_forms import CredentialField, refusing_nonsense
from accounts.services import signing_in, users


class _EMail:
    """allauth writes "Email"; this site has one word for it."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"email", "login"} & set(self.fields):
            self.fields[name].label = _("E-mail")
            self.fields[name].widget.attrs["placeholder"] = _("E-mail address")


class LoginForm(_EMail, account_forms.LoginForm):
    pass


class ResetPasswordForm(_EMail, account_forms.ResetPasswordForm):
    pass


class AddEmailForm(_EMail, account_forms.AddEmailForm):
    pass


class SignupForm(_EMail, account_forms.SignupForm):
    def validate_unique_email(self, value: str) -> str:
        """Who was invited at this address has proved it by the link: somebody else's sign-up with it, never confirmed, makes room."""
        if get_adapter().is_email_verified(context.request, value):
            users.discard_unconfirmed([value], request=context.request)
        return super().validate_unique_email(value)


class ChangePasswordForm(account_forms.ChangePasswordForm):
    def clean_oldpassword(self) -> str:
        password = self.cleaned_data.get("oldpassword", "")
        try:
            if signing_in.check_password(self.user, password, context.request):
                return password
        except lockout.Locked as locked:
            lockout.refuse(context.request, locked)
        raise get_adapter().validation_error("enter_current_password")


class _CodeForm(mfa_forms.BaseAuthenticateForm):
    authenticator: Authenticator

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"

    def clean_code(self) -> str:
        found = None
        try:
            found = second_factor.spend_counted(self.user, self.cleaned_data["code"], context.request)
        except lockout.Locked as locked:
            lockout.refuse(context.request, locked)
        if found is None:
            raise get_mfa_adapter().validation_error("incorrect_code")
        self.authenticator = found
        return self.cleaned_data["code"]


class AuthenticateForm(_CodeForm, mfa_forms.AuthenticateForm):
    """The second step of a sign-in."""

    def save(self) -> None:
        """Who came in by a recovery code has lost something: they are told what to do next."""
        super().save()
        if self.authenticator.type == Authenticator.Type.RECOVERY_CODES:
            self.authenticator.refresh_from_db(fields=["data"])
            left = second_factor.codes_left(self.authenticator)
            text = ngettext(
                "That was a recovery code; %(n)d is left. Is your phone or key gone? "
                "Remove it under Settings, Security, and set up the new one.",
                "That was a recovery code; %(n)d are left. Is your phone or key gone? "
                "Remove it under Settings, Security, and set up the new one.",
                left,
            )
            messages.warning(context.request, text % {"n": left})


class ReauthenticateForm(_CodeForm, mfa_forms.ReauthenticateForm):
    """Step-up by a code."""


class ActivateTOTPForm(totp_forms.ActivateTOTPForm):
    """Keeps the seed sealed in the session, too, until the first code has proved it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(self, *args, **kwargs)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"
        session = context.request.session
        with second_factor.sealed_for(self.user):
            stored = session.get(totp.SECRET_SESSION_KEY) if self.is_bound else None
            self.secret = second_factor.unseal(stored) if stored else totp.generate_totp_secret()
            if not stored:
                session[totp.SECRET_SESSION_KEY] = second_factor.seal_text(self.secret)

    def clean_code(self) -> str:
        validate_can_add_authenticator(self.user)
        code = self.cleaned_data["code"]
        if not totp.validate_totp_code(self.secret, code):
            raise get_mfa_adapter().validation_error("incorrect_code")
        return code


class _PasskeyForm(webauthn_forms.AuthenticateWebAuthnForm):
    """Never limited by account: who floods it with bad answers may not keep the owner of the key outside."""

    credential = CredentialField()

    def clean_credential(self) -> Authenticator:
        credential = self.cleaned_data["credential"]
        with refusing_nonsense():
            webauthn.parse_authentication_response(credential)
            return webauthn.complete_authentication(self.user, credential)


class AuthenticateWebAuthnForm(_PasskeyForm):
    """The second step of a sign-in, by passkey."""


class ReauthenticateWebAuthnForm(_PasskeyForm, webauthn_forms.ReauthenticateWebAuthnForm):
    """Step-up by passkey."""
