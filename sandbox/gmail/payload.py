"""A raw mail as Gmail's payload tree: headers, text bodies inline, everything else behind an attachmentId."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from email.message import Message
from functools import cached_property
from typing import Any

from sandbox.gmail.headers import all_headers, readable

LARGEST_INLINE = 256 * 1024  # longer text bodies have to be fetched as attachments
WHAT_PEOPLE_MEAN = {"iso-8859-1": "windows-1252", "latin-1": "windows-1252"}  # as browsers read it
SCRIPTS = re.compile(r"(?is)<(script|style|head)\b.*?</\1\s*>|<!--.*?-->")
TAGS = re.compile(r"(?s)<[^>]*>")
SPACES = re.compile(r"\s+")


class Payload:
    """The parsed form of one mail; `tree` is what the API gives, `attachments` what attachments.get gives."""

    def __init__(self, mail: Message, message_id: str) -> None:
        self.message_id = message_id
        self.attachments: dict[str, bytes] = {}
        self.filenames: list[str] = []
        self.texts: list[tuple[str, str]] = []  # (mime type, decoded text) of the bodies shown
        self.tree = self.part(mail, "")

    def part(self, mail: Message, part_id: str) -> dict[str, Any]:
        mime = mail.get_content_type()
        tree: dict[str, Any] = {
            "partId": part_id,
            "mimeType": mime,
            "filename": filename(mail),
            "headers": all_headers(mail),
        }
        nested = mail.get_payload() if mail.is_multipart() else []
        children = [child for child in nested if isinstance(child, Message)]
        if mime == "message/rfc822":
            tree["filename"] = tree["filename"] or "noname.eml"
            data = b"".join(child.as_bytes() for child in children)
            tree["body"] = self.attachment(part_id, data, tree["filename"])
        elif children:
            tree["body"] = {"size": 0}
        else:
            tree["body"] = self.body(mail, part_id, mime, tree["filename"])
        if children:
            dot = f"{part_id}." if part_id else ""
            tree["parts"] = [self.part(child, f"{dot}{number}") for number, child in enumerate(children)]
        return tree

    def body(self, mail: Message, part_id: str, mime: str, name: str) -> dict[str, Any]:
        content = decoded_content(mail)
        if name or not (mime.startswith("text/") or (mime == "application/octet-stream" and not part_id)):
            return self.attachment(part_id, content, name)
        text, data = as_utf8(content, mail)
        if mime in ("text/plain", "text/html"):
            self.texts.append((mime, text))
        if len(data) > LARGEST_INLINE:
            return self.attachment(part_id, data, "")
        if not data:
            return {"size": 0}
        return {"size": len(data), "data": base64.urlsafe_b64encode(data).decode()}

    def attachment(self, part_id: str, data: bytes, name: str) -> dict[str, Any]:
        if name:
            self.filenames.append(name)
        digest = hashlib.sha256(f"{self.message_id}/{part_id}".encode()).digest()
        key = "ANGjdJ" + base64.urlsafe_b64encode(digest * 3).decode().rstrip("=")
        self.attachments[key] = data
        return {"attachmentId": key, "size": len(data)}

    @cached_property
    def text(self) -> str:
        """Every word of the bodies, HTML rendered roughly, for the search index and the snippet."""
        plain = [text for mime, text in self.texts if mime == "text/plain" and text.strip()]
        rendered = [strip_tags(text) for mime, text in self.texts if mime == "text/html"]
        return SPACES.sub(" ", " ".join(plain or rendered)).strip()

    @property
    def readable(self) -> str:
        """The text for people: the plain part, else the HTML's words, line by line."""
        plain = [text for mime, text in self.texts if mime == "text/plain" and text.strip()]
        html_lines = (" ".join(line.split()) for mime, text in self.texts for line in strip_tags(text).splitlines())
        return "\n\n".join(plain) or "\n".join(line for line in html_lines if line)

    @cached_property
    def searchable(self) -> str:
        return " ".join(text if mime == "text/plain" else strip_tags(text) for mime, text in self.texts)

    @property
    def snippet(self) -> str:
        text = self.text
        if len(text) > 200:
            text = text[:200].rpartition(" ")[0] or text[:200]
        return html.escape(text).replace("&#x27;", "&#39;")


def strip_tags(text: str) -> str:
    return html.unescape(TAGS.sub(" ", SCRIPTS.sub(" ", text)))


def filename(mail: Message) -> str:
    try:
        return readable(mail.get_filename() or "")
    except (LookupError, ValueError, TypeError):
        return ""


def decoded_content(mail: Message) -> bytes:
    try:
        content = mail.get_payload(decode=True)
    except (LookupError, ValueError):
        content = None
    return content if isinstance(content, bytes) else b""


def as_utf8(content: bytes, mail: Message) -> tuple[str, bytes]:
    """Gmail hands text over in UTF-8 whatever the header says, and leaves bytes alone that it cannot read."""
    try:
        charset = mail.get_content_charset() or "utf-8"
        text = content.decode(WHAT_PEOPLE_MEAN.get(charset, charset))
    except (LookupError, ValueError, TypeError):
        return content.decode("utf-8", "replace"), content
    return text, text.encode("utf-8", "replace")
