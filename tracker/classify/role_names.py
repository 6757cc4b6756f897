"""Words of a mail that may name the role, and what can be seen of each."""

import re
from collections.abc import Iterator
from functools import lru_cache

from tracker.classify.choose import Candidate
from tracker.classify.spans import HYPHENS, Line, key_of, words_in

MAX_NAME, MAX_LEFT, MAX_RIGHT, MAX_CANDIDATES, MAX_LINES = 70, 4, 6, 400, 45
BEFORE_ROLE, AFTER_ROLE, BEFORE_TITLE = words_in("before a role"), words_in("after a role"), words_in("before a title")
NEVER_WITHIN, NOT_TRADES = words_in("never in a title"), words_in("not trades")
TRADES, SMALL = words_in("trades"), words_in("small words")
SUFFIXES = re.compile(
    r"^[a-z-]{3,}(?:eurs?|euses?|trices?|iers?|ieres?|iens?|iennes?|istes?|logues?|graphes?|ist|ician|grapher|ologist|keeper|maker|worker|smith|wright|minder|herd|monger|master|mistress|hand|ineer|ship)$"
)


NOT_IN_WORDS = re.compile(r"[^\w'’/&+.·-]+")
SIGN, HYPHEN, DASH = re.compile(r"[^\w]"), re.compile(r"[-/·.]"), re.compile(r"\s[-–—]\s")


@lru_cache(maxsize=10_000)
def is_trade(low: str) -> bool:
    if low in TRADES or (low[-1] == "s" and low[:-1] in TRADES):
        return True
    return not low.isalpha() and not TRADES.isdisjoint(HYPHEN.split(low))


@lru_cache(maxsize=10_000)
def is_hit(low: str) -> bool:
    """Whether a word is a trade, or sounds like one."""
    return is_trade(low) or (len(low) > 5 and low not in NOT_TRADES and SUFFIXES.match(low) is not None)


@lru_cache(maxsize=4_000)
def shape_of(text: str) -> dict[str, float]:
    """What can be seen of a title alone, whatever mail it stands in."""
    words = [word for word in NOT_IN_WORDS.split(text) if word]
    low = [key_of(word) or word for word in words]
    trades = [is_trade(word.lower()) or is_trade(other) for word, other in zip(words, low, strict=True)]
    capitals = [word[0].isupper() for word, other in zip(words, low, strict=True) if other not in SMALL]
    first, last, key = low[0], low[-1], key_of(text)
    checks = {
        "trade first": trades[0],
        "trade last": trades[-1],
        "trade within": any(trades[1:-1]),
        "no trade": not any(trades),
        "like a trade": not any(trades) and any(map(is_hit, low)),
        "all capital": all(capitals),
        "none capital": not any(capitals),
        "first capital": capitals[:1] == [True] and len(capitals) > 1 and not any(capitals[1:]),
        "some capital": any(capitals[1:]) and not all(capitals),
        "plural": any(word[-1] == "s" and word[:-1] in TRADES for word in low),
        "shouted": text.isupper() and len(key) > 4,
        "digit": not key.isalpha(),
        "dash": DASH.search(text) is not None,
        "small": not SMALL.isdisjoint(low),
        "stop": not NEVER_WITHIN.isdisjoint(low),
    }
    seen = [f"words {min(len(words), 7)}", f"first {first}", f"last {last}", f"last stem {last.rstrip('es')}"]
    seen += [f"first stem {first.rstrip('es')}", f"trades {min(sum(trades), 3)}", *(f"has {word}" for word in low)]
    return dict.fromkeys(seen + [name for name, holds in checks.items() if holds], 1.0)


