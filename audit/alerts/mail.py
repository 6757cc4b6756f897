"""Tells of severe alerts by mail, once each: claimed by one worker, then `sending` just before the mail goes out.

A claim that lapses is due again; a mail whose worker ended while sending may have gone out, so it stays `unknown` for a person
to see in the console. Outside any mail queue, for that queue may be what is attacked.
"""

import logging
import smtplib
from collections import defaultdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.account_mail import render_account_mail
from audit.alerts.models import AlertNote, SecurityAlert
from audit.services import record

logger = logging.getLogger(__name__)
CLAIM = timedelta(minutes=5)
WAIT = timedelta(seconds=30)  # doubled with every try
LONGEST_WAIT = timedelta(minutes=15)
MOST = 20  # at once
Mail = SecurityAlert.Mail
ADMIN = "admin"


def send_due() -> int:
    """Mail what is due; how many alerts were told of."""
    forget_lost()
    return sum(_send(alert) for alert in _claim())


@transaction.atomic
def _claim() -> list[SecurityAlert]:
    now = timezone.now()
    due = SecurityAlert.objects.mail_due(now).select_for_update(skip_locked=True).order_by("opened_at")
    claimed = list(due[:MOST])
    for alert in claimed:
        alert.mail_until = now + CLAIM
        alert.mail_attempts += 1
        alert.save(update_fields=["mail_until", "mail_attempts"])
    return claimed


def forget_lost() -> int:
    """Mails whose worker ended in the middle: perhaps sent, and not sent twice."""
    lost = SecurityAlert.objects.filter(mail=Mail.SENDING, mail_until__lt=timezone.now())
    return lost.update(mail=Mail.UNKNOWN)


def _send(alert: SecurityAlert) -> bool:
    people = recipients()
    if not people:
        logger.error("nobody to tell of an alert: SECURITY_ALERT_EMAILS is empty and there is no active administrator")
        return _again(alert)
    messages = [_message(alert, to, language) for language, to in people.items()]
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("alert not mailed", extra={"alert": str(alert.pk), "error": type(error).__name__})
        return _again(alert)
    try:
        if not _move(alert, Mail.DUE, Mail.SENDING):
            return False  # somebody else's by now
        connection.send_messages(messages)
    except smtplib.SMTPServerDisconnected:
        _move(alert, Mail.SENDING, Mail.UNKNOWN)
        return False
    except smtplib.SMTPException as error:  # the server said no
        logger.warning("alert not mailed", extra={"alert": str(alert.pk), "error": type(error).__name__})
        _move(alert, Mail.SENDING, Mail.DUE)
        return _again(alert)
    except OSError:
        _move(alert, Mail.SENDING, Mail.UNKNOWN)
        return False
    finally:
        connection.close()
    _sent(alert)
    return True


def _move(alert: SecurityAlert, old: str, new: str) -> bool:
    mine = SecurityAlert.objects.filter(pk=alert.pk, mail=old, mail_until=alert.mail_until)
    return bool(mine.update(mail=new))


def _again(alert: SecurityAlert) -> bool:
    wait = min(WAIT * 2 ** min(alert.mail_attempts - 1, 8), LONGEST_WAIT)
    SecurityAlert.objects.filter(pk=alert.pk, mail=Mail.DUE, mail_until=alert.mail_until).update(mail_until=timezone.now() + wait)
    return False


@transaction.atomic
def _sent(alert: SecurityAlert) -> None:
    now = timezone.now()
    SecurityAlert.objects.filter(pk=alert.pk, mail=Mail.SENDING).update(mail=Mail.SENT, mailed_at=now, mail_until=None)
    AlertNote.objects.create(alert=alert, what=AlertNote.What.MAILED, written_at=now)
    record("alert.mailed", alert)


def recipients() -> dict[str, list[str]]:
    """Addresses by language: the configured ones, else those of every administrator who can come in."""
    users: Any = get_user_model().objects.filter(is_active=True, erasure_requested_at=None)
    if settings.SECURITY_ALERT_EMAILS:
        known = dict(users.filter(email__in=settings.SECURITY_ALERT_EMAILS).values_list("email", "language"))
        told = [(email, known.get(email, settings.LANGUAGE_CODE)) for email in settings.SECURITY_ALERT_EMAILS]
    else:
        told = list(users.filter(role=ADMIN).order_by("email").values_list("email", "language"))
    by_language: dict[str, list[str]] = defaultdict(list)
    for email, language in told:
        by_language[language].append(email)
    return dict(by_language)


def _message(alert: SecurityAlert, to: list[str], language: str) -> EmailMultiAlternatives:
    url = settings.PUBLIC_URL + reverse("admin:audit_securityalert_change", args=[alert.pk])
    message = render_account_mail("security_alert", to=to[0], language=language, context={"alert": alert, "url": url})
    message.to = to
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    message.extra_headers["Message-ID"] = f"<alert-{alert.pk}-{language}@{domain}>"
    return message
