"""The phrase tables: weighted phrases as data, compiled to regular expressions when first needed.

A phrase is words between spaces, on normalised text (see `normalise`):

    word        that word                      stem*      a word that begins so
    (a|b c|d*)  one of these                   (a|b)?     or nothing; also word?
    ...         up to six words in between     ..         up to two
    ~ phrase    says it less surely: a third of the weight
    <name>      one of the words listed under that name in words.yaml of the same language

Each phrase is filed under its rarest word, and knows a word of each of its parts, so that a mail only meets the phrases it could contain.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from operator import or_
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from aaperture.lib.once import once

TABLES = Path(__file__).parent / "tables"
GAPS = {"...": r"(?: [^ \n]+){0,6}?", "..": r"(?: [^ \n]+){0,2}?"}
ITEM = re.compile(r"\.{2,3}|<\w+>\??|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\??|[^\s]+")
WEAK = 0.35


class Group(NamedTuple):
    """Phrases that say the same thing. `label` may also be "noise:…", "about:…" or "mood:…"."""

    label: str
    weight: float
    why: str
    place: str = ""  # "subject", "body", or both
    hypothetical: bool = False  # counts in "if you are selected" sentences too


@dataclass(frozen=True)
class Phrase:
    group: Group
    source: str
    words: dict[str, str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when a mail first needs it."""
        return re.compile(regex_of(self.source, self.words))


def _split_bar(text: str) -> list[str]:
    """The alternatives of "a|b (c|d)|e", splitting outside parentheses only."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _alternatives(item: str, words: dict[str, str]) -> list[str]:
    """The choices of an item, each a phrase of its own."""
    if item.startswith("<"):
        return _split_bar(words[item[1:-1]])
    return _split_bar(item[1:-1]) if item.startswith("(") else []


def _items(source: str) -> Iterator[tuple[str, bool]]:
    for item in ITEM.findall(source):
        optional = len(item) > 1 and item.endswith("?")
        yield (item[:-1] if optional else item), optional


def _pattern(source: str, words: dict[str, str]) -> str:
    out = []
    for item, optional in _items(source):
        if item in GAPS:
            out.append(GAPS[item])
        elif item[0] in "<(" and len(item) > 1:
            choice = "|".join(_pattern(part, words) for part in _alternatives(item, words))
            out.append(f"(?:{choice})" + ("?" if optional else ""))
        else:
            word = " " + re.escape(item[:-1]) + "[^ ]*" if item.endswith("*") and len(item) > 1 else " " + re.escape(item)
            out.append(f"(?:{word})?" if optional else word)
    return "".join(out)


def regex_of(source: str, words: dict[str, str]) -> str:
    """The regular expression of a phrase: each word with the space before it, so that a search need only look at spaces."""
    return _pattern(source, words) + "(?= )"


def anchors_of(source: str, words: dict[str, str]) -> list[str]:
    """Words one of which any match must contain: those of its most telling required item."""
    return max(required_of(source, words), key=_rarity, default=[])


def required_of(source: str, words: dict[str, str]) -> list[list[str]]:
    """Per item that no match can do without: words one of which it must contain."""
    found = []
    for item, optional in _items(source):
        if optional or item in GAPS:
            continue
        if item[0] in "<(" and len(item) > 1:
            parts = [anchors_of(part, words) for part in _alternatives(item, words)]
            if all(parts):
                found.append([anchor for part in parts for anchor in part])
        else:
            found.append([item])
    return found


def _rarity(words: list[str]) -> float:
    return min(len(word.rstrip("*")) for word in words) - 0.2 * len(words)


@dataclass(frozen=True)
class Tables:
    """`parts` says of words, and of the beginnings of words ("stem*"), which parts of which phrases they may be: a bit for each."""

    phrases: tuple[Phrase, ...]
    filed: dict[str, tuple[int, ...]]  # a phrase's rarest words -> its place in `phrases`
    parts: dict[str, int]
    needed: tuple[int, ...]  # per phrase, the bits of all its parts

    def candidates(self, text: str) -> list[int]:
        """The places in `phrases` of those that have a word of each of their parts in `text`."""
        found: set[int] = set()
        present = 0
        for word in set(text.split()):
            filed, parts = _known_of(word)
            if parts:
                found.update(filed)
                present |= parts
        needed = self.needed
        return [index for index in found if needed[index] & present == needed[index]]

    @cached_property
    def about(self) -> frozenset[int]:
        """The places in `phrases` of those that name a subject matter."""
        return frozenset(index for index, phrase in enumerate(self.phrases) if phrase.group.label.startswith("about:"))


def _load(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=loader)  # nosec B506: a safe loader, the C one where built


def _phrases() -> Iterator[Phrase]:
    for folder in sorted(path for path in TABLES.iterdir() if path.is_dir()):
        words = {name: str(value).replace("\n", " ") for name, value in _load(folder / "words.yaml").items()}
        for path in sorted(folder.glob("*.yaml")):
            if path.name == "words.yaml":
                continue
            for row in _load(path):
                lines = [line.strip() for line in row.pop("phrases").splitlines() if line.strip()]
                group = Group(**row)
                weak = group._replace(weight=group.weight * WEAK)
                for line in lines:
                    yield Phrase(weak, line[1:].strip(), words) if line.startswith("~") else Phrase(group, line, words)


@once
def tables() -> Tables:
    """Every phrase of every language, read once per process."""
    phrases = tuple(_phrases())
    filed: dict[str, list[int]] = {}
    parts: dict[str, int] = {}
    needed = []
    bit = 1
    for index, phrase in enumerate(phrases):
        required = required_of(phrase.source, phrase.words)
        for anchor in max(required, key=_rarity, default=[]):
            filed.setdefault(anchor, []).append(index)
        of_phrase = 0
        for anchors in required:
            for anchor in anchors:
                parts[anchor] = parts.get(anchor, 0) | bit
            of_phrase |= bit
            bit <<= 1
        needed.append(of_phrase)
    return Tables(phrases, {word: tuple(found) for word, found in filed.items()}, parts, tuple(needed))


@lru_cache(maxsize=20_000)
def _known_of(word: str) -> tuple[tuple[int, ...], int]:
    """The phrases filed under a word or under a beginning of it, and the bits of the parts it may be."""
    known = tables()
    anchors = [word, *(f"{word[:length]}*" for length in range(1, len(word) + 1))]
    filed = tuple(index for anchor in anchors for index in known.filed.get(anchor, ()))
    return filed, reduce(or_, (known.parts.get(anchor, 0) for anchor in anchors))
