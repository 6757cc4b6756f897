"""One parser for every mail: raw bytes (RFC 5322) or a Gmail API resource in, `Mail` out.

Written for mail as it arrives: any charset, damaged encodings, broken nesting. It is iterative and bounded
(depth, parts, bytes), so no mail can exhaust the stack, the memory or the clock.
"""

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aaperture.lib.charsets import decode
from aaperture.lib.header_text import address_list, decode_header, parameter
from aaperture.lib.html_text import MAX_TEXT, html_to_text, tidy

MAX_MAIL = 40_000_000
MAX_HEAD = 256_000
MAX_HEADERS = 400
MAX_HEADER = 20_000
MAX_BODY = 600_000  # bytes of one text part that are looked at
MAX_PARTS = 100
MAX_DEPTH = 20

FIELD = re.compile(rb"([!-9;-~]{1,80})[ \t]*:(.*)", re.DOTALL)
KNOWN = {"from", "to", "subject", "date", "received", "message-id", "content-type", "mime-version", "return-path"}
FOLD = re.compile(rb"\n(?=[ \t])")
NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
CALENDAR_FIELD = re.compile(r"^(METHOD|SUMMARY|DTSTART|DTEND|LOCATION|STATUS|DESCRIPTION)(?:;[^:\n]{0,200})?:(.*)$", re.MULTILINE)
PLACEHOLDER = re.compile(
    r"(?i)\b(html|browser|view this (e-?mail|message)|afficher (cet|ce)|navigateur|does not support|ne supporte pas)\b"
)


class UnreadableMail(ValueError):
    """The bytes are not a mail: nothing in them can be shown or classified."""


@dataclass(frozen=True)
class Mail:
    """What is known of a message; `headers` has lower-case names and the first value of each.

    Beside the real headers: `x-calendar-method|summary|dtstart|location` of an invitation and
    `x-attachment-names` (separated by "; ").
    """

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    headers: Mapping[str, str]
    sent_by_owner: bool = False


@dataclass
class _Part:
    headers: dict[str, str]
    content_type: str
    body: bytes = b""  # transfer-decoded for leaves of a Gmail resource, raw otherwise
    encoded: bool = True
    children: list["_Part"] = field(default_factory=list)

    @property
    def filename(self) -> str:
        name = parameter(self.headers.get("content-disposition", ""), "filename")
        return name or parameter(self.headers.get("content-type", ""), "name")

    @property
    def is_attachment(self) -> bool:
        return self.headers.get("content-disposition", "").strip().lower().startswith("attachment")


def _media_type(value: str, default: str) -> str:
    found = re.match(r"\s*([\w.+-]{1,80}/[\w.+-]{1,80})", value)
    return found.group(1).lower() if found else default


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in FOLD.sub(b"", head).split(b"\n")[:MAX_HEADERS]:
        found = FIELD.match(line)
        if found:
            headers.setdefault(found.group(1).decode("ascii").lower(), decode(found.group(2)[:MAX_HEADER]).strip())
    return headers


def _split(raw: bytes) -> tuple[bytes, bytes]:
    if raw.startswith(b"\n"):
        return b"", raw[1:]
    head, _, body = raw.partition(b"\n\n")
    return head[:MAX_HEAD], body


def _parse_part(raw: bytes, default: str = "text/plain") -> _Part:
    head, body = _split(raw)
    headers = _headers(head)
    return _Part(headers, _media_type(headers.get("content-type", ""), default), body)


def _sections(body: bytes, boundary: str) -> list[bytes]:
    """The sections between `--boundary` lines; the last may be unterminated."""
    mark = re.compile(rb"(?:^|\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\n|$)")
    sections: list[bytes] = []
    start = None
    for found in mark.finditer(body):
        if start is not None:
            sections.append(body[start : found.start()])
        start = None if found.group(1) else found.end() + 1
        if start is None or len(sections) >= MAX_PARTS:
            return sections
    if start is not None:
        sections.append(body[start:])
    return sections


def _expand(root: _Part) -> None:
    """Open multiparts and attached messages, breadth first, within the limits."""
    waiting, parts = [(root, 0)], 1
    while waiting:
        part, depth = waiting.pop(0)
        if depth >= MAX_DEPTH or parts >= MAX_PARTS:
            continue
        if part.content_type.startswith("multipart/"):
            boundary = parameter(part.headers.get("content-type", ""), "boundary")
            default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
            part.children = [_parse_part(raw, default) for raw in _sections(part.body, boundary)] if boundary else []
            if not part.children:  # a multipart without parts is text all the same
                part.content_type = "text/plain"
        elif part.content_type == "message/rfc822":
            part.children = [_parse_part(_transfer_decoded(part).lstrip(b"\n"))]
        parts += len(part.children)
        waiting.extend((child, depth + 1) for child in part.children)


