"""Message-IDs: fixed with the row, so that every attempt at a mail carries the same one and receivers can tell a double."""

from email.utils import parseaddr
from uuid import UUID

from django.conf import settings


def message_id(email_id: UUID) -> str:
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return f"<{email_id.hex}@{address.rpartition('@')[2] or 'localhost'}>"