class Roles:
    """The candidates of one mail."""

    def __init__(self, lines: list[Line], company: str) -> None:
        self.lines = [line for line in lines if line.place != "footer"][:MAX_LINES]
        self.company_words = {word for word in re.split(r"\W+", company.lower()) if len(word) > 2}
        self.found: dict[str, Candidate] = {}
        self.counts: dict[str, int] = {}

    @staticmethod
    def ends(line: Line, place: int) -> bool:
        word = line.words[place]
        return not (word.is_word or word.low in ("d'", "l'", "&", "/", "+", "-"))

    def spans(self, line: Line) -> Iterator[tuple[int, int, str]]:
        """(start, stop, why) of every stretch of words worth a look."""
        words = line.words
        for place, word in enumerate(words):
            if word.is_word and is_hit(word.low):
                starts = [place]
                for start in range(place - 1, max(-1, place - 1 - MAX_LEFT), -1):
                    if self.ends(line, start) or words[start].low in NEVER_WITHIN:
                        break
                    starts.append(start)
                for start in starts:
                    yield from ((start, stop, "trade") for stop in self.stops(line, place))
            elif word.low in BEFORE_ROLE and place + 1 < len(words):
                start = place + 1
                while start < len(words) and (words[start].low in BEFORE_TITLE or words[start].low in HYPHENS):
                    start += 1
                if start < len(words) and words[start].is_word and words[start].low not in NEVER_WITHIN:
                    yield from ((start, stop, "cue") for stop in self.stops(line, start))
            if word.low in AFTER_ROLE:
                for start in range(place - 1, max(-1, place - 6), -1):
                    if self.ends(line, start) or words[start].low in NEVER_WITHIN:
                        break
                    yield start, place, "before cue"
        if line.place == "subject":
            yield from self.segments(line)

    def stops(self, line: Line, place: int) -> Iterator[int]:
        """Where a title that has a word at `place` may stop."""
        words = line.words
        yield place + 1
        for stop in range(place + 1, min(len(words), place + 1 + MAX_RIGHT)):
            crossing = words[stop].text in HYPHENS and stop + 1 < len(words) and line.place == "subject"
            if (self.ends(line, stop) and not crossing) or words[stop].low in NEVER_WITHIN:
                return
            if words[stop].is_word:
                yield stop + 1

    def segments(self, line: Line) -> Iterator[tuple[int, int, str]]:
        """The pieces of a subject between its dashes, commas and brackets."""
        start = 0
        for place in range(len(line.words) + 1):
            if place == len(line.words) or (not line.words[place].is_word and line.words[place].low not in ("d'", "l'", "&", "'")):
                if start < place and place - start < 8:
                    yield start, place, "segment"
                start = place + 1

    def from_line(self, line: Line) -> None:
        words = line.words
        done: dict[tuple[int, int], set[str]] = {}
        for start, stop, why in self.spans(line):
            done.setdefault((start, stop), set()).add(why)
        for (start, stop), reasons in done.items():
            first, last = words[start], words[stop - 1]
            if (
                not (first.is_word and last.is_word)
                or last.low in SMALL
                or (first.low in SMALL and first.low != "second")
                or first.low in BEFORE_TITLE
                or first.low.isdigit()
            ):
                continue
            self.occurrence(line, start, stop, reasons)

    def occurrence(self, line: Line, start: int, stop: int, why: set[str]) -> None:
        words = line.words
        text = line.cut(start, stop)
        key = key_of(text)
        if len(text) > MAX_NAME or len(key) < 2 or (len(self.found) >= MAX_CANDIDATES and key not in self.found):
            return
        candidate = self.found.setdefault(key, Candidate(text))
        self.counts[key] = self.counts.get(key, 0) + 1
        place = line.place
        candidate.see(f"in {place}", *(f"why {one}" for one in why), *(f"{place} why {one}" for one in why))
        at = start - 1
        before = words[at].low if at >= 0 else "^"
        candidate.see(f"before {before}")
        if before in BEFORE_TITLE and at > 0:
            candidate.see(f"before {words[at - 1].low} *", f"before {words[at - 1].low} {before}")
            if at > 1 and words[at - 1].low in BEFORE_TITLE:
                candidate.see(f"before {words[at - 2].low} * *")
        elif at > 0:
            candidate.see(f"before {words[at - 1].low} {before}")
        if at >= 0 and words[at].is_word and before not in BEFORE_TITLE:
            candidate.see(
                "word before", *(["capital before"] if words[at].is_capital else []), *(["trade before"] if is_trade(before) else [])
            )
        after = words[stop].low if stop < len(words) else "$"
        candidate.see(
            f"after {after}",
            f"{place} after {after if not after[0].isalnum() else 'word'}",
            f"{place} before {before if before not in BEFORE_TITLE and not before[0].isalnum() else 'word'}",
        )
        if stop < len(words) and words[stop].is_word and after not in SMALL and after not in NEVER_WITHIN:
            candidate.see(
                "word after", *(["capital after"] if words[stop].is_capital else []), *(["trade after"] if is_trade(after) else [])
            )
            if words[stop].is_capital and words[stop - 1].is_capital:
                candidate.see("capitals go on")
        if stop + 1 < len(words):
            candidate.see(f"after {after} {words[stop + 1].low}")
        if at >= 0 and words[at].is_capital and words[start].is_capital and at > 0:
            candidate.see("capitals before")

    def of_shape(self, candidate: Candidate, key: str) -> None:
        candidate.seen.update(shape_of(candidate.text))
        candidate.see(f"count {min(self.counts.get(key, 0), 4)}")
        if self.company_words and not self.company_words.isdisjoint(SIGN.split(candidate.text.lower())):
            candidate.see("company")

    def of_others(self) -> None:
        """Titles that stand within longer ones, and longer ones around a title written more often."""
        keys = sorted(self.found, key=len)
        for number, key in enumerate(keys):
            if len(key) < 4:
                continue
            for other in keys[number + 1 :]:
                if key in other and self.counts[other] > 1:
                    self.found[key].see("within often", *(["within as often"] if self.counts[other] == self.counts[key] else []))
                    if self.counts[key] > self.counts[other]:
                        self.found[other].see("around oftener")

    def candidates(self, label: str) -> list[Candidate]:
        for line in self.lines:
            self.from_line(line)
        self.of_others()
        for key, candidate in self.found.items():
            self.of_shape(candidate, key)
        return [Candidate("", {"none": 1.0, f"none {label}": 1.0, f"none of {min(len(self.found) // 10, 5)}": 1.0}), *self.found.values()]


def role_candidates(lines: list[Line], label: str, company: str) -> list[Candidate]:
    """No role (first), and every stretch of words that may name it."""
    return Roles(lines, company).candidates(label)
