"""A stand-in for an S3 object store: objects in memory, uploads in parts, and switched off at will."""

import threading
import xml.sax.saxutils
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class ObjectStore:
    """`objects` by `bucket/key`; with `is_down`, every call is answered 503."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, tuple[str, dict[int, bytes]]] = {}
        self.is_down = False
        store = self

        class Handler(_Handler):
            objects = store

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: ObjectStore

    def log_message(self, *args: Any) -> None:
        pass

    def _address(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return unquote(parts.path).lstrip("/"), {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}

    def _answer(self, body: bytes = b"", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refused(self) -> bool:
        if self.objects.is_down:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(status=503)
        return self.objects.is_down

    def do_PUT(self) -> None:
        if self._refused():
            return
        key, query = self._address()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploadId" in query:
            self.objects.uploads[query["uploadId"]][1][int(query["partNumber"])] = body
        else:
            self.objects.objects[key] = body
        self._answer(ETag='"1"')

    def do_POST(self) -> None:
        if self._refused():
            return
        key, query = self._address()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploads" in query:
            upload = f"upload{len(self.objects.uploads)}"
            self.objects.uploads[upload] = (key, {})
            body = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        else:
            name, parts = self.objects.uploads.pop(query["uploadId"])
            self.objects.objects[name] = b"".join(parts[number] for number in sorted(parts))
            body = "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"
        self._answer(body.encode())

    def do_GET(self) -> None:
        if self._refused():
            return
        key, query = self._address()
        if "uploads" in query:
            listed = "".join(f"<Upload><Key>{name.partition('/')[2]}</Key><UploadId>{upload}</UploadId></Upload>" for upload, (name, _) in
                             self.objects.uploads.items())  # fmt: skip
            self._answer(f"<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>".encode())
        elif "list-type" in query:
            prefix = f"{key}/{query.get('prefix', '')}"
            names = sorted(name.partition("/")[2] for name in self.objects.objects if name.startswith(prefix))
            listed = "".join(f"<Contents><Key>{xml.sax.saxutils.escape(name)}</Key></Contents>" for name in names)
            self._answer(f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode())
        elif key in self.objects.objects:
            self._answer(self.objects.objects[key])
        else:
            self._answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)

    def do_DELETE(self) -> None:
        key, query = self._address()
        if "uploadId" in query:
            self.objects.uploads.pop(query["uploadId"], None)
        else:
            self.objects.objects.pop(key, None)
        self._answer(status=204)
