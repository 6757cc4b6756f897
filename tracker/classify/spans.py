"""The places of a mail where names stand (sender, subject, lines, signature, quoted text), cut into words."""

# ruff: noqa: E501 - patterns read better in one piece

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from tracker.classify.evidence import Reading
from tracker.classify.normalise import fold

TABLE = Path(__file__).parent / "tables" / "name_words.txt"
HEADING = re.compile(r"^\[([a-z ]+)\]")
MAX_TEXT, MAX_QUOTED, MAX_SIGNATURE, MAX_FOOTER, MAX_SUBJECT, MAX_WHOLE = 1_600, 1_200, 500, 900, 250, 20_000
WORD = re.compile(r"[dljnscmtDLJNSCMT]['’](?=\w)|\w+(?:['’.&+/-]\w+)*[+#]?|\n|[^\s\w]")
HYPHENS = {"-", "–", "—", "•", "|", "·"}
FORM = re.compile(
    r"\s*[\[(]?\b(?:h\s?/\s?f(?:\s?/\s?[xn])?|f\s?/\s?h(?:\s?/\s?[xn])?|m\s?/\s?[fw](?:\s?/\s?[dx])?|f\s?/\s?m(?:\s?/\s?[dx])?|all genders)\b[\])]?",
    re.IGNORECASE,
)
ANSWER = re.compile(r"^(?:\s*(?:re|tr|fwd?|fw|aw)\s?:)+\s*", re.IGNORECASE)
NOT_IN_KEYS = re.compile(r"[^a-z0-9]")


class Word(NamedTuple):
    text: str
    low: str
    is_word: bool
    is_capital: bool
    start: int
    end: int


class Line(NamedTuple):
    """A line (or paragraph) of one place, as words."""

    place: str  # display, subject, body, signature, quoted
    number: int  # from the first; of a signature, from the closing
    text: str
    words: tuple[Word, ...]

    def cut(self, start: int, stop: int) -> str:
        return self.text[self.words[start].start : self.words[stop - 1].end]


@lru_cache(maxsize=20_000)
def _seen(text: str) -> tuple[str, str, bool, bool]:
    return text, fold(text) or "?", text[0].isalnum(), text[0].isdigit() or any(letter.isupper() for letter in text)


def words_of(text: str) -> tuple[Word, ...]:
    return tuple([Word(*_seen(found.group()), *found.span()) for found in WORD.finditer(text)])


def lows_of(text: str) -> tuple[str, ...]:
    """The folded words of a name, signs left out."""
    return tuple([low.strip("'’") for _, low, is_word, _ in map(_seen, WORD.findall(text)) if is_word])


@lru_cache(maxsize=20_000)
def key_of(name: str) -> str:
    """Letters and digits only: how two spellings are compared."""
    return NOT_IN_KEYS.sub("", fold(name))


@cache
def _sections() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    words: set[str] = set()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if heading := HEADING.match(line):
            words = found.setdefault(heading.group(1), set())
        elif not line.startswith("#"):
            words.update(line.split())
    return {name: frozenset(words) for name, words in found.items()}


def words_in(section: str) -> frozenset[str]:
    """The folded words of a section of `tables/name_words.txt`."""
    return _sections()[section]


def _joined(text: str) -> list[str]:
    """Lines, those that were only wrapped joined again."""
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.strip().lstrip("> ")
        is_open = bool(lines) and len(lines[-1]) > 50 and lines[-1][-1] not in ".!?:;" if lines and lines[-1] else False
        if line and is_open and line[0] not in "-*•":
            lines[-1] += " " + line
        else:
            lines.append(line)
    return [line for line in lines if line]


def _without_form(text: str) -> str:
    """Without "(m/f)" and the like."""
    return FORM.sub("", text) if "/" in text or "all genders" in text.lower() else text


def _lines(place: str, text: str, most: int) -> Iterator[Line]:
    for number, line in enumerate(_joined(_without_form(text[:most]))):
        if len(line) > 1:
            yield Line(place, number, line, words_of(line))


def lines_of(reading: Reading) -> list[Line]:
    """Every line a name may stand in, the subject first; the sender's display name is read apart."""
    pieces = reading.cut
    subject = _without_form(ANSWER.sub("", reading.mail.subject[:MAX_SUBJECT]))
    found = [Line("subject", 0, subject, words_of(subject))] if subject else []
    found += _lines("body", pieces.text, MAX_TEXT)
    found += [
        Line("signature", number, line.strip(), words_of(line.strip()))
        for number, line in enumerate([line for line in pieces.signature[:MAX_SIGNATURE].split("\n") if line.strip()])
    ]
    found += _lines("quoted", pieces.quoted, MAX_QUOTED)
    known = {line.strip() for piece in (pieces.text, pieces.signature, pieces.quoted) for line in piece.split("\n")}
    footer = [line for line in reading.mail.text[:MAX_WHOLE].split("\n") if line.strip() not in known]
    return found + list(_lines("footer", "\n".join(footer), MAX_FOOTER))
