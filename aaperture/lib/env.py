"""Reads configuration from environment variables, or from the file that `NAME_FILE` names (Docker secrets).

Every fault is collected by name, never by value, so that an operator sees all of them at once.
"""

import base64
import binascii
import math
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

EXAMPLE = re.compile(r"change[-_ ]?me|example|insecure|placeholder|your[-_ ]|^secret$|^password$|^test$|^x+$|^0+$", re.IGNORECASE)

EX_CONFIG = 78
SOURCE = "source:"  # before the function of a key-management service
KEY_SOURCE_PATIENCE = 10.0  # seconds


class Env:
    """The environment of one process; `faults` maps a variable's name to what is wrong with it."""

    def __init__(self, source: Mapping[str, str] = os.environ) -> None:
        self.source = source
        self.faults: dict[str, str] = {}

    def fault(self, name: str, sentence: str) -> None:
        self.faults.setdefault(name, sentence)

    def text(self, name: str, default: str = "") -> str:
        """The value of `name`, else the contents of the file named by `NAME_FILE`, else `default`."""
        if value := self.source.get(name, ""):
            return value
        path = self.source.get(f"{name}_FILE", "")
        if not path:
            return default
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.fault(f"{name}_FILE", "names a file that cannot be read")
            return default

    def source_of(self, name: str) -> tuple[str, str]:
        """(variable, where its value comes from: environment, file, key service, or instance when it is not configured)."""
        if value := self.source.get(name, ""):
            return name, "key service" if value.startswith(SOURCE) else "environment"
        if self.source.get(f"{name}_FILE", ""):
            return f"{name}_FILE", "file"
        return name, "instance"

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name).lower()
        if value in {"", "0", "1", "true", "false", "yes", "no", "on", "off"}:
            return value in {"1", "true", "yes", "on"} if value else default
        self.fault(name, "must be true or false")
        return default

    def days(self, name: str, default: int, *, least: int = 1) -> int:
        value = self.text(name) or str(default)
        if value.isdecimal() and int(value) >= least:
            return int(value)
        self.fault(name, f"must be a number of days, at least {least}")
        return default

    def words(self, name: str, default: str = "", *, allowed: frozenset[str] | None = None) -> list[str]:
        """A comma-separated list; with `allowed`, anything else is a fault."""
        words = [word.strip() for word in self.text(name, default).split(",") if word.strip()]
        if allowed is not None and not allowed.issuperset(words):
            self.fault(name, f"may only list {', '.join(sorted(allowed))}")
        return words

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            self.fault(name, f"must be one of {', '.join(choices)}")
            return default
        return value

    def refuse_to_start_if_wrong(self) -> None:
        """Print every fault, by name and never by value, and exit with EX_CONFIG."""
        if self.faults:
            lines = [f"  {name} {sentence}" for name, sentence in sorted(self.faults.items())]
            sys.stderr.write("\n".join(["Aaperture cannot start; please correct:", *lines, ""]))
            raise SystemExit(EX_CONFIG)


def weak_secret(value: str, *, least: int = 32) -> str:
    """Why `value` may not be a secret in production, or an empty string."""
    if not value:
        return "is missing"
    if EXAMPLE.search(value):
        return "still has an example value"
    if len(value) < least:
        return f"must have at least {least} characters"
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return "is too regular to be random" if entropy < 3 else ""


class KeySourceFailed(Exception):
    """A key-management service gave no ring. The text says why and holds nothing of what the source said."""


def ask_key_source(text: str, *, patience: float = KEY_SOURCE_PATIENCE) -> str:
    """The key ring's text, asked of a key-management service where `text` is `source:package.module.function`.

    The function takes nothing and returns the ring as `ENCRYPTION_KEYS` would hold it; otherwise `text` is the ring itself.
    Raises KeySourceFailed when it fails, returns no text, or does not answer within `patience` seconds.
    """
    if not text.startswith(SOURCE):
        return text
    module, _, function = text.removeprefix(SOURCE).strip().rpartition(".")
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(getattr(import_module(module), function)())
        except BaseException as error:  # noqa: BLE001 - whatever it raises may name the key
            answers.append(KeySourceFailed(f"failed ({type(error).__name__})"))

    asking = threading.Thread(target=ask, daemon=True)  # so that a start waits no longer, whatever it waits for
    asking.start()
    asking.join(patience)
    answer = answers[0] if answers else KeySourceFailed(f"did not answer within {patience:.0f} seconds")
    if isinstance(answer, KeySourceFailed):
        raise answer
    if not isinstance(answer, str):
        raise KeySourceFailed(f"returned {type(answer).__name__}, not text")
    return answer


def parse_key_ring(text: str) -> tuple[list[tuple[str, bytes]], str]:
    """Parse `kid:base64-of-32-bytes[,older…]`; returns the keys, newest first, and a fault (never a value)."""
    keys: list[tuple[str, bytes]] = []
    for position, part in enumerate(filter(None, (p.strip() for p in text.split(","))), start=1):
        kid, _, encoded = part.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", kid):
            return [], f"entry {position} has no key id of letters, digits, - or _ before the colon"
        try:
            key = base64.b64decode(encoded, validate=True, altchars=b"-_" if set(encoded) & set("-_") else None)
        except (binascii.Error, ValueError):
            return [], f"entry {position} is not base64"
        if len(key) != 32:
            return [], f"entry {position} must be exactly 32 bytes"
        if len(set(key)) < 8:
            return [], f"entry {position} is not random"
        keys.append((kid, key))
    if not keys:
        return [], "is missing"
    if len({kid for kid, _ in keys}) < len(keys):
        return [], "names one key id twice"
    return keys, ""
