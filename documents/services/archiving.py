"""Copies of issued and accepted documents in the object store, under the day until which they are kept.

A row without `archive_key` is what is still to be done. Its key follows from the row alone and the PDF from its content, so a
process that dies between the two writes the same object again. Without an object store the PDF is made from the content whenever it
is asked for, and nothing is lost.
"""

import logging
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from django.conf import settings

from audit.seal.places import FAILURES, Bucket
from documents.keeping import kept_until
from documents.models import Contract, Invoice, Quote
from documents.printing import as_pdf
from documents.services.papers import AnyDocument, with_acceptance

logger = logging.getLogger(__name__)
BATCH = 200
PREFIX = "archive"


class Store(NamedTuple):
    bucket: Bucket
    locks: bool  # whether the bucket has Object Lock


def is_configured() -> bool:
    return bool(settings.S3_BUCKET) and "s3" not in settings.DISABLED_INTEGRATIONS


def archive_due(*, limit: int = BATCH) -> int:
    """Put copies of documents that have none yet; how many. A store that is down is logged, and the next tick goes on."""
    if not is_configured():
        return 0
    waiting = _waiting(limit)
    if not waiting:
        return 0
    count = 0
    try:
        store = _open()
        for document in waiting:
            _archive(document, store)
            count += 1
    except FAILURES as error:
        logger.warning("archive unavailable", extra={"error": type(error).__name__, "written": count})
    return count


def key_of(document: AnyDocument) -> str:
    """By ids and a day: no name, no number."""
    kind = document._meta.model_name
    return f"{PREFIX}/{kept_until(document).isoformat()}/{document.organization_id}/{kind}/{document.pk}.pdf"


def forget(document: AnyDocument) -> None:
    """Delete the copy, before its row goes. Raises one of FAILURES; deleting what is not there is no fault."""
    if document.archive_key and is_configured():
        store = Bucket(settings.S3_BUCKET, "")
        store.client.delete_object(Bucket=store.bucket, Key=document.archive_key)


def _waiting(limit: int) -> list[AnyDocument]:
    found: list[AnyDocument] = []
    queues: list[Any] = [
        Invoice.objects.exclude(status=Invoice.Status.DRAFT).filter(archive_key="").order_by("issued_on", "pk"),
        Contract.objects.filter(status=Contract.Status.ACCEPTED, archive_key="").order_by("answered_at", "pk"),
        Quote.objects.filter(status=Quote.Status.ACCEPTED, archive_key="").order_by("answered_at", "pk"),
    ]
    for queue in queues:
        found += queue.defer("search_text")[: limit - len(found)]
    return found


def _open() -> Store:
    bucket = Bucket(settings.S3_BUCKET, "")
    try:
        said = bucket.client.get_object_lock_configuration(Bucket=bucket.bucket)
        locks = said["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code not in {"ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed", "AccessDenied", "InvalidRequest"}:
            raise
        locks = False  # a bucket without it, or a store that does not know it
    return Store(bucket, locks)


def _archive(document: AnyDocument, store: Store) -> None:
    key, until = key_of(document), kept_until(document)
    extra: dict[str, Any] = {}
    if store.locks:
        extra = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": _end_of(until), "ChecksumAlgorithm": "SHA256"}
    pdf = as_pdf(with_acceptance(document))
    metadata = {"content-sha256": document.content_digest, "keep-until": until.isoformat()}
    copy = {"Bucket": store.bucket.bucket, "Key": key, "Body": pdf, "ContentType": "application/pdf", "Metadata": metadata} | extra
    try:
        store.bucket.client.put_object(**copy, ServerSideEncryption="AES256")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NotImplemented":
            raise
        store.bucket.client.put_object(**copy)  # a store that encrypts everything unasked (Cloudflare R2)
    type(document).objects.filter(pk=document.pk, archive_key="").update(archive_key=key)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), UTC)
