"""Mail headers as Gmail shows them: unfolded, encoded words decoded, never an exception."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from email.message import Message

ENCODED_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
GAP = re.compile(r"(\?=)[ \t]+(?==\?)")
NEWLINE = re.compile(r"[\r\n]+")


def all_headers(part: Message) -> list[dict[str, str]]:
    return [{"name": name, "value": readable(str(value))} for name, value in part.raw_items()]


def header(part: Message, name: str) -> str:
    name = name.lower()
    return next((readable(str(value)) for key, value in part.raw_items() if key.lower() == name), "")


def readable(value: str) -> str:
    value = NEWLINE.sub("", value)
    if not value.isascii():
        value = raw_bytes_to_text(value)
    if "=?" in value:
        value = decode_words(value)
    return value.strip()


def raw_bytes_to_text(value: str) -> str:
    """Undo the email package's surrogates: 8-bit headers are UTF-8 where they can be, else Latin-1."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decode_words(value: str) -> str:
    """Decode RFC 2047; adjacent words of one charset are joined first, since some mailers cut within a character."""
    out: list[str] = []
    pending = b""
    charset = ""
    end = 0
    value = GAP.sub(r"\1", value)
    for word in ENCODED_WORD.finditer(value):
        name = word[1].partition("*")[0].lower()
        if pending and (word.start() != end or name != charset):
            out.append(to_text(pending, charset))
            pending = b""
        if word.start() != end:
            out.append(value[end : word.start()])
        pending += word_bytes(word[2].lower(), word[3])
        charset, end = name, word.end()
    out.append(to_text(pending, charset) if pending else "")
    return "".join(out) + value[end:]


def word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("ascii", "replace")
    if encoding == "q":
        return quopri.decodestring(data, header=True)
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return data


def to_text(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
