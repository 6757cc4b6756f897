"""An S3 object store for tests: moto's, one for the whole run, emptied between tests and switched off at will."""

import threading
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest

ACCESS_KEY_ID, SECRET_ACCESS_KEY = "tests", "tests-only"
BUCKETS = ("aaperture", "archive", "backups", "evidence", "ledgers")


class ObjectStore:
    """Empty buckets by the names in BUCKETS; with `is_down`, every call is answered 503, and 501 what asks one `without_sse` to encrypt."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        class Quiet(MotoRequestHandler):
            def log(self, *args: Any) -> None:
                pass

        self.is_down = self.without_sse = False
        self._application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = True  # connections that a client keeps open end with us
        self.url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        session = boto3.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
        self.client = session.client("s3", endpoint_url=self.url, region_name="us-east-1")

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refused = self.without_sse and "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION" in environ
        if not self.is_down and not refused:
            return self._application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"<Error><Code>NotImplemented</Code></Error>" if refused else b""
        start_response("501 Not Implemented" if refused else "503 Service Unavailable", [("Content-Length", str(len(body)))])
        return [body]

    def empty(self) -> None:
        """As on the first day."""
        self.is_down = self.without_sse = False
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")).close()
        for bucket in BUCKETS:
            self.client.create_bucket(Bucket=bucket)

    def names(self) -> list[str]:
        """`bucket/key` of every object."""
        pages = ((bucket, self.client.list_objects_v2(Bucket=bucket)) for bucket in BUCKETS)
        return [f"{bucket}/{one['Key']}" for bucket, page in pages for one in page.get("Contents", ())]

    def unfinished(self) -> list[str]:
        """`bucket/key` of every upload that was begun and neither completed nor given up."""
        pages = ((bucket, self.client.list_multipart_uploads(Bucket=bucket)) for bucket in BUCKETS)
        return [f"{bucket}/{one['Key']}" for bucket, page in pages for one in page.get("Uploads", ())]

    def read(self, name: str) -> bytes:
        bucket, _, key = name.partition("/")
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def write(self, name: str, content: bytes) -> None:
        bucket, _, key = name.partition("/")
        self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """The server; ask for `store` instead, unless nothing in the object store matters."""
    server = ObjectStore()
    yield server
    server.close()


@pytest.fixture
def store(object_store: ObjectStore, settings: Any) -> ObjectStore:
    """An object store with empty buckets, configured as the instance's own."""
    object_store.empty()
    settings.S3_ENDPOINT_URL, settings.S3_BUCKET = object_store.url, "aaperture"
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = ACCESS_KEY_ID, SECRET_ACCESS_KEY
    return object_store
