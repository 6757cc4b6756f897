"""Renders and sends account mail (verification, reset, alerts): directly, never through the mail queue.

A mail named `name` is `templates/emails/<name>.subject.txt`, `.txt` and, where it exists, `.html`.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils import translation


def render_account_mail(name: str, *, to: str, language: str, context: Mapping[str, Any]) -> EmailMultiAlternatives:
    """The mail in `language`; `to` is one address. The subject's line breaks are folded into spaces."""
    with translation.override(language):
        values = {"public_url": settings.PUBLIC_URL, **context}
        subject = " ".join(render_to_string(f"emails/{name}.subject.txt", values).split())
        message = EmailMultiAlternatives(
            subject=subject,
            body=render_to_string(f"emails/{name}.txt", values).strip() + "\n",
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[to],
            headers={"Auto-Submitted": "auto-generated"},
        )
        with contextlib.suppress(TemplateDoesNotExist):
            message.attach_alternative(render_to_string(f"emails/{name}.html", values), "text/html")
    return message


def send_account_mail(name: str, *, to: str, language: str, context: Mapping[str, Any]) -> None:
    """Send at once; an SMTP error is the caller's to handle (OSError, smtplib.SMTPException)."""
    render_account_mail(name, to=to, language=language, context=context).send()
