"""Added files: taken when they are what they say, attached to one e-mail, removed when it has gone or will not."""

import logging
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Organization, User
from audit.services import record
from mailing import object_store
from mailing.mime import BREAKS
from mailing.models import AddedFile, ScheduledEmail

logger = logging.getLogger(__name__)
LARGEST = 10 * 1024 * 1024  # bytes each
LARGEST_TOGETHER = 15 * 1024 * 1024
MOST = 5
MOST_UNUSED = 40  # that a studio may have lying without an e-mail; they go after an hour
STORE_ERRORS = (BotoCoreError, ClientError, OSError)
# by ending: the type it goes out as, and how its bytes begin
KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)),
    "jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    "webp": ("image/webp", (b"RIFF",)),
}


class NotTaken(ValueError):
    """`code`: type, size, count, name, store, gone."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def add_file(
    organization: Organization, *, name: str, content: bytes, beside: Iterable[AddedFile], actor: User, request: HttpRequest | None = None
) -> AddedFile:
    """Store it under `tmp/`; `beside` are those that the same e-mail has already. Raises NotTaken."""
    others = list(beside)
    content_type = _type_of(name, content)
    if len(content) > LARGEST or sum(file.size for file in others) + len(content) > LARGEST_TOGETHER:
        raise NotTaken("size")
    unused = AddedFile.objects.for_organization(organization).lying().filter(email=None)
    if len(others) >= MOST or unused.count() >= MOST_UNUSED:
        raise NotTaken("count")
    row = AddedFile.objects.create(
        organization=organization, name=name, content_type=content_type, size=len(content), created_by=actor
    )  # fmt: skip
    try:
        object_store.put(row.key, content, content_type)
    except STORE_ERRORS as error:
        logger.error("added file not stored", extra={"error": type(error).__name__})
        remove([row])
        raise NotTaken("store") from None
    record("email_file.added", row, actor=actor, request=request, organization_id=organization.pk, size=row.size)
    return row


def _type_of(name: str, content: bytes) -> str:
    """By its ending and its first bytes together."""
    if not name or len(name) > 150 or BREAKS.search(name) or "/" in name or "\\" in name:
        raise NotTaken("name")
    stem, _dot, ending = name.rpartition(".")
    content_type, beginnings = KINDS.get(ending.lower() if stem else "", ("", ()))
    if not content.startswith(beginnings) or (content_type == "image/webp" and content[8:12] != b"WEBP") or not content_type:
        raise NotTaken("type")
    return content_type


def waiting_files(organization: Organization | Any, ids: Iterable[UUID], *, owner: User) -> list[AddedFile]:
    """One's own uploads that no e-mail has yet, as far as one e-mail takes them, whatever a form names."""
    rows = AddedFile.objects.for_organization(organization).lying().filter(email=None, created_by=owner, pk__in=list(ids)[:MOST])
    found: list[AddedFile] = []
    for file in rows.order_by("created_at", "pk"):
        if sum(one.size for one in found) + file.size <= LARGEST_TOGETHER:
            found.append(file)
    return found


def attach(files: Iterable[AddedFile], email: ScheduledEmail) -> None:
    """In the transaction that makes the e-mail, which never goes without them. Raises NotTaken."""
    wanted = [file.pk for file in files]
    if AddedFile.objects.lying().filter(pk__in=wanted, email=None).update(email=email) < len(wanted):
        raise NotTaken("gone")


def remove(files: Iterable[AddedFile]) -> int:
    """Object first, then the row's mark: what is interrupted between the two is tried again. How many are gone."""
    gone = 0
    for file in files:
        try:
            object_store.delete(file.key)
        except STORE_ERRORS as error:
            logger.warning("added file not removed", extra={"file": str(file.pk), "error": type(error).__name__})
            continue
        gone += 1
        if file.email_id:
            AddedFile.objects.filter(pk=file.pk).update(removed_at=timezone.now())
        else:
            AddedFile.objects.filter(pk=file.pk).delete()
    return gone


def remove_ended(*, limit: int = 200) -> int:
    """The tick's: whatever has gone, failed, or was never sent off."""
    rows = list(AddedFile.objects.to_remove(timezone.now()).order_by("created_at")[:limit])
    return remove(rows) if rows and object_store.is_configured() else 0
