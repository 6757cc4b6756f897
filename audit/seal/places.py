"""Places outside the database: a folder, or `s3://bucket/prefix` in the configured object store.

A folder's files are appended with O_APPEND and fsync, or written beside their name and renamed; an object appears whole or not
at all. `append` to a bucket makes a further object, since objects cannot grow.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

PART = 8 * 1024 * 1024  # bytes of one part of an upload: what a writer holds in memory
FAILURES = (OSError, BotoCoreError, ClientError)
GONE = frozenset({"NoSuchKey", "404", "NotFound"})


class Place(Protocol):
    name: str

    def append(self, name: str, text: bytes) -> None: ...
    def writing(self, name: str) -> Any: ...
    def reading(self, name: str) -> Any: ...
    def names(self, prefix: str = "") -> Iterator[str]: ...
    def delete(self, name: str) -> None: ...


def place(address: str) -> Place:
    """The place of an address: a path, or s3://bucket/prefix."""
    parts = urlsplit(address)
    if parts.scheme == "s3":
        return Bucket(parts.netloc, parts.path.strip("/"))
    return Folder(Path(address))


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def append(self, name: str, text: bytes) -> None:
        """Add whole lines; a line that a power cut left unfinished is ended first."""
        path = self._made(name)
        is_new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                text = b"\n" + text
            while text:
                text = text[os.write(descriptor, text) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            self._sync(path.parent)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        path = self._made(name)
        draft = path.with_name(f"{path.name}.part")
        with draft.open("wb") as file:
            draft.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._sync(path.parent)

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """Raises FileNotFoundError."""
        with (self.path / name).open("rb") as file:
            yield file

    def names(self, prefix: str = "") -> Iterator[str]:
        if self.path.is_dir():
            yield from sorted(name for path in self.path.rglob("*") if path.is_file() and (name := self._name(path)).startswith(prefix))

    def delete(self, name: str) -> None:
        path = self.path / name
        path.unlink(missing_ok=True)
        if path.parent != self.path and path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _made(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _sync(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Bucket:
    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket, self.prefix = bucket, f"{prefix}/" if prefix else ""
        self.name = f"s3://{bucket}/{prefix}"
        credentials = (settings.S3_ACCESS_KEY_ID or None, settings.S3_SECRET_ACCESS_KEY or None)
        self.client = boto3.Session(*credentials).client(
            "s3",
            endpoint_url=settings.S3_ENDPOINT_URL or None,
            region_name="us-east-1",
            config=Config(
                connect_timeout=3, read_timeout=20, retries={"max_attempts": 2},
                request_checksum_calculation="when_required", response_checksum_validation="when_required",
            ),
        )  # fmt: skip

    def append(self, name: str, text: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=text)

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """An upload in parts; only its end makes the object."""
        key = {"Bucket": self.bucket, "Key": self.prefix + name}
        self.abandon(key["Key"])
        upload = _Upload(self.client, key)
        try:
            yield upload  # type: ignore[misc]  # it is written to as a file is, and nothing else of one is asked
            upload.complete()
        except BaseException:
            upload.abort()
            raise

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """Raises FileNotFoundError."""
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in GONE:
                raise FileNotFoundError(name) from None
            raise
        with io.BufferedReader(_Raw(body), PART // 8) as file:
            yield file

    def names(self, prefix: str = "") -> Iterator[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
        for page in pages:
            yield from (one["Key"].removeprefix(self.prefix) for one in page.get("Contents", ()))

    def delete(self, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def abandon(self, key: str, *, below: bool = False) -> None:
        """Parts that a killed process left are paid for until somebody gives them up: those of one object, or of all `below` a prefix."""
        for one in self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=key).get("Uploads", ()):
            if one["Key"] == key or below:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"])


class _Raw(io.RawIOBase):
    """A response's body as a file that `gzip` can read."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.body.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Upload(io.RawIOBase):
    def __init__(self, client: Any, key: dict[str, str]) -> None:
        self.client, self.key = client, key
        self.id = client.create_multipart_upload(**key)["UploadId"]
        self.parts: list[dict[str, Any]] = []
        self.buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.buffer += data
        while len(self.buffer) >= PART:
            self._send(bytes(self.buffer[:PART]))
            del self.buffer[:PART]
        return len(data)

    def _send(self, part: bytes) -> None:
        number = len(self.parts) + 1
        sent = self.client.upload_part(**self.key, UploadId=self.id, PartNumber=number, Body=part)
        self.parts.append({"ETag": sent["ETag"], "PartNumber": number})

    def complete(self) -> None:
        if self.buffer or not self.parts:
            self._send(bytes(self.buffer))
        self.client.complete_multipart_upload(**self.key, UploadId=self.id, MultipartUpload={"Parts": self.parts})

    def abort(self) -> None:
        with suppress(*FAILURES):
            self.client.abort_multipart_upload(**self.key, UploadId=self.id)
