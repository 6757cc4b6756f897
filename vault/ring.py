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
from django.db.models import Func, Q

from vault.errors import SealedDataError
from vault.models import KeySalt

NONCE = 12
SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
_stretching = threading.Lock()


_salts: dict[str, bytes] = {}  # only committed ones: a key stretched with a lost salt would wrap data keys nobody can unwrap


def _salt_of(kid: str) -> bytes:
    """The random salt stored for `kid`; the first process that needs it makes it."""
    if kid in _salts:
        return _salts[kid]
    older = Q(created_at__lt=Func(function="transaction_timestamp"))
    stored = KeySalt.objects.annotate(is_older_than_transaction=older).filter(kid=kid)
    row = stored.first()
    if row is None:
        KeySalt.objects.bulk_create([KeySalt(kid=kid, salt=secrets.token_bytes(32))], ignore_conflicts=True)
        row = stored.get()
    salt = bytes(row.salt)
    if row.is_older_than_transaction:
        _salts[kid] = salt
    else:  # made by this transaction, perhaps, which may yet be rolled back
        transaction.on_commit(lambda: _salts.__setitem__(kid, salt))
    return salt


@cache
def _stretched(kid: str, salt: bytes) -> bytes:
    return hashlib.scrypt(dict(settings.ENCRYPTION_KEYS)[kid], salt=salt, **SCRYPT)


def master_key(kid: str) -> bytes:
    """32 bytes. Raises SealedDataError when the ring has no key of that id."""
    if kid not in dict(settings.ENCRYPTION_KEYS):
        raise SealedDataError
    salt = _salt_of(kid)  # before the lock: it may wait for another thread's transaction
    with _stretching:
        return _stretched(kid, salt)


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
    _stretched.cache_clear()
    _salts.clear()
