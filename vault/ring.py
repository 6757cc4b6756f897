"""The key ring: master keys from `ENCRYPTION_KEYS`, each stretched once per process with scrypt and its stored salt.

The first key wraps, every key unwraps.
"""

import hashlib
import secrets
import threading
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction

from vault.errors import SealedDataError
from vault.models import KeySalt

NONCE = 12
SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
_stretching = threading.Lock()


def _salt_of(kid: str) -> bytes:
    """The random salt stored for `kid`; the first process that needs it makes it."""
    row = KeySalt.objects.filter(kid=kid).first()
    if row is None:
        with transaction.atomic():
            row, _ = KeySalt.objects.get_or_create(kid=kid, defaults={"salt": secrets.token_bytes(32)})
    return bytes(row.salt)


@cache
def _stretched(kid: str, salt: bytes) -> bytes:
    return hashlib.scrypt(dict(settings.ENCRYPTION_KEYS)[kid], salt=salt, **SCRYPT)


@cache
def master_key(kid: str) -> bytes:
    """32 bytes. Raises SealedDataError when the ring has no key of that id."""
    if kid not in dict(settings.ENCRYPTION_KEYS):
        raise SealedDataError
    with _stretching:
        return _stretched(kid, _salt_of(kid))


def current_kid() -> str:
    return settings.ENCRYPTION_KEYS[0][0]


def wrap(data_key: bytes, associated: bytes) -> tuple[str, bytes]:
    """Wrap a data key under the newest master key; returns the key id and nonce + ciphertext."""
    kid = current_kid()
    nonce = secrets.token_bytes(NONCE)
    return kid, nonce + AESGCM(master_key(kid)).encrypt(nonce, data_key, associated)


def unwrap(kid: str, wrapped: bytes, associated: bytes) -> bytes:
    """The data key. Raises SealedDataError."""
    try:
        return AESGCM(master_key(kid)).decrypt(wrapped[:NONCE], wrapped[NONCE:], associated)
    except (InvalidTag, ValueError):
        raise SealedDataError from None


def forget_keys() -> None:
    """Drop everything derived, for tests and after the ring has changed."""
    for cached in (_stretched, master_key):
        cached.cache_clear()
