"""The object store's own part of a backup: every object of `S3_BUCKET`, without what is temporary and what must stay outside."""

import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from django.conf import settings

from audit.seal.heads import addresses
from audit.seal.places import GONE, Bucket

TEMPORARY = "tmp/"
PIECE = 1024 * 1024
MARK = "restore-in-progress"  # an object of this name says that what lies beside it comes from a restore that has not ended


def is_configured() -> bool:
    return bool(settings.S3_BUCKET) and "s3" not in settings.DISABLED_INTEGRATIONS


def bucket() -> Bucket:
    return Bucket(settings.S3_BUCKET, "")


def outside() -> tuple[str, ...]:
    """Prefixes of the bucket that no backup holds and no restore writes: a ledger or heads from a backup would undo themselves."""
    places = [*addresses(), settings.AUDIT_ARCHIVE, settings.ERASURE_LEDGER, settings.BACKUPS]
    parts = [urlsplit(address) for address in places if address]
    return tuple(f"{part.path.strip('/')}/" for part in parts if part.scheme == "s3" and part.netloc == settings.S3_BUCKET)


def kept(where: Bucket) -> Iterator[str]:
    """The names of what belongs in a backup. A place at the bucket's own root leaves nothing: then the bucket is that place's."""
    left_out = outside()
    if "/" in left_out:
        return
    for name in where.names():
        if not name.startswith((TEMPORARY, *left_out)) and name != MARK:
            yield name


def reading(where: Bucket, name: str) -> tuple[dict[str, Any], Iterator[bytes]] | None:
    """What is to be kept of an object beside its bytes, and these; None when it went meanwhile."""
    try:
        found = where.client.get_object(Bucket=where.bucket, Key=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            return None
        raise
    about = {"object": name, "type": found.get("ContentType", ""), "metadata": found.get("Metadata", {})}
    return about, found["Body"].iter_chunks(PIECE)


def write(where: Bucket, about: dict[str, Any], pieces: Iterator[bytes]) -> None:
    extra: dict[str, Any] = {"Metadata": about["metadata"]}
    if about["type"]:
        extra["ContentType"] = about["type"]
    where.client.upload_fileobj(_Pieces(pieces), where.bucket, about["object"], ExtraArgs=extra, Config=TransferConfig(use_threads=False))


class _Pieces(io.RawIOBase):
    """Pieces as a file to be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.buffer = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self.buffer:
            self.buffer = next(self.pieces, b"")
        part, self.buffer = self.buffer[: len(target)], self.buffer[len(target) :]
        target[: len(part)] = part
        return len(part)


def is_foreign(where: Bucket) -> bool:
    """Whether something lies in the bucket that no restore put there."""
    return next(kept(where), None) is not None and MARK not in set(where.names(MARK))
