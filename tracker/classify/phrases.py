"""The phrase tables: weighted phrases as data, compiled to regular expressions when first needed.

A phrase is words between spaces, on normalised text (see `normalise`):

    word        that word                      stem*      a word that begins so
    (a|b c|d*)  one of these                   (a|b)?     or nothing; also word?
    ...         up to six words in between     ..         up to two
    ~ phrase    says it less surely: a third of the weight
    <name>      one of the words listed under that name in words.yaml of the same language

Each phrase is filed under its rarest word, so that a mail only meets the phrases it could contain.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from aaperture.lib.once import once

TABLES = Path(__file__).parent / "tables"
GAPS = {"...": r"(?:[^ \n]+ ){0,6}?", "..": r"(?:[^ \n]+ ){0,2}?"}
ITEM = re.compile(r"\.{2,3}|<\w+>\??|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\??|[^\s]+")
WEAK = 0.35


@dataclass(frozen=True)
class Group:
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

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.source, self.group, id(self.words))


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
            word = re.escape(item[:-1]) + "[^ ]* " if item.endswith("*") and len(item) > 1 else re.escape(item) + " "
            out.append(f"(?:{word})?" if optional else word)
    return "".join(out)


def regex_of(source: str, words: dict[str, str]) -> str:
    """The regular expression of a phrase."""
    return "(?<= )" + _pattern(source, words)


def anchors_of(source: str, words: dict[str, str]) -> list[str]:
    """Words one of which any match must contain: those of its most telling required item."""
    best: list[str] = []
    for item, optional in _items(source):
        if optional or item in GAPS:
            continue
        if item[0] in "<(" and len(item) > 1:
            found = [anchor for part in _alternatives(item, words) for anchor in anchors_of(part, words)]
        else:
            found = [item]
        if found and (not best or _rarity(found) > _rarity(best)):
            best = found
    return best


def _rarity(words: list[str]) -> float:
    return min(len(word.rstrip("*")) for word in words) - 0.2 * len(words)


_WORDS: dict[int, dict[str, str]] = {}


@cache
def _compiled(source: str, group: Group, words: int) -> re.Pattern[str]:
    return re.compile(regex_of(source, _WORDS[words]))


@dataclass(frozen=True)
class Tables:
    phrases: tuple[Phrase, ...]
    exact: dict[str, tuple[int, ...]]
    stems: dict[str, tuple[int, ...]]

    def candidates(self, text: str) -> set[int]:
        """The places in `phrases` of those that have their anchor among the words of `text`."""
        found: set[int] = set()
        for word in set(text.split()):
            found.update(_filed_under(word))
        return found


def _load(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        return yaml.load(file, Loader=loader)  # nosec B506: a safe loader, the C one where built


def _phrases() -> Iterator[Phrase]:
    for folder in sorted(path for path in TABLES.iterdir() if path.is_dir()):
        words = {name: str(value).replace("\n", " ") for name, value in _load(folder / "words.yaml").items()}
        _WORDS[id(words)] = words
        for path in sorted(folder.glob("*.yaml")):
            if path.name == "words.yaml":
                continue
            for row in _load(path):
                lines = [line.strip() for line in row.pop("phrases").splitlines() if line.strip()]
                group = Group(**row)
                weak = replace(group, weight=group.weight * WEAK)
                for line in lines:
                    yield Phrase(weak, line[1:].strip(), words) if line.startswith("~") else Phrase(group, line, words)


@once
def tables() -> Tables:
    """Every phrase of every language, read once per process."""
    phrases = tuple(_phrases())
    exact: dict[str, list[int]] = {}
    stems: dict[str, list[int]] = {}
    for index, phrase in enumerate(phrases):
        for anchor in anchors_of(phrase.source, phrase.words):
            if anchor.endswith("*"):
                stems.setdefault(anchor[:-1], []).append(index)
            else:
                exact.setdefault(anchor, []).append(index)
    return Tables(
        phrases,
        {word: tuple(found) for word, found in exact.items()},
        {word: tuple(found) for word, found in stems.items()},
    )


@lru_cache(maxsize=20_000)
def _filed_under(word: str) -> tuple[int, ...]:
    known = tables()
    found = list(known.exact.get(word, ()))
    for length in range(1, len(word) + 1):
        found.extend(known.stems.get(word[:length], ()))
    return tuple(found)
