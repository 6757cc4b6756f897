"""Gmail's search language.

Terms stand side by side (AND); `OR`, `|` and braces mean either and bind closer than AND; `-` negates a term or a
group; an operator may hold a group: `subject:(offre OR devis)`. Matching is by whole words, in any case and accent.
Like Gmail, a malformed query finds something or nothing but is never an error.
"""

from __future__ import annotations

import calendar
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WORD = re.compile(r"\w+")
TOKEN = re.compile(r'\s*(?:([(){}|])|([-+])(?=\S)|([A-Za-z0-9_]+):(?=[^\s)}])|("[^"]*"?)|([^\s(){}|"]+))')
RELATIVE = re.compile(r"(\d+)\s*([hdmy])", re.IGNORECASE)
BYTES = re.compile(r"(\d+)([km]?)b?", re.IGNORECASE)
SIZES = {"": 1, "k": 1024, "m": 1024 * 1024}
HOURS = {"h": 1, "d": 24, "m": 24 * 30, "y": 24 * 365}
MAILBOX_WORDS = {"drafts": "DRAFT", "draft": "DRAFT", "chats": "CHAT", "chat": "CHAT", "bin": "TRASH"}
CATEGORIES = {"primary": "CATEGORY_PERSONAL", "reservations": "CATEGORY_UPDATES", "purchases": "CATEGORY_UPDATES"}
PEOPLE = {"from", "to", "cc", "bcc"}
HIDDEN = re.compile(r"(?i)\b(?:in|label|is):[({\"]*(?:anywhere|spam|trash|bin)\b")


@dataclass(slots=True)
class Entry:
    """What can be asked about a message. Texts are folded words between single spaces, with a space at both ends."""

    sender: str
    to: str
    cc: str
    bcc: str
    subject: str
    list_id: str
    delivered_to: str
    files: str
    text: str
    message_id: str
    has_attachment: bool
    seconds: float
    size: int
    labels: list[str]


Predicate = Callable[[Entry], bool]
FIELDS = {
    "from": "sender",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
    "subject": "subject",
    "list": "list_id",
    "deliveredto": "delivered_to",
    "filename": "files",
}


def compile_query(query: str, user_labels: Mapping[str, str], owner: str = "") -> tuple[Predicate | None, bool]:
    """Return a test for messages (None: everything) and whether the query asks for spam or trash itself.

    `owner` is whom `from:me` means.
    """
    predicate = Parser(query, user_labels, owner).expression(stop="")
    return predicate, bool(HIDDEN.search(query))


def words(text: str) -> str:
    return f" {' '.join(WORD.findall(fold(text)))} "


def fold(text: str) -> str:
    text = text.casefold()
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


class Parser:
    def __init__(self, query: str, user_labels: Mapping[str, str], owner: str) -> None:
        self.user_labels, self.owner = user_labels, owner
        self.tokens = [token for token in map(kind_and_text, TOKEN.finditer(query)) if token[1]]
        self.position = 0

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.position] if self.position < len(self.tokens) else ("end", "")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.position += 1
        return token

    def expression(self, stop: str, field: str = "", any_of: bool = False) -> Predicate | None:
        """Read terms up to the closing bracket: all of them must hold, or one of them between braces."""
        terms: list[Predicate] = []
        while self.peek() != ("end", "") and self.peek() != ("bracket", stop):
            term = self.alternatives(field)
            if term is not None:
                terms.append(term)
        self.next()
        if len(terms) < 2:
            return terms[0] if terms else None
        return either(terms) if any_of else every(terms)

    def alternatives(self, field: str) -> Predicate | None:
        terms = [self.term(field)]
        while is_or(self.peek()):
            self.next()
            terms.append(self.term(field))
        known = [term for term in terms if term is not None]
        if len(known) < 2:
            return known[0] if known else None
        return either(known)

    def term(self, field: str) -> Predicate | None:
        kind, text = self.next()
        if kind == "sign":
            term = self.term(field)
            return negated(term) if text == "-" and term is not None else term
        if kind == "operator":
            if text.lower() not in OPERATORS:
                following = self.next()[1] if self.peek()[0] in ("word", "phrase") else ""
                return phrase(field, f"{text} {following}")
            return self.term(text.lower())
        if kind == "bracket":
            if text in "({":
                return self.expression(stop=")" if text == "(" else "}", field=field, any_of=text == "{")
            return None
        if kind == "end" or (kind == "word" and text in ("AND", "OR")):
            return None
        return self.leaf(field, text)

    def leaf(self, field: str, text: str) -> Predicate | None:
        text = text.strip('"')
        if field in PEOPLE and text.lower() == "me":
            return phrase(field, self.owner)
        if not field or field in FIELDS:
            return phrase(field, text)
        if field == "rfc822msgid":
            wanted = text.strip("<>")
            return lambda entry: entry.message_id == wanted
        if field in ("in", "is", "label", "category"):
            return self.label(field, text)
        if field == "has":
            return has(text)
        if field in ("larger", "smaller", "size", "larger_than", "smaller_than"):
            return size(field, text)
        return moment(field, text)

    def label(self, field: str, text: str) -> Predicate:
        name = text.lower()
        if field == "in" and name in ("anywhere", "all"):
            return lambda entry: True
        if field == "is" and name == "read":
            return lambda entry: "UNREAD" not in entry.labels
        if field == "category":
            wanted = CATEGORIES.get(name, f"CATEGORY_{name.upper()}")
        else:
            plain = name.replace(" ", "-").replace("/", "-")
            own = (key for key, label in self.user_labels.items() if plain == re.sub(r"[ /]", "-", label.lower()))
            wanted = next(own, MAILBOX_WORDS.get(name, name.upper()))
        return lambda entry: wanted in entry.labels


