"""Mail that tells people what happened to their own account; sent by a worker, so that no answer takes longer for somebody."""

import logging
import smtplib
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from aaperture.lib.account_mail import send_account_mail
from accounts.models import User
from accounts.own_security import factors_of, first_sign_in_from

logger = logging.getLogger(__name__)


def tell_of_lock(user_pk: UUID | str) -> None:
    """Tell the owner of an account that its name is locked; nobody, where there is no such account."""
    user = User.objects.filter(pk=user_pk).first()
    if user is None:
        return
    _send("account_locked", user, minutes=int(settings.AXES_COOLOFF_TIME.total_seconds() // 60))


def tell_of_recovery_code(user_pk: UUID | str) -> None:
    """Tell somebody that one of their recovery codes was used, and how many are left."""
    if user := User.objects.filter(pk=user_pk).first():
        left = factors_of(user).codes_left
        _send("recovery_code_used", user, left=left, url=settings.PUBLIC_URL + reverse("settings_security"))


def tell_of_new_program(user_pk: UUID | str) -> None:
    """Tell somebody that they signed in from a kind of browser or device that they have not used lately."""
    user = User.objects.filter(pk=user_pk).first()
    if user is None:
        return
    with translation.override(user.language):
        sign_in = first_sign_in_from(user)
    if sign_in:
        _send("new_sign_in", user, timestamp=sign_in.at, ip=sign_in.address, user_agent=sign_in.program)


def tell_of_removed_factor(user: User) -> None:
    """Tell somebody that an operator took their second factor away on the server."""
    _send("second_factor_removed", user, url=settings.PUBLIC_URL + reverse("settings_security"))


def tell_of_replaced_password(user: User) -> None:
    """Tell somebody that an operator set a new password for them on the server."""
    _send("password_replaced", user)


def _send(mail: str, user: User, **context: object) -> None:
    try:
        send_account_mail(mail, to=user.email, language=user.language, context={"name": user.get_short_name(), **context})
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("account mail not sent", extra={"mail": mail, "error": type(error).__name__})
