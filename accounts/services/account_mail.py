"""Mail that tells people what happened to their own account; sent by a worker, so that no answer takes longer for somebody."""

import logging
import smtplib
from uuid import UUID

from django.conf import settings

from aaperture.lib.account_mail import send_account_mail
from accounts.models import User

logger = logging.getLogger(__name__)


def tell_of_lock(user_pk: UUID | str) -> None:
    """Tell the owner of an account that its name is locked; nobody, where there is no such account."""
    user = User.objects.filter(pk=user_pk).first()
    if user is None:
        return
    context = {"name": user.get_short_name(), "minutes": int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)}
    try:
        send_account_mail("account_locked", to=user.email, language=user.language, context=context)
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("account mail not sent", extra={"mail": "account_locked", "error": type(error).__name__})
