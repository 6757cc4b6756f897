"""Where backups lie: `BACKUPS`, a folder or `s3://bucket/prefix`. Each is a folder of volumes with a manifest, written last.

Without a manifest there is no backup, so one that a killed process left is never taken for whole; it is swept away. A volume is
at most VOLUME bytes, so that neither the size of an object nor the number of its parts limits a backup.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from django.conf import settings

from audit.seal.places import FAILURES, Bucket, Place, place
from operations.backups import frames
from operations.backups.frames import BackupDamaged

__all__ = ["FAILURES", "NoShelf", "Volumes", "VolumesReader", "is_configured", "manifest", "new_name", "shelf", "whole"]
MANIFEST = "manifest.sealed"
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
VOLUME = 1024**3
LONGEST_MANIFEST = 16 * 1024**2


class NoShelf(Exception):
    """`BACKUPS` names no place."""


def is_configured() -> bool:
    return bool(settings.BACKUPS and settings.BACKUP_KEY)


def shelf() -> Place:
    if not settings.BACKUPS:
        raise NoShelf
    return place(settings.BACKUPS)


def new_name(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def made_at(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _is_name(name: str) -> bool:
    try:
        return bool(NAME.fullmatch(name) and made_at(name))
    except ValueError:  # a month 13
        return False


def _files(where: Place) -> dict[str, set[str]]:
    """What lies on the shelf, by backup; other files there are none of ours."""
    found: dict[str, set[str]] = {}
    for path in where.names():
        name, _, file = path.partition("/")
        if file and _is_name(name):
            found.setdefault(name, set()).add(file)
    return found


def whole(where: Place) -> list[str]:
    """The names of finished backups, the oldest first."""
    return sorted(name for name, files in _files(where).items() if MANIFEST in files)


def unfinished(where: Place) -> list[str]:
    return sorted(name for name, files in _files(where).items() if MANIFEST not in files)


def sweep_unfinished(where: Place) -> list[str]:
    """Remove what killed processes left; only for who knows that none is at it."""
    left = unfinished(where)
    for name in left:
        remove(where, name)
    if isinstance(where, Bucket):
        where.abandon(where.prefix, below=True)
    return left


def remove(where: Place, name: str) -> None:
    """The manifest first: killed in between, what is left is no backup any more."""
    files = _files(where).get(name, set())
    for file in sorted(files, key=lambda file: file != MANIFEST):
        where.delete(f"{name}/{file}")


def expired(where: Place, now: datetime) -> list[str]:
    """Those older than `BACKUP_DAYS`; the newest stays all the same, or a backup that fails for a month would leave none.

    The newest that opens: whoever may write there could lay a folder of next year beside them.
    """
    names = whole(where)
    newest = next((name for name in reversed(names) if _opens(where, name)), names[-1] if names else "")
    return [name for name in names if name != newest and made_at(name) < now - timedelta(days=settings.BACKUP_DAYS)]


def _opens(where: Place, name: str) -> bool:
    try:
        return bool(manifest(where, name))
    except (BackupDamaged, FileNotFoundError):
        return False


# --- manifest ----------------------------------------------------------------------------------------------------------


def write_manifest(where: Place, name: str, said: dict[str, Any]) -> None:
    with where.writing(f"{name}/{MANIFEST}") as file:
        sealer = frames.Sealer(file, f"manifest|{name}")
        sealer.write(json.dumps(said, sort_keys=True).encode())
        sealer.close()


def manifest(where: Place, name: str) -> dict[str, Any]:
    """What a backup says of itself. Raises FileNotFoundError, BackupDamaged."""
    text = bytearray()
    with where.reading(f"{name}/{MANIFEST}") as file:
        for part in frames.opened(file, f"manifest|{name}"):
            text += part
            if len(text) > LONGEST_MANIFEST:
                raise BackupDamaged("its manifest has no end")
    said: dict[str, Any] = json.loads(text)
    if said.get("name") != name or said.get("format") != 1:
        raise BackupDamaged("its manifest is another backup's, or of a later version of Aaperture")
    return said


# --- volumes -----------------------------------------------------------------------------------------------------------


class Volumes:
    """A backup's bytes as they are written, cut into files; `facts` are their sizes and SHA-256."""

    def __init__(self, where: Place, name: str) -> None:
        self.where, self.name, self.facts = where, name, list[dict[str, Any]]()
        self._open, self._digest, self._size = ExitStack(), hashlib.sha256(), 0
        self._file: IO[bytes] | None = None

    def write(self, data: bytes) -> int:
        if self._file is None or self._size + len(data) > VOLUME:
            self.close()
            file = self._file = self._open.enter_context(self.where.writing(f"{self.name}/{len(self.facts) + 1:04d}.sealed"))
            self._digest, self._size = hashlib.sha256(), 0
        else:
            file = self._file
        file.write(data)
        self._digest.update(data)
        self._size += len(data)
        return len(data)

    def close(self) -> None:
        if self._file is not None:
            self._open.close()
            self.facts.append({"size": self._size, "sha256": self._digest.hexdigest()})
            self._file = None

    def abandon(self, error: BaseException) -> None:
        """End the open volume as a failure: a bucket gives its upload up."""
        self._open.__exit__(type(error), error, error.__traceback__)
        self._file = None


class VolumesReader:
    """The same bytes, read; each volume's size and hash are compared when it has been read."""

    def __init__(self, where: Place, name: str, facts: list[dict[str, Any]]) -> None:
        self._chunks = self._read(where, name, facts)
        self._buffer = b""

    def read(self, size: int) -> bytes:
        if not self._buffer:
            self._buffer = next(self._chunks, b"")
        part, self._buffer = self._buffer[:size], self._buffer[size:]
        return part

    def _read(self, where: Place, name: str, facts: list[dict[str, Any]]) -> Iterator[bytes]:
        for number, fact in enumerate(facts, 1):
            digest, size = hashlib.sha256(), 0
            try:
                with where.reading(f"{name}/{number:04d}.sealed") as file:
                    for chunk in _chunks(file):
                        digest.update(chunk)
                        size += len(chunk)
                        yield chunk
            except FileNotFoundError:
                raise BackupDamaged(f"volume {number} is missing") from None
            if (size, digest.hexdigest()) != (fact["size"], fact["sha256"]):
                raise BackupDamaged(f"volume {number} is not the file that was written")


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(1024**2):
        yield chunk
