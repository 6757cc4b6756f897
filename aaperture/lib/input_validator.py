"""What looks like an attack in what people send: a signal for the security log, never the defence.

The defences are bound parameters, autoescaping and nh3; a name such as "O'Reilly; DROP" is stored as it was typed.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email as check_email

from aaperture.lib.composed import composed
from aaperture.lib.redaction import SECRET_KEY

LONGEST = 10_000
# a quote or a number that ends a value, followed by what only SQL says; words alone are people's
SQL = re.compile(
    r"['\"`)]\s*(?:;|\bor\b|\band\b|\bunion\b|\bhaving\b|\|\|)\s*.{0,40}?(?:=|<|>|\blike\b|\bselect\b|\bdrop\b|\bsleep\b|--|/\*)"
    r"|\bunion\b(?:\s|/\*.{0,20}?\*/)+(?:all\s+)?select\b"
    r"|;\s*(?:(?:drop|truncate|alter)\s+(?:table|database|schema|role|user)|delete\s+from|insert\s+into|update\s+\w+\s+set)\b"
    r"|\b(?:or|and)\s+(['\"]?)(\w{1,10})\1\s*=\s*\1\2\b"
    r"|\b(?:pg_sleep|waitfor\s+delay|benchmark|xp_cmdshell|information_schema)\b",
    re.IGNORECASE | re.DOTALL,
)
XSS = re.compile(
    r"<\s*/?\s*(?:script|iframe|object|embed|svg|math|base|meta|link|style|form)\b"
    r"|<[a-z][^<>]{0,300}\bon[a-z]{3,20}\s*="
    r"|\b(?:javascript|vbscript)\s*:|\bdata\s*:\s*text/html|\bexpression\s*\(|\bsrcdoc\s*=",
    re.IGNORECASE,
)
SUSPECT = re.compile(r"['\"`<;(=:]|\b(?:union|or|and|waitfor|pg_|info)", re.IGNORECASE)  # without one of these neither can match


class InputValidator:
    """The four checks by the names that the security plan gives them."""

    @staticmethod
    def validate_email(text: str) -> str:
        """The address, trimmed. Raises ValidationError."""
        trimmed = text.strip()
        check_email(trimmed)
        return trimmed

    @staticmethod
    def sanitize_string(text: str, longest: int = LONGEST) -> str:
        """The same words without control characters (new lines and tabs stay), composed, trimmed. Raises ValidationError if too long."""
        kept = "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in {"Cc", "Cs"})
        whole = composed(kept).strip()
        if len(whole) > longest:
            raise ValidationError("too long", code="max_length")
        return whole

    @staticmethod
    def check_sql_injection(text: str) -> bool:
        """Whether this looks like an attempt to change a statement."""
        return bool(SUSPECT.search(text) and SQL.search(text[:LONGEST]))

    @staticmethod
    def check_xss(text: str) -> bool:
        """Whether this looks like an attempt to bring in a script."""
        return bool(SUSPECT.search(text) and XSS.search(text[:LONGEST]))


def suspicion(fields: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The first field whose value looks like an attack, and as what ("sql", "xss"); passwords and tokens are never looked at."""
    for name, value in fields:
        if SECRET_KEY.search(name):
            continue
        if InputValidator.check_sql_injection(value):
            return name, "sql"
        if InputValidator.check_xss(value):
            return name, "xss"
    return None


def texts_in(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, by the name of the member that holds it."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts_in(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item, name)
