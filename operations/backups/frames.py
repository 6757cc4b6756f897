"""Authenticated encryption of a stream (AES-256-GCM), in frames: what is altered, cut off, repeated or moved does not open.

A stream is MAGIC, a random salt of 32 bytes, then frames: four bytes (the highest bit marks the last frame, the others say how
long the rest is), then ciphertext and tag. The key is HKDF-SHA256 of the stretched `BACKUP_KEY`, with the salt, for one purpose, so
no two streams have one key; the nonce is the frame's number and whether it is the last, so neither is taken from what is read.
"""

import secrets
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

MAGIC = b"aaperture backup 1\n"
SALT = 32
FRAME = 256 * 1024  # bytes of plain text in a frame
LAST = 1 << 31
TAG = 16
LENGTH = struct.Struct(">I")


class BackupKeyMissing(Exception):
    """`BACKUP_KEY` is not configured: nothing is backed up in clear."""


class BackupDamaged(Exception):
    """Not what was written, or written under another key. The text says what does not fit, never what it holds."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> Any: ...


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


@lru_cache(maxsize=4)
def _stretched(secret: str) -> bytes:
    """As slow for a passphrase that somebody thought up as for a random one; once per process."""
    return Scrypt(salt=b"aaperture backup key", length=32, n=2**15, r=8, p=1).derive(secret.encode())


def _cipher(salt: bytes, purpose: str) -> AESGCM:
    if not settings.BACKUP_KEY:
        raise BackupKeyMissing
    return AESGCM(HKDF(SHA256(), 32, salt=salt, info=f"aaperture|{purpose}|v1".encode()).derive(_stretched(settings.BACKUP_KEY)))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class Sealer:
    """Writes a stream; `close` ends it, and without that it does not open."""

    def __init__(self, sink: Sink, purpose: str) -> None:
        salt = secrets.token_bytes(SALT)
        self.sink, self.cipher, self.number, self.waiting = sink, _cipher(salt, purpose), 0, bytearray()
        sink.write(MAGIC + salt)

    def write(self, data: bytes | memoryview) -> int:
        self.waiting += data
        while len(self.waiting) > FRAME:  # one frame is held back: it may be the last
            self._frame(bytes(self.waiting[:FRAME]), is_last=False)
            del self.waiting[:FRAME]
        return len(data)

    def close(self) -> None:
        self._frame(bytes(self.waiting), is_last=True)
        self.waiting.clear()

    def _frame(self, plain: bytes, *, is_last: bool) -> None:
        sealed = self.cipher.encrypt(_nonce(self.number, is_last=is_last), plain, MAGIC)
        self.sink.write(LENGTH.pack(len(sealed) | (LAST if is_last else 0)) + sealed)
        self.number += 1


def opened(source: Source, purpose: str) -> Iterator[bytes]:
    """The plain text, frame by frame, each verified before it is given out. Raises BackupDamaged, BackupKeyMissing."""
    head = _exactly(source, len(MAGIC) + SALT)
    if head[: len(MAGIC)] != MAGIC:
        raise BackupDamaged("this is no backup of ours")
    cipher, number, is_last = _cipher(head[len(MAGIC) :], purpose), 0, False
    while not is_last:
        word = LENGTH.unpack(_exactly(source, LENGTH.size))[0]
        length, is_last = word & ~LAST, bool(word & LAST)
        if not TAG <= length <= FRAME + TAG:
            raise BackupDamaged(f"frame {number} has no possible length")
        try:
            yield cipher.decrypt(_nonce(number, is_last=is_last), _exactly(source, length), MAGIC)
        except InvalidTag:
            raise BackupDamaged(f"frame {number} does not open: it was altered, or BACKUP_KEY is not the one it was made with") from None
        number += 1
    if source.read(1):
        raise BackupDamaged("something follows the last frame")


def _exactly(source: Source, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        part = source.read(size - len(found))
        if not part:
            raise BackupDamaged("it ends too early")
        found += part
    return bytes(found)
