"""Takes secrets and personal data out of whatever is about to be logged."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "[redacted]"
SECRET_KEY = re.compile(
    r"authorization|cookie|token|secret|password|passwd|otp|api[-_]?key|signing|private|credential|dsn|session[-_]?id|"
    r"code_verifier|id_token|encryption|signature",
    re.IGNORECASE,
)
SECRET_VALUE = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.?[\w-]*"  # JWT
    r"|\b(?:sk|rk|pk)_(?:live|test)_\w+|\bwhsec_\w+|\bAIza[\w-]{10,}|\bya29\.[\w.-]+|\b1//[\w-]{10,}|\bGOCSPX-[\w-]+"
    r"|\baap_(?:live|test)_\w+|\baap1\.[\w.-]+",
)
QUERY_SECRET = re.compile(
    r"([?&](?:code|state|token|key|access_token|refresh_token|id_token|signature|sig|password)=)[^&\s\"']+", re.IGNORECASE
)
URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+@", re.IGNORECASE)
BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
ASSIGNED = re.compile(  # `password=…`, `sessionid=…`, and the text of a dictionary or a JSON object
    r"((?:password|passwd|secret|token|api[-_]?key|code_verifier|session[-_]?id)[\w-]{0,20}(?:=|[\"']\s?:\s?[\"']))"
    r"(?!\[redacted)[^\s\"',;&)}\]]+",
    re.IGNORECASE,
)
EMAIL = re.compile(r"(?<![\w.!#$%*+^~-])([\w.!#$%*+^~-])[\w.!#$%*+^~-]*(?:@|%40)([\w-]+(?:\.[\w-]+)*)", re.IGNORECASE)
DATABASE_DETAIL = re.compile(r"\n(?:LINE \d+|DETAIL|CONTEXT):.*", re.DOTALL)  # PostgreSQL quotes the statement and the failing row
RESET_PATH = re.compile(r"(/accounts/(?:password/reset/key|confirm-email)/|/invitations/|/keep-account/|/p/)[^\s/?\"']+")
RANDOM_PATH = re.compile(  # a part of an address that looks like a token, for links that were mangled on their way; no UUID
    r"(?<=/)(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))(?=[\w-]*[0-9])(?=[\w-]*[a-zA-Z])[\w-]{32,}"
)
PATH = re.compile(r"(?<![\w/.])/(?:home|root|Users|var|tmp|srv|opt|mnt|data|app)(?:/[\w.@+-]+)*/([\w.@+-]+)")
LONGEST = 4000


def redact_text(text: str) -> str:
    """Mask tokens, URL passwords, query secrets, e-mail addresses (`a***@domain`) and folders (`<path>/file`).

    Of a database error only the sentence stays, not the statement or the row it quotes.
    """
    text = DATABASE_DETAIL.sub("", text[:LONGEST])
    text = URL_PASSWORD.sub(rf"\1{MASK}@", text)
    text = QUERY_SECRET.sub(rf"\1{MASK}", text)
    text = BEARER.sub(rf"\1 {MASK}", text)
    text = SECRET_VALUE.sub(MASK, text)
    text = ASSIGNED.sub(rf"\1{MASK}", text)
    text = RANDOM_PATH.sub(MASK, RESET_PATH.sub(rf"\1{MASK}", text))
    text = EMAIL.sub(r"\1***@\2", text)
    return PATH.sub(r"<path>/\1", text)


def redact(value: Any, depth: int = 0) -> Any:
    """The same value with every secret and personal part masked; walks mappings, sequences, bytes and exceptions."""
    if depth > 8:
        return "[deep]"
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(bytes(value))} bytes]"
    if isinstance(value, Mapping):
        return {redact_text(str(key)): MASK if SECRET_KEY.search(str(key)) else redact(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {redact_text(str(value))}"
    return redact_text(str(value))
