"""Signing up without a page: allauth's own form and mails, minus the session that its pages open."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.account.internal.flows.email_verification import handle_verification_email_rate_limit
from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest

from accounts.models import InstanceSettings


class RegistrationClosed(PermissionDenied):
    detail = "Sign-up is closed on this instance."
    code = "registration_closed"


def register(request: HttpRequest, *, email: str, password: str, name: str = "") -> None:
    """Make an account that waits for its address to be verified, or tell the owner of a taken one by mail.

    The caller learns nothing of which it was. Raises RegistrationClosed, ValidationError by field.
    """
    if not InstanceSettings.current().registration_open:
        raise RegistrationClosed
    form = SignupForm(data={"email": email, "password1": password, "name": name})
    if not form.is_valid():
        raise ValidationError({"password" if field == "password1" else field: _texts(faults) for field, faults in form.errors.items()})
    address = form.cleaned_data["email"]
    may_send = handle_verification_email_rate_limit(request, address)  # as the page: whoever asks, one mail in three minutes
    if form.account_already_exists:
        if may_send:
            get_adapter(request).send_account_already_exists_mail(address)
        return
    user = form.save(request)
    if may_send:
        EmailAddress.objects.get_for_user(user, address).send_confirmation(request, signup=True)
    request.session.clear()  # allauth notes something in it, and a program wants no session


def _texts(faults: Any) -> list[str]:
    return [str(fault) for fault in faults]
