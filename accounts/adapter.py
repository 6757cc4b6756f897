"""Where allauth asks us: sign-up, addresses, mail, and what a refused sign-in leaves on record."""

import logging
import secrets
import smtplib
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from aaperture.lib.account_mail import send_account_mail
from aaperture.lib.client_address import client_address
from accounts import lockout, second_factor
from accounts.access import may_enter
from accounts.forms import current_language
from accounts.models import InstanceSettings, User, canonical_email
from accounts.roles import Role
from accounts.services import signing_in, users
from audit.services import record, record_after

logger = logging.getLogger(__name__)
BEGUN_WITH = "sign_in_begun_with"  # in the session: what ends with a changed password


def _on_public_url(url: str) -> str:
    """`url`, at the address the operator configured instead of the one the request named."""
    parts = urlsplit(url)
    return settings.PUBLIC_URL + urlunsplit(("", "", parts.path, parts.query, ""))


class AccountAdapter(DefaultAccountAdapter):
    # one sentence for unknown, wrong, inactive, refused and locked, with the way out of the last of them
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("Invalid e-mail address or password. After five failed tries, wait 15 minutes before the next.")
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return InstanceSettings.current().registration_open

    def clean_email(self, email: str) -> str:
        return canonical_email(email)

    def unstash_verified_email(self, request: HttpRequest) -> None:
        """allauth would add an address proved by a link to whatever account is made next; ours counts for that address only.

        `is_email_verified` then finds it in the session, when somebody signs up with the very address they were invited at.
        """

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.name = form.cleaned_data.get("name", "").strip()
        user.language = current_language()
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=commit)
            if commit:
                users.complete_sign_up(user, request=request, method="password")
                if self.is_email_verified(request, user.email):
                    record("user.email.verified", user, actor=user, request=request, by="invitation")
        return user

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Through axes, which counts before `RoleBackend` verifies; allauth's own limits and its stash of inactive people,
        whom it would answer differently, stay out of it."""
        user = authenticate(request, **credentials)
        typed = str(credentials.get("email", ""))
        if user is None:
            tried = signing_in.tried(request, typed)
            reason = "locked" if getattr(request, "axes_locked_out", False) else "credentials"
            lockout.note_failure(request, signing_in.counted_name(typed, tried), tried, reason=reason)
            return None
        lockout.give_back(lockout.name_of(user), request)  # the failures are forgotten when the sign-in is complete
        return user

    def reauthenticate(self, user: User, password: str) -> bool:
        try:
            return signing_in.check_password(user, password, context.request)
        except lockout.Locked as locked:
            lockout.refuse(context.request, locked)
            return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> Any:
        """Whatever way they come (password, passkey, Google): who may not enter hears what a wrong password hears."""
        if not may_enter(user):
            return self._turned_away(request, user, reason="refused")
        request.session[BEGUN_WITH] = user.get_session_auth_hash()
        return None

    def login(self, request: HttpRequest, user: User) -> None:
        """The end of a sign-in that may have begun minutes ago: a password changed since ends it, as it ended every session."""
        if not constant_time_compare(request.session.pop(BEGUN_WITH, ""), user.get_session_auth_hash()):
            raise ImmediateHttpResponse(self._turned_away(request, user, reason="credentials"))
        super().login(request, user)

    def _turned_away(self, request: HttpRequest, user: User, *, reason: str) -> HttpResponse:
        clear_login(request)
        lockout.note_failure(request, lockout.name_of(user), user, reason=reason)
        messages.error(request, self.error_messages["email_password_mismatch"])
        return redirect("account_login")

    def send_account_already_exists_mail(self, email: str) -> None:
        """After as long as hashing a new account's password takes, so that the time does not tell the two apart."""
        make_password(secrets.token_urlsafe())
        super().send_account_already_exists_mail(email)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Never a link for administrators: they recover by command on the host. They are told so by mail,
        since an answer without one would come sooner and say whose address it is; the page says the same to all."""
        record("password.reset.requested", user, request=self.request)
        if user.role == Role.ADMIN:
            send_account_mail("admin_reset_refused", to=email, language=user.language, context={"name": user.get_short_name()})
        else:
            super().send_password_reset_mail(user, email, context)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """In the recipient's language, not in the language of whoever pressed the button; no link follows their Host header."""
        user = context.get("user")
        language = user.language if isinstance(user, User) else current_language()
        links = {name: _on_public_url(value) for name, value in context.items() if name.endswith("_url")}
        with translation.override(language):
            super().send_mail(template_prefix, email, context | links)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What has happened has happened: a mail server that is down may not turn it into an error."""
        try:
            super().send_notification_mail(*args, **kwargs)
        except (OSError, smtplib.SMTPException) as error:
            logger.warning("account mail not sent", extra={"mail": args[0], "error": type(error).__name__})


class MFAAdapter(DefaultMFAAdapter):
    """Second factors: their secrets sealed, their names ours."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code does not fit. Type the one that the app shows now; each code works once."),
        "add_email_blocked": _(
            "While the second step is on, no address can be added. "
            "Remove it under Security, add and confirm the address, then set it up again."
        ),
    }

    def encrypt(self, text: str) -> str:
        return second_factor.seal_text(text)

    def decrypt(self, encrypted_text: str) -> str:
        return second_factor.unseal(encrypted_text)

    def get_totp_issuer(self) -> str:
        return "Aaperture"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return super().get_public_key_credential_rp_entity() | {"name": "Aaperture"}


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return InstanceSettings.current().registration_open

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Only an address that the provider has verified counts."""
        if sociallogin.is_existing:
            return
        verified = [canonical_email(address.email) for address in sociallogin.email_addresses if address.verified is True]
        if not verified:
            self._refuse(request, sociallogin.account.provider, reason="email_not_verified")
        if InstanceSettings.current().registration_open and not request.user.is_authenticated:
            users.discard_unconfirmed(verified, request=request)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        sociallogin.user.language = current_language()
        with transaction.atomic():
            user = super().save_user(request, sociallogin, form)
            users.complete_sign_up(user, request=request, method=sociallogin.account.provider)
        return user

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        user = sociallogin.user
        user.email = canonical_email(data.get("email") or "")
        user.name = (data.get("name") or "")[:150]
        return user

    def validate_disconnect(self, account: Any, accounts: list[Any]) -> None:
        if len(accounts) == 1 and not account.user.has_usable_password():
            raise ValidationError(translation.gettext("Set a password first, or you could not sign in any more."))
        if not EmailAddress.objects.filter(user=account.user, verified=True).exists():
            raise ValidationError(translation.gettext("Verify your e-mail address first."))

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """A flow that comes back without its own state or with an unfit token is refused and recorded."""
        if str(error) == "cancelled" or getattr(error, "value", "") == "cancelled":
            return
        name = provider.app.provider_id if getattr(provider, "app", None) else ""
        self._refuse(request, name, reason=type(exception).__name__ if exception else "state")

    def _refuse(self, request: HttpRequest, provider: str, *, reason: str) -> None:
        record_after(request, "oauth.state_refused", provider=provider, reason=reason)
        raise ImmediateHttpResponse(render(request, "socialaccount/authentication_error.html", status=400))
