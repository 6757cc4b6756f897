from collections.abc import Iterator

import pytest

from tests.audit.object_store import ObjectStore


@pytest.fixture
def store(settings) -> Iterator[ObjectStore]:
    """An S3 object store, configured."""
    found = ObjectStore()
    settings.S3_ENDPOINT_URL, settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = found.url, "tests", "tests-only"
    yield found
    found.close()
