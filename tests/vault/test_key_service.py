"""The ring from a key-management service (R-032): a fake one over HTTP, which works, refuses, hangs and babbles."""

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aaperture.lib.env import KeySourceFailed, ask_key_source
from tests.test_settings import good, key, start

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "token-of-the-machine"
# What an operator writes: the ring lies in a file as the service encrypted it, and only the service can open it.
CLIENT = """
import base64, json, os, urllib.request

def fetch() -> str:
    with open(os.environ["RING_FILE"], "rb") as file:
        body = json.dumps({"ciphertext": base64.b64encode(file.read()).decode()}).encode()
    headers = {"Authorization": "Bearer " + os.environ["KMS_TOKEN"]}
    request = urllib.request.Request(os.environ["KMS_URL"] + "/decrypt", body, headers)
    with urllib.request.urlopen(request) as answer:
        return base64.b64decode(json.load(answer)["plaintext"]).decode()
"""

# in the program that starts, before anything of ours
LESS_PATIENCE = """
from aaperture.lib import env
assert env.ask_key_source.__kwdefaults__ == {"patience": 10}
env.ask_key_source.__kwdefaults__["patience"] = 1
"""


class KeyService:
    """Encrypts and decrypts by a key that never leaves it; `mood` is how it answers."""

    def __init__(self) -> None:
        self.cipher, self.mood, self.asked = AESGCM(secrets.token_bytes(32)), "works", 0
        self.released = threading.Event()

    def encrypt(self, plain: str) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self.cipher.encrypt(nonce, plain.encode(), b"ring")

    def answer(self, body: dict[str, Any], token: str) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        if self.mood == "hangs":
            self.released.wait(60)
        if self.mood == "refuses" or token != f"Bearer {TOKEN}":
            return 403, {"error": "canary: you may not use this key"}
        if self.mood == "babbles":
            return 200, {"plaintext": base64.b64encode(b"canary is no ring").decode()}
        sealed = base64.b64decode(body["ciphertext"])
        return 200, {"plaintext": base64.b64encode(self.cipher.decrypt(sealed[:12], sealed[12:], b"ring")).decode()}


@pytest.fixture
def service() -> Iterator[KeyService]:
    fake = KeyService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = fake.answer(body, self.headers["Authorization"])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield fake
    fake.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(service: KeyService, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "studio_keys.py").write_text(CLIENT)
    (tmp_path / "ring").write_bytes(service.encrypt(f"kms2:{key()},kms1:{key()}"))
    asks = {"ENCRYPTION_KEYS": "source:studio_keys.fetch", "PYTHONPATH": str(tmp_path), "RING_FILE": str(tmp_path / "ring")}
    return good() | asks | {"KMS_URL": service.url, "KMS_TOKEN": TOKEN}  # type: ignore[attr-defined]


def test_the_ring_that_the_service_opens_is_the_ring_in_use(environment, service):
    script = "import django; django.setup(); from django.conf import settings; print([kid for kid, _key in settings.ENCRYPTION_KEYS])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
        env={**environment, "PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings"},
    )  # fmt: skip
    assert done.stdout.strip() == "['kms2', 'kms1']" and service.asked == 1


@pytest.mark.parametrize(
    ("mood", "sentence"),
    [
        ("refuses", "ENCRYPTION_KEYS names a source that failed (HTTPError)"),
        ("babbles", "ENCRYPTION_KEYS entry 1 has no key id of letters, digits, - or _ before the colon"),
        ("hangs", "ENCRYPTION_KEYS names a source that did not answer within 1 seconds"),
    ],
)
def test_a_service_that_gives_no_ring_stops_the_start_with_one_sentence(environment, service, tmp_path, mood, sentence):
    service.mood = mood
    if mood == "hangs":
        (tmp_path / "sitecustomize.py").write_text(LESS_PATIENCE)
        environment |= {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = start(environment)
    assert done.returncode == 78 and sentence in done.stderr and "canary" not in done.stderr and TOKEN not in done.stderr


def test_another_machine_gets_nothing(environment):
    assert start(environment | {"KMS_TOKEN": "stolen"}).returncode == 78


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return b'canary'", "returned bytes, not text"),
        ("return None", "returned NoneType, not text"),
        ("raise SystemExit('canary')", r"failed \(SystemExit\)"),
        ("import time; time.sleep(30)", "did not answer within 0 seconds"),
    ],
)
def test_whatever_a_source_does_is_one_sentence_without_a_value(tmp_path, monkeypatch, body, sentence):
    name, patience = f"source_{secrets.token_hex(4)}", 0.3 if "sleep" in body else 60
    (tmp_path / f"{name}.py").write_text(f"def fetch():\n    {body}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(KeySourceFailed, match=sentence) as caught:
        ask_key_source(f"source:{name}.fetch", patience=patience)
    assert "canary" not in str(caught.value) and caught.value.__cause__ is None


def test_a_source_that_is_not_there_is_named_by_its_error():
    for text in ("source:nowhere.at.all", "source:", "source:json.no_such_function"):
        with pytest.raises(KeySourceFailed, match=r"failed \((ModuleNotFound|Value|Attribute)Error\)"):
            ask_key_source(text)
