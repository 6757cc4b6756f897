"""Partial responses: the `fields` parameter, e.g. `id,payload(headers,parts/body/size)`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sandbox.google_errors import ApiError

Mask = dict[str, "Mask"]  # an empty mask keeps everything below
TOKEN = re.compile(r"[A-Za-z_*]\w*|[(),/]")
KNOWN = {
    "*", "messages", "id", "threadId", "labelIds", "snippet", "historyId", "internalDate", "payload",
    "sizeEstimate", "raw", "partId", "mimeType", "filename", "headers", "name", "value", "body", "attachmentId",
    "size", "data", "parts", "nextPageToken", "resultSizeEstimate", "history", "messagesAdded", "messagesDeleted",
    "labelsAdded", "labelsRemoved", "message", "emailAddress", "messagesTotal", "threadsTotal", "labels", "type",
    "messageListVisibility", "labelListVisibility", "messagesUnread", "threadsUnread", "color", "textColor",
    "backgroundColor", "classificationLabelValues",
}  # fmt: skip


def select(document: Any, fields: str) -> Any:
    """Return the parts of `document` that `fields` names; raises ApiError 400 for a mask that Google would refuse."""
    return keep(document, parse(fields)) if fields and fields != "*" else document


@lru_cache(maxsize=256)
def parse(fields: str) -> Mask:
    tokens = TOKEN.findall(fields)
    if "".join(tokens) != fields.replace(" ", ""):
        raise refused(fields)
    mask: Mask = {}
    if read_list(tokens, 0, mask, fields) != len(tokens):
        raise refused(fields)
    return mask


def read_list(tokens: list[str], at: int, mask: Mask, fields: str) -> int:
    """Read `a,b/c,d(e)` into `mask` and return the position after it."""
    while True:
        at = read_path(tokens, at, mask, fields)
        if at >= len(tokens) or tokens[at] != ",":
            return at
        at += 1


def read_path(tokens: list[str], at: int, mask: Mask, fields: str) -> int:
    if at >= len(tokens) or tokens[at] not in KNOWN:
        raise refused(tokens[at] if at < len(tokens) else fields)
    below = mask.setdefault(tokens[at], {})
    at += 1
    if at < len(tokens) and tokens[at] == "/":
        return read_path(tokens, at + 1, below, fields)
    if at < len(tokens) and tokens[at] == "(":
        at = read_list(tokens, at + 1, below, fields)
        if at >= len(tokens) or tokens[at] != ")":
            raise refused(fields)
        return at + 1
    return at


def keep(value: Any, mask: Mask) -> Any:
    if not mask:
        return value
    if isinstance(value, list):
        return [keep(item, mask) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in mask:
        return {name: keep(item, mask.get(name, mask["*"])) for name, item in value.items()}
    return {name: keep(item, mask[name]) for name, item in value.items() if name in mask}


def refused(field: str) -> ApiError:
    return ApiError(400, f"Invalid field selection {field}", reason="invalidParameter")
