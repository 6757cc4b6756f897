"""An https server on this machine that answers JSON as it is told; `reach` lets the SSRF-safe client come here and nowhere else."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aaperture.lib import safe_http


@dataclass
class Feed:
    """`pages` by path with query; what is asked for and is not there is 404. `statuses` are given out first, one a request.

    With `pause` the answer's `slow` part comes byte by byte, so many seconds apart: its body, its headers, or what follows its body.
    """

    url: str
    pages: dict[str, Any] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    pause: float = 0.0
    slow: str = "body"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


def certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=12))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "feed.pem"
    file.write_bytes(key.private_bytes(*plain) + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Feed, safe_http.Reach]]:
    """A running server and the reach that includes it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            feed.asked.append((self.path, dict(self.headers)))
            status = feed.statuses.pop(0) if feed.statuses else 200 if self.path in feed.pages else 404
            answer = feed.pages.get(self.path, {})
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            try:
                if feed.slow == "trailers":
                    return self._send_trailers(body)
                if feed.slow == "headers":
                    self.flush_headers()
                    self._drip(b"X-Slow: " + b"x" * 1000 + b"\r\n")
                self.send_header("Content-Length", str(len(body)))
                for name, value in feed.headers.items():
                    self.send_header(name, value)
                if status in (301, 302):
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self._drip(body) if feed.pause and feed.slow == "body" else self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked has had enough

        def _send_trailers(self, body: bytes) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n" % (len(body), body))
            self._drip(b"X-Slow: " + b"x" * 1000 + b"\r\n\r\n")

        def _drip(self, data: bytes) -> None:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(feed.pause)

        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None:
            """Nothing."""

    file = certificate(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    feed = Feed(f"https://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    try:
        yield feed, safe_http.Reach(True, frozenset({urlsplit(feed.url).port}), str(file), patience=0.0)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