def _base64(data: bytes) -> bytes:
    data = NOT_BASE64.sub(b"", data.partition(b"=")[0] if b"=" in data[-4:] else data)
    data = data[: len(data) - 1] if len(data) % 4 == 1 else data
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return b""


def _transfer_decoded(part: _Part) -> bytes:
    data = part.body[: MAX_BODY * 3]
    if not part.encoded:
        return data
    encoding = part.headers.get("content-transfer-encoding", "").strip().lower()
    if encoding.startswith("base64"):
        return _base64(data.rstrip())
    if encoding.startswith("quoted"):
        return binascii.a2b_qp(data)
    return data


def _unflow(text: str, content_type: str) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676)."""
    if parameter(content_type, "format").lower() != "flowed":
        return text
    joiner = "" if parameter(content_type, "delsp").lower() == "yes" else " "
    out: list[str] = []  # pieces, joined once: adding to a growing line would copy it each time
    open_line = False
    for line in text.split("\n"):
        line = line.removeprefix(" ")
        quoted = line.startswith(">")
        if out:
            out.append(joiner if open_line else "")
            if not open_line or quoted or line == "-- ":
                out.append("\n")
        out.append(line.rstrip(" ") if line != "-- " else line)
        open_line = line.endswith(" ") and line != "-- " and not quoted
    return "".join(out)


def _part_text(part: _Part) -> str:
    content_type = part.headers.get("content-type", "")
    data = _transfer_decoded(part)[:MAX_BODY]
    text = decode(data, _charset(part)).replace("\r\n", "\n").replace("\r", "\n")
    if part.content_type in {"text/html", "application/xhtml+xml"}:
        return html_to_text(text)
    if re.match(r"\s*<(!doctype html|html|head|body)\b", text[:400], re.IGNORECASE):
        return html_to_text(text)  # HTML that is called plain text
    return tidy_plain(_unflow(text, content_type))


def tidy_plain(text: str) -> str:
    """Like `tidy`, keeping the "-- " line that starts a signature."""
    return tidy(re.sub(r"(?m)^--[ \t]*$", "--\ue000", text)).replace("--\ue000", "-- ")


def _calendar(text: str) -> dict[str, str]:
    text = re.sub(r"\n[ \t]", "", text[:MAX_BODY])
    event = text.find("BEGIN:VEVENT")
    found: dict[str, str] = {}
    for name, value in CALENDAR_FIELD.findall(text[: max(event, 0)] + text[max(event, 0) :][:20_000]):
        value = value.replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";").strip()
        found.setdefault("x-calendar-" + name.lower(), value[:4_000])
    return found


def _choose(part: _Part) -> list[_Part]:
    """The children of a multipart worth reading: one version of an alternative, one letter of a report."""
    if part.content_type == "multipart/report":
        return part.children[:1]
    return part.children


def _alternative(part: _Part, found: "_Found") -> str:
    """Text of a multipart/alternative: the plain version unless it is only a stand-in for the HTML one."""
    plain = rich = ""
    for child in part.children:
        text = _read(child, found)
        if child.content_type == "text/plain":
            plain = plain or text
        else:
            rich = text if len(text) > len(rich) else rich
    if not plain.strip() or (len(plain) < 200 and len(rich) > 2 * len(plain) and PLACEHOLDER.search(plain)):
        return rich or plain
    return rich if len(plain) * 5 < len(rich) and len(plain) < 80 else plain


@dataclass
class _Found:
    calendar: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    budget: int = MAX_TEXT


def _read(part: _Part, found: _Found) -> str:
    """Text of a part; depth is bounded by `_expand`, so this recursion is at most MAX_DEPTH deep."""
    if part.filename:
        found.names.append(part.filename[:120])
    if part.content_type == "text/calendar" or part.filename.lower().endswith(".ics"):
        found.calendar = found.calendar or _calendar(_decoded_text(part))
        return ""
    if part.content_type == "multipart/alternative":
        return _alternative(part, found)
    if part.content_type == "message/rfc822" and part.children:
        inner = part.children[0]
        head = f"From: {decode_header(inner.headers.get('from', ''))}\nSubject: {decode_header(inner.headers.get('subject', ''))}"
        return f"---------- Forwarded message ----------\n{head}\n\n{_read(inner, found)}"
    if part.children:
        texts = [text for child in _choose(part) if (text := _read(child, found))]
        return "\n\n".join(texts)
    if not part.content_type.startswith("text/") or part.is_attachment or found.budget <= 0:
        return ""
    text = _part_text(part)[: found.budget]
    found.budget -= len(text)
    return text


def _charset(part: _Part) -> str:
    """The charset of the bytes: Gmail hands text over in UTF-8 and leaves the header as it was, so there bytes win."""
    declared = parameter(part.headers.get("content-type", ""), "charset")
    if part.encoded or b"\0" in part.body or b"\x1b" in part.body:
        return declared
    try:
        part.body.decode("utf-8")
    except UnicodeDecodeError:
        return declared
    return "utf-8"


def _decoded_text(part: _Part) -> str:
    return decode(_transfer_decoded(part)[:MAX_BODY], _charset(part)).replace("\r\n", "\n")


def _mail(root: _Part, *, sent_by_owner: bool = False) -> Mail:
    found = _Found()
    text = _read(root, found)
    headers = {name: decode_header(value) for name, value in root.headers.items()}
    headers |= {name: value for name, value in found.calendar.items() if name != "x-calendar-description"}
    if found.names:
        headers["x-attachment-names"] = "; ".join(found.names[:20])
    recipients = [*address_list(root.headers.get("to", "")), *address_list(root.headers.get("cc", ""))]
    return Mail(
        sender=headers.get("from", headers.get("sender", "")),
        recipients=tuple(recipients[:100]),
        subject=headers.get("subject", ""),
        text=(text or tidy(found.calendar.get("x-calendar-description", "")))[:MAX_TEXT],
        headers=MappingProxyType(headers),
        sent_by_owner=sent_by_owner,
    )


def mail_from_bytes(raw: bytes) -> Mail:
    """Parse a message of at most 40 MB (the rest is ignored); raises `UnreadableMail` and nothing else."""
    raw = bytes(raw[:MAX_MAIL]).removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    if raw.startswith(b"From ") and b"\n" in raw:  # the separator of an mbox
        raw = raw.split(b"\n", 1)[1]
    root = _parse_part(raw)
    if not KNOWN & root.headers.keys():
        raise UnreadableMail("no header of a mail")
    _expand(root)
    return _mail(root)


def _gmail_headers(items: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("value"), str):
            headers.setdefault(item["name"].lower()[:80], item["value"][:MAX_HEADER])
        if len(headers) >= MAX_HEADERS:
            break
    return headers


def _gmail_part(payload: Mapping[str, Any]) -> _Part:
    headers = _gmail_headers(payload.get("headers"))
    if payload.get("filename") and "content-disposition" not in headers:
        headers["content-disposition"] = f'attachment; filename="{str(payload["filename"])[:200]}"'
    body = payload.get("body")
    data = body.get("data") if isinstance(body, dict) else None
    declared = str(payload.get("mimeType") or headers.get("content-type", ""))
    return _Part(headers, _media_type(declared, "text/plain"), _base64url(data), encoded=False)


def _base64url(data: Any) -> bytes:
    return _base64(data[: MAX_BODY * 4].translate({45: 43, 95: 47}).encode("ascii", "ignore")) if isinstance(data, str) else b""


def _gmail_children(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    parts = payload.get("parts")
    yield from (part for part in (parts if isinstance(parts, list) else []) if isinstance(part, dict))


def mail_from_gmail(message: Mapping[str, Any]) -> Mail:
    """Parse a Gmail API message (`format=full`, or `raw`); raises `UnreadableMail` and nothing else.

    Bodies come as base64url, in UTF-8 whatever their header says (or untouched where Gmail could not read them);
    attachments only as ids, so they are empty.
    """
    labels = message.get("labelIds")
    sent = isinstance(labels, list) and "SENT" in labels
    payload = message.get("payload")
    if not isinstance(payload, dict):
        if not isinstance(message.get("raw"), str):
            raise UnreadableMail("no payload")
        raw = message["raw"][: MAX_MAIL * 2].translate({45: 43, 95: 47}).encode("ascii", "ignore")
        mail = mail_from_bytes(_base64(raw))
        return Mail(mail.sender, mail.recipients, mail.subject, mail.text, mail.headers, sent)
    root = _gmail_part(payload)
    waiting: list[tuple[Mapping[str, Any], _Part, int]] = [(payload, root, 0)]
    parts = 1
    while waiting:
        source, part, depth = waiting.pop(0)
        for child in _gmail_children(source):
            if parts >= MAX_PARTS or depth >= MAX_DEPTH:
                break
            parts += 1
            part.children.append(_gmail_part(child))
            waiting.append((child, part.children[-1], depth + 1))
    if not KNOWN & root.headers.keys():
        raise UnreadableMail("no header of a mail")
    return _mail(root, sent_by_owner=sent)
