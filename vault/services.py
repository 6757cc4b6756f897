"""Sealing and opening under the data key of a person, an organization or the instance.

A sealed value is `0x01 | 12-byte nonce | AES-256-GCM ciphertext and tag`, bound by associated data to the table, column and
row it stands in. Every failure is one SealedDataError.
"""

import hmac
import secrets
import threading
import time
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import transaction
from django.db.models import Func, Q
from django.utils import timezone

from vault import ring
from vault.errors import SealedDataError
from vault.models import DataKey

VERSION = b"\x01"
OPENED_FOR = 60.0  # seconds an opened data key stays in this process
LARGEST_CACHE = 10_000
INSTANCE_NAMESPACE = uuid.UUID("6f2f3d1e-6f0e-5d0b-9a57-3f1f6c1f7a10")
HASHING: UUID = uuid.uuid5(INSTANCE_NAMESPACE, "keyed hashes")


class Owner(NamedTuple):
    """Whose data key seals a value."""

    kind: str
    id: UUID


def person(user_id: UUID) -> Owner:
    return Owner(DataKey.Kind.PERSON, user_id)


def organization(organization_id: UUID) -> Owner:
    return Owner(DataKey.Kind.ORGANIZATION, organization_id)


def instance_month(now: datetime | None = None) -> Owner:
    """The monthly instance key, for actors who are nobody's account."""
    month = (now or timezone.now()).strftime("%Y-%m")
    return Owner(DataKey.Kind.INSTANCE, uuid.uuid5(INSTANCE_NAMESPACE, month))


class OpenedKey(NamedTuple):
    """An opened data key: never logged, never stored, never pickled."""

    key: bytes
    cipher: AESGCM

    def __repr__(self) -> str:
        return "<opened key>"


class _OpenedKeys:
    """Recently used data keys. Per process; holds each at most 60 s, so a destroyed key is soon gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[Owner, tuple[float, OpenedKey]] = {}

    def get(self, owner: Owner) -> OpenedKey | None:
        found = self._keys.get(owner)
        return found[1] if found and found[0] > time.monotonic() else None

    def put(self, owner: Owner, key: OpenedKey) -> None:
        with self._lock:
            if len(self._keys) >= LARGEST_CACHE:
                self._keys.clear()
            self._keys[owner] = (time.monotonic() + OPENED_FOR, key)

    def forget(self, owner: Owner | None = None) -> None:
        with self._lock:
            if owner is None:
                self._keys.clear()
            else:
                self._keys.pop(owner, None)


opened = _OpenedKeys()


def _stored_key(owner: Owner) -> DataKey | None:
    older = Q(created_at__lt=Func(function="transaction_timestamp"))
    return DataKey.objects.annotate(is_older_than_transaction=older).filter(kind=owner.kind, owner_id=owner.id).first()


def _new_key(owner: Owner) -> DataKey:
    row = DataKey(kind=owner.kind, owner_id=owner.id)
    row.kid, row.wrapped = ring.wrap(secrets.token_bytes(32), row.associated())
    DataKey.objects.bulk_create([row], ignore_conflicts=True)  # another process may have been first: its key counts
    return DataKey.objects.get(kind=owner.kind, owner_id=owner.id)


def _opened(owner: Owner, *, create: bool) -> OpenedKey:
    if key := opened.get(owner):
        return key
    row = _stored_key(owner)
    if row is None and create:
        row = _new_key(owner)
    if row is None or row.destroyed_at is not None:
        raise SealedDataError
    plain = ring.unwrap(row.kid, bytes(row.wrapped), row.associated())
    key = OpenedKey(plain, AESGCM(plain))
    if getattr(row, "is_older_than_transaction", False):
        opened.put(owner, key)
    else:  # this transaction may have made the row, and may yet be rolled back: only a committed key may outlive it
        transaction.on_commit(lambda: opened.put(owner, key))
    return key


def seal(plain: bytes, owner: Owner, associated: str) -> bytes:
    """Seal `plain` under the owner's data key, which is made on first use. Raises SealedDataError if it was destroyed."""
    (sealed,) = seal_many([(plain, associated)], owner)
    return sealed


def seal_many(values: Iterable[tuple[bytes, str]], owner: Owner) -> list[bytes]:
    """Each plain value with its associated data, sealed under the owner's data key, a nonce of its own for each."""
    cipher, sealed = _opened(owner, create=True).cipher, []
    for plain, associated in values:
        nonce = secrets.token_bytes(12)
        sealed.append(VERSION + nonce + cipher.encrypt(nonce, plain, associated.encode()))
    return sealed


def open_sealed(sealed: bytes, owner: Owner, associated: str) -> bytes:
    """The plain bytes. Raises SealedDataError for anything altered, moved to another row, or whose key is gone."""
    if sealed[:1] != VERSION or len(sealed) < 29:
        raise SealedDataError
    try:
        return _opened(owner, create=False).cipher.decrypt(sealed[1:13], sealed[13:], associated.encode())
    except (InvalidTag, ValueError):
        raise SealedDataError from None


@lru_cache(maxsize=64)
def _purpose_key(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose.encode()).derive(key)


def keyed_hash(purpose: str, value: str) -> bytes:
    """32 bytes that tell equal values without showing them: HMAC-SHA256 under an instance key made for `purpose`.

    That key is wrapped by the ring like any other, so rotation keeps hashes comparable.
    """
    hashing = _opened(Owner(DataKey.Kind.INSTANCE, HASHING), create=True)
    return hmac.digest(_purpose_key(hashing.key, f"hash|{purpose}"), value.encode(), "sha256")


def make_hashing_key(**_kwargs: object) -> None:
    """Make the key of `keyed_hash()` where it is missing; runs after every `migrate`, so that nobody waits for it."""
    keyed_hash("first use", "")


@transaction.atomic
def destroy_key(owner: Owner) -> None:
    """Destroy the owner's data key; what it sealed can never be read again."""
    DataKey.objects.filter(kind=owner.kind, owner_id=owner.id, destroyed_at=None).update(wrapped=b"", destroyed_at=timezone.now())
    transaction.on_commit(lambda: opened.forget(owner))
