"""Strict JSON: bounded, unambiguous, and every fault named in a 400."""

import json
import math
import re
from typing import Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MOST_BYTES = 1_000_000
MOST_DEPTH, MOST_CHARACTERS, MOST_ITEMS = 10, 10_000, 10_000
# strings in one bite (an unended one too, or a hostile body would be scanned anew from every quote), else brackets
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


class TooLarge(APIException):
    """413: the body is longer than `MOST_BYTES`."""

    status_code = 413
    default_detail = "The body is larger than 1,000,000 bytes."
    default_code = "too_large"


def refuse(code: str, sentence: str) -> NoReturn:
    raise ParseError(sentence, code=code)


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The body's value. Raises TooLarge, and ParseError that says what is wrong."""
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLarge
        value = parse(body)
        if parser_context:
            parser_context["request"]._request.json_input = value  # `audit.middleware` looks at it once the view has ended
        return value


def parse(body: bytes) -> Any:
    """The value in `body` (UTF-8 without a byte-order mark). Raises ParseError."""
    _check_depth(body)
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_constant, parse_float=_number)
    except UnicodeDecodeError:
        refuse("not_utf8", "The body is not UTF-8.")
    except ParseError:
        raise
    except ValueError:  # JSONDecodeError too; its text quotes the body
        refuse("not_json", "The body is not valid JSON.")
    _check(value)
    return value


def _check_depth(body: bytes) -> None:
    """Before the parser recurses: CPython's gives up at some thousand levels with an error of the server."""
    depth = 0
    for match in TOKENS.finditer(body):
        first = match[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MOST_DEPTH:
                refuse("too_deep", "The JSON is nested deeper than 10 levels.")
        elif first in b"]}":
            depth -= 1


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        refuse("duplicate_key", "An object holds the same key twice.")
    return found


def _constant(_name: str) -> NoReturn:
    refuse("not_a_number", "NaN and Infinity are not JSON.")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        refuse("not_a_number", "A number is out of range.")
    return value


def _check(value: Any) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, list | dict):
        if len(value) > MOST_ITEMS:
            refuse("too_many_items", "An array or object has more than 10,000 items.")
        for item in value:
            _check(item)
        for item in value.values() if isinstance(value, dict) else ():
            _check(item)


def check_text(text: str) -> None:
    """Refuses what PostgreSQL cannot store or nobody needs."""
    if len(text) > MOST_CHARACTERS:
        refuse("string_too_long", "A string is longer than 10,000 characters.")
    if NOT_TEXT.search(text):
        refuse("not_text", "A string holds a NUL or half of a surrogate pair.")