def kind_and_text(match: re.Match[str]) -> tuple[str, str]:
    kinds = ("bracket", "sign", "operator", "phrase", "word")
    index = match.lastindex or 1
    text = match[index]
    return ("or", "OR") if text == "|" else (kinds[index - 1], text)


def is_or(token: tuple[str, str]) -> bool:
    return token in (("or", "OR"), ("word", "OR"))


def every(terms: list[Predicate]) -> Predicate:
    return lambda entry: all(term(entry) for term in terms)


def either(terms: list[Predicate]) -> Predicate:
    return lambda entry: any(term(entry) for term in terms)


def negated(term: Predicate) -> Predicate:
    return lambda entry: not term(entry)


def phrase(field: str, text: str) -> Predicate | None:
    """Words in a row, within one header or (`field` empty) anywhere."""
    wanted = words(text)
    if not wanted.strip():
        return None
    if not field:
        return lambda entry: wanted in entry.text
    attribute = FIELDS[field]
    return lambda entry: wanted in getattr(entry, attribute)


def has(text: str) -> Predicate:
    if text.lower() == "attachment":
        return lambda entry: entry.has_attachment
    if text.lower() == "userlabels":
        return lambda entry: any(label.startswith("Label_") for label in entry.labels)
    if text.lower() == "nouserlabels":
        return lambda entry: not any(label.startswith("Label_") for label in entry.labels)
    return lambda entry: False


def size(field: str, text: str) -> Predicate | None:
    match = BYTES.fullmatch(text)
    if match is None:
        return None
    limit = int(match[1]) * SIZES[match[2].lower()]
    if field.startswith("smaller"):
        return lambda entry: entry.size < limit
    return lambda entry: entry.size > limit


def moment(field: str, text: str) -> Predicate | None:
    if field in ("newer_than", "older_than"):
        match = RELATIVE.fullmatch(text)
        if match is None:
            return None
        limit: float | None = time.time() - int(match[1]) * HOURS[match[2].lower()] * 3600
    else:
        limit = seconds(text)
    if limit is None:
        return None
    if field in ("after", "newer", "newer_than"):
        return lambda entry: entry.seconds >= limit
    return lambda entry: entry.seconds < limit


def seconds(text: str) -> float | None:
    """Read epoch seconds or YYYY/MM/DD, whose day begins at midnight in California, as Gmail's API documents."""
    if text.isdigit():
        return float(text)
    numbers = re.fullmatch(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})", text)
    if numbers is None:
        return None
    year, month, day = map(int, numbers.groups())
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return datetime(year, month, day, tzinfo=pacific()).timestamp()


def pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return timezone(timedelta(hours=-8))


OPERATORS = {
    *FIELDS, "rfc822msgid", "in", "is", "label", "category", "has", "larger", "smaller", "size", "larger_than",
    "smaller_than", "after", "before", "newer", "older", "newer_than", "older_than",
}  # fmt: skip
