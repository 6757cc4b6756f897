"""Secrets of a development instance: random, made once, kept in files of mode 0600 under `.data/`. Never in production."""

import base64
import os
import secrets
from contextlib import suppress
from pathlib import Path

STATE = Path(os.environ.get("AAPERTURE_STATE", Path(__file__).resolve().parent.parent.parent / ".data"))


def _fresh(name: str) -> str:
    if name == "ENCRYPTION_KEYS":
        return "dev1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(48)


def local_secret(name: str) -> str:
    """The secret kept for `name`, made on first use; two processes starting together agree on one."""
    path = STATE / "secrets" / name.lower()
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_fresh(name))
    with suppress(FileExistsError):  # another process was first: its secret counts
        os.link(draft, path)
    draft.unlink()
    return path.read_text()
