"""Reads what earlier systems sealed with Fernet (`FERNET_KEYS`, newest first). Nothing here writes Fernet."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from vault.errors import SealedDataError


def open_fernet(token: str) -> str:
    """The plain text of a Fernet token. Raises SealedDataError when no key of `FERNET_KEYS` opens it."""
    try:
        return MultiFernet([Fernet(key) for key in settings.FERNET_KEYS]).decrypt(token.encode()).decode()
    except (InvalidToken, ValueError, TypeError):
        raise SealedDataError from None
