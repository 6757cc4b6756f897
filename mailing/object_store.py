"""Where added files lie: the instance's bucket, by django-storages. Private, encrypted at rest, seen through addresses that expire."""

from functools import lru_cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

SEEN_FOR = 300  # seconds that a signed address is good for
ENCRYPTED = {"ServerSideEncryption": "AES256"}


def is_configured() -> bool:
    return bool(settings.S3_BUCKET) and "s3" not in settings.DISABLED_INTEGRATIONS


def store() -> S3Storage:
    return _store(
        settings.S3_BUCKET, settings.S3_ENDPOINT_URL or None, settings.S3_ACCESS_KEY_ID or None, settings.S3_SECRET_ACCESS_KEY or None
    )


@lru_cache(maxsize=4)
def _store(bucket: str, endpoint: str | None, key_id: str | None, key: str | None) -> S3Storage:
    return S3Storage(
        bucket_name=bucket, endpoint_url=endpoint, access_key=key_id, secret_key=key, region_name="us-east-1",  # R2 calls it so too
        default_acl=None, querystring_auth=True, querystring_expire=SEEN_FOR, file_overwrite=True, object_parameters=dict(ENCRYPTED),
        client_config=Config(
            signature_version="s3v4", connect_timeout=3, read_timeout=20, retries={"max_attempts": 2},
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
        ),
    )  # fmt: skip


def put(key: str, content: bytes, content_type: str) -> None:
    """Raises botocore's errors. A store that encrypts everything may not know the header that asks for it (Cloudflare R2)."""
    where = store()
    try:
        where.save(key, _File(content, content_type))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NotImplemented":
            raise
        where.bucket.Object(key).put(Body=content, ContentType=content_type)


class _File(ContentFile):
    def __init__(self, content: bytes, content_type: str) -> None:
        super().__init__(content)
        self.content_type = content_type


def read(key: str) -> bytes:
    """Raises FileNotFoundError, botocore's errors."""
    with store().open(key) as file:
        content: bytes = file.read()
    return content


def delete(key: str) -> None:
    """Also of what is not there. Raises botocore's errors."""
    store().delete(key)


def signed_address(key: str, *, content_type: str) -> str:
    """Good for five minutes; the file is downloaded, never shown as a page."""
    said: dict[str, Any] = {"ResponseContentDisposition": "attachment", "ResponseContentType": content_type}
    return str(store().url(key, parameters=said, expire=SEEN_FOR))
