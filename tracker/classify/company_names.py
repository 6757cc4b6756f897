"""Names in a mail that may be the company's, and what can be seen of each."""

# ruff: noqa: E501 - patterns read better in one piece

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache

from tracker.classify.choose import Candidate
from tracker.classify.evidence import ADDRESS, FREE_MAIL, Reading
from tracker.classify.normalise import fold
from tracker.classify.spans import Line, key_of, lows_of, words_in, words_of

MAX_NAME, MAX_WORDS, MAX_CAPITALS, MAX_CANDIDATES = 60, 9, 6, 160
PLATFORMS = re.compile(
    r"linkedin|indeed|glassdoor|greenhouse|lever|workday|myworkday|smartrecruiters|ashby|teamtailor|workable|icims|taleo|bamboohr|recruitee|jobvite|"
    r"personio|breezy|successfactors|welcome ?to ?the ?jungle|wttj|hellowork|apec|cadremploi|monster|meteojob|jobteaser|totaljobs|reed|cv-?library|malt|upwork|"
    r"fiverr|mariages|the ?knot|weddingwire|hitched|bark|thumbtack|calendly|doodle|hackerrank|codility|codesignal|testgorilla|hirevue|wordpress|squarespace|wix|"
    r"typeform|jotform|google|gmail|outlook|microsoft|zoom|teams|picter|submittable|profil ?acheteur|boamp|achatpublic|marches-?publics|e-?marches|notification|"
    r"tender ?alerts|publictenders|nhs ?jobs|bookings?|bookme|calbook|codetrial|platform|plateforme|job ?board|france ?travail|pole ?emploi|docusign|yousign"
)
LINKS = words_in("links")
ARTICLES = words_in("articles")
DEPARTMENT = words_in("departments")
DATES = words_in("dates")
NEVER = words_in("not names")
TRADES, INSTITUTIONS, SMALL = words_in("trades"), words_in("institutions"), words_in("small words")
SECOND_LEVEL = {"co", "com", "org", "gov", "ac", "asso", "gouv", "nhs", "edu", "net"}
SPLIT_DISPLAY = re.compile(
    r"\s*(?:\(|\)|\||\s[-–—x:/]\s|,|@|\bat\b|\bchez\b|\bvia\b|\bon behalf of\b|\bpour le compte de\b|\bde la part de\b|\bpar\b)\s*"
)
SPLIT_LINE = re.compile(r"\s*(?:\||,|•|·|\s[-–—]\s|/|:)\s*")
PLATFORM_LIKE = re.compile(
    r"hire|hiring|recru|job|post|tender|bid|track|sign|desk|gauge|ats|talent|match|perch|code|test|slot|cal|book|form|portal|mail|demat|marche|emplo|entry|scope|link|lead|assess|exam|meet"
)
LEGAL_FORMS = ("ltd", "limited", "inc", "llc", "plc", "gmbh", "sarl", "sas", "sasu", "sa", "eurl", "bv", "srl", "corp", "pty")
LEGAL = re.compile(rf",?\s*\b(?:{'|'.join(LEGAL_FORMS)})\b\.?\s*$", re.IGNORECASE)
SENTENCES = re.compile(r"[.:?!]\s")


def label_of(domain: str) -> tuple[str, str]:
    """The registered label of a domain, and those before it, letters only."""
    parts = domain.lower().split(".")[:-1]
    if len(parts) > 1 and parts[-1] in SECOND_LEVEL:
        parts = parts[:-1]
    return (key_of(parts[-1]), key_of("".join(parts[:-1]))) if parts else ("", "")


@lru_cache(maxsize=4_000)
def shape_of(text: str) -> dict[str, float]:
    """What can be seen of a name alone, whatever mail it stands in."""
    words = lows_of(text)
    first, last, key = words[0], words[-1], key_of(text)
    checks = {
        "platform": PLATFORMS.search(fold(text)) is not None,
        "trade": not TRADES.isdisjoint(words),
        "trade first": first in TRADES,
        "institution first": first in INSTITUTIONS,
        "institution last": last in INSTITUTIONS,
        "institution": not INSTITUTIONS.isdisjoint(words),
        "department first": first in DEPARTMENT,
        "department last": last in DEPARTMENT,
        "date": not DATES.isdisjoint(words),
        "never first": first in NEVER,
        "never": not NEVER.isdisjoint(words),
        "digit": not key.isalpha(),
        "capitals": text.isupper(),
        "article": first in ARTICLES,
        "link": not LINKS.isdisjoint(words),
        "small": text[0].islower(),
        "mixed": any(word.islower() and fold(word) not in LINKS for word in text.split()),
        "punctuation": SENTENCES.search(text) is not None,
    }
    seen = (f"words {min(len(words), 6)}", f"head {first}", f"tail {last}", *(name for name, holds in checks.items() if holds))
    return dict.fromkeys(seen, 1.0) | {"length": len(key) / 20}


class Names:
    """The candidates of one mail."""

    def __init__(self, reading: Reading, lines: list[Line]) -> None:
        self.reading, self.lines = reading, lines
        self.found: dict[str, Candidate] = {}
        self.counts: dict[str, int] = {}
        self.whole: dict[str, int] = {}  # how often the name stands alone, not within a longer one
        self.longest: dict[str, set[str]] = {}  # longer names around it
        address = reading.sender_address
        self.local = key_of(address.partition("@")[0])
        domain = reading.sender_domain
        self.own, self.sub = label_of(domain) if domain and not FREE_MAIL.match(domain) else ("", "")
        self.recipients = set(re.findall(r"\w+", fold(" ".join(reading.mail.recipients))))
        display = re.sub(r"<[^>]*>", "", reading.mail.sender[:200]).strip().strip("\"'").strip()
        self.display = "" if "@" in display else display
        self.display_key = key_of(self.display)
        self.is_no_reply = reading.is_no_reply

    @cached_property
    def other_domains(self) -> set[str]:
        text = " ".join([self.reading.mail.headers.get("reply-to", ""), self.reading.cut.forward_sender, self.reading.mail.text[:6_000]])
        domains = {found.group(1) for found in ADDRESS.finditer(text)} | set(re.findall(r"https?://([\w.-]+)", text))
        labels = {label_of(domain)[0] for domain in domains if not FREE_MAIL.match(domain)}
        return labels - {self.own, ""}

    def is_person(self, name: str) -> bool:
        if len(self.local) < 3:
            return False
        words = [word for word in map(key_of, name.split()) if len(word) > 1]
        if not 0 < len(words) <= 4:
            return False
        return any(word in self.local for word in words) or (
            len(words) > 1 and words[-1][:3] in self.local and words[0][0] == self.local[0]
        )

    def add(self, text: str, *findings: str) -> Candidate | None:
        text = text.strip(" \t.,;:!?-–—|\"“”«»()*'’<>")
        if text.lower().rstrip().rstrip(".").endswith(LEGAL_FORMS):
            text = LEGAL.sub("", text).strip(" .,;:-–")
        key = key_of(text)
        if len(key) < 2 or len(text) > MAX_NAME or key in NEVER or (len(self.found) >= MAX_CANDIDATES and key not in self.found):
            return None
        candidate = self.found.setdefault(key, Candidate(text))
        if text.isupper() < candidate.text.isupper():
            candidate.text = text
        candidate.see(*findings)
        return candidate

    def from_sender(self) -> None:
        if not self.display:
            return
        person = "person" if self.is_person(self.display) else ""
        pieces = [piece for piece in SPLIT_DISPLAY.split(self.display) if piece]
        lowered = fold(self.display)
        kind = (
            "behalf"
            if re.search(r"on behalf of|compte de|part de", lowered)
            else "via"
            if re.search(r"\bvia\b|\bpar\b", lowered)
            else "plain"
        )
        self.from_line(Line("sender", 0, self.display, words_of(self.display)))
        for place, piece in enumerate(pieces):
            end = "only" if len(pieces) == 1 else "first" if place == 0 else "last" if place == len(pieces) - 1 else "mid"
            self.add(
                piece, "sender piece", f"sender {kind} {end} {person}", f"sender {end} {'person' if self.is_person(piece) else 'thing'}"
            )
            words = words_of(piece)
            start, stop = 0, len(words)
            while start < stop and (words[start].low in DEPARTMENT or words[start].low in LINKS):
                start += 1
            while stop > start and (words[stop - 1].low in DEPARTMENT or words[stop - 1].low in LINKS):
                stop -= 1
            if start < stop and (start, stop) != (0, len(words)):
                cut = piece[words[start].start : words[stop - 1].end]
                self.add(
                    cut,
                    "sender stripped",
                    f"sender stripped {kind} {end}",
                    *(["sender stripped front"] if start else []),
                    *(["sender stripped back"] if stop < len(words) else []),
                )
            if words and stop < len(words) and start:
                self.add(piece[: words[stop - 1].end], "sender front kept")

    def runs(self, line: Line) -> Iterator[tuple[int, int]]:
        """Where capitalised words follow each other, small words between them allowed."""
        words, place = line.words, 0
        while place < len(words):
            if not (words[place].is_word and words[place].is_capital):
                place += 1
                continue
            stop = last = place
            while stop < len(words) and stop - last <= 3 and stop - place < 14:
                if words[stop].is_word and words[stop].is_capital:
                    last = stop
                elif words[stop].low not in LINKS:
                    break
                stop += 1
            yield place, last + 1
            place = last + 1

    def from_line(self, line: Line) -> None:
        words = line.words
        for start, stop in self.runs(line):
            capitals = [place for place in range(start, stop) if words[place].is_word and words[place].is_capital]
            for number, begin in enumerate(capitals[: MAX_CAPITALS + 2]):
                for end in capitals[number : number + MAX_CAPITALS]:
                    if end - begin < MAX_WORDS:
                        self.occurrence(line, begin, end + 1, run=(start, stop))
        for start, word in enumerate(words[:200]):
            if word.low not in INSTITUTIONS or start + 1 == len(words):
                continue
            within = start > 0 and word.is_capital and words[start - 1].is_capital and words[start - 1].low not in ARTICLES
            if not within:
                for end in range(start + 1, min(len(words), start + MAX_WORDS)):
                    if not (words[end].is_word or words[end].low in LINKS):
                        break
                    if (
                        words[end].low not in LINKS
                        and words[end].low not in SMALL
                        and any(w.is_capital for w in words[start + 1 : end + 1])
                    ):
                        self.occurrence(line, start, end + 1, run=(start, end + 1), loose=True)

    def occurrence(self, line: Line, start: int, stop: int, *, run: tuple[int, int], loose: bool = False) -> None:
        words = line.words
        candidate = self.add(line.cut(start, stop))
        if candidate is None:
            return
        key = key_of(candidate.text)
        if loose:
            candidate.see("loose")
        else:
            self.counts[key] = self.counts.get(key, 0) + 1
            if (start, stop) == run:
                self.whole[key] = self.whole.get(key, 0) + 1
            else:
                self.longest.setdefault(key, set()).add(key_of(line.cut(*run)))
        before = words[start - 1].low if start else "^"
        if before in ARTICLES and start > 1:
            candidate.see(f"before {words[start - 2].low} the")
        elif start > 1 and words[start - 2].is_word:
            candidate.see(f"before {words[start - 2].low} {before}")
        after = words[stop].low if stop < len(words) else "$"
        place = line.place
        candidate.see(f"in {place}", f"before {before}", f"after {after}", f"{place} after {'word' if after[0].isalnum() else after}")
        if place == "subject":
            candidate.see(f"subject before {before}")
        if place == "body" and line.number == 0:
            candidate.see("first line")

    def from_edges(self) -> None:
        """Whole lines and pieces of lines of the signature, of the end and of the top: names stand alone there."""
        signature = [line for line in self.lines if line.place == "signature"]
        body = [line for line in self.lines if line.place == "body"]
        for name, lines in (("signature", signature[:8]), ("end", body[-3:] if not signature else []), ("top", body[:2])):
            for number, line in enumerate(lines):
                if len(line.text) > 110:
                    continue
                pieces = [piece for piece in SPLIT_LINE.split(line.text) if piece]
                for place, piece in enumerate(pieces):
                    if len(piece) <= MAX_NAME and (piece[0].isupper() or piece[0].isdigit()):
                        where = "whole" if len(pieces) == 1 else "first" if place == 0 else "last" if place == len(pieces) - 1 else "mid"
                        self.add(
                            piece,
                            f"{name} piece",
                            f"{name} {number} of {min(len(lines), 4)}",
                            f"{name} {where}",
                            f"{name} {where} {number}",
                        )

    @cached_property
    def domain_labels(self) -> list[tuple[str, str, bool]]:
        """The labels of the sender's domain that a name may spell, and whether each sounds like a platform's."""
        return [
            (name, label, PLATFORM_LIKE.search(label) is not None)
            for name, label in (("own", self.own), ("sub", self.sub))
            if len(label) > 1
        ]

    def of_domain(self, candidate: Candidate, key: str, words: tuple[str, ...]) -> None:
        """How much of the sender's domain the name spells, and how much of the name the domain spells."""
        long = [word for word in words if word not in SMALL]
        letters = max(1, sum(map(len, long)))
        for name, label, is_platform in self.domain_labels:
            cover = min(1.0, sum(len(word) for word in words if len(word) > 1 and word in label) / len(label))
            share = sum(len(word) for word in long if word in label) / letters
            if share:
                candidate.seen |= {f"{name} share": share, f"{name} both": cover * share}
            if cover:
                candidate.seen[f"{name} cover"] = cover
                if self.is_no_reply:
                    candidate.seen[f"{name} cover robot"] = cover
                    if is_platform:
                        candidate.seen[f"{name} cover robot platform"] = cover
                elif is_platform:
                    candidate.seen[f"{name} cover platform"] = cover
            self.of_spelling(candidate, key, words, long, name, label)
        others = [sum(len(word) for word in long if word in label) / len(label) for label in self.other_domains if len(label) > 3]
        if any(others):
            candidate.seen["other cover"] = min(1.0, max(others))

    @staticmethod
    def of_spelling(candidate: Candidate, key: str, words: tuple[str, ...], long: list[str], name: str, label: str) -> None:
        """Whether a label of the domain is the name, a piece of it, around it, or its initials."""
        if key == label:
            candidate.see(f"{name} equal")
        if len(key) > 3 and key in label:
            candidate.see(f"{name} holds")
        if len(label) > 3 and label in key:
            candidate.see(f"{name} held")
        if len(words) > 1:
            initials = "".join([word[0] for word in words]), "".join([word[0] for word in long])
            if label in initials or (len(label) > 2 and label.startswith(initials)):
                candidate.see(f"{name} initials")
        if long and all(word in label or (len(word) > 3 and word[:4] in label) for word in long):
            candidate.see(f"{name} all words")

    def of_shape(self, candidate: Candidate, key: str, words: tuple[str, ...]) -> None:
        candidate.seen.update(shape_of(candidate.text))
        if self.is_person(candidate.text):
            candidate.see("person")
        if not self.recipients.isdisjoint(words):
            candidate.see("recipient")
        if len(key) > 3 and key in self.display_key:
            candidate.see("in sender")
        if words[0] in ARTICLES:
            candidate.see(
                *(
                    f"article and {finding}"
                    for finding in ("in sender", "in signature", "sender piece", "after word", "signature whole")
                    if finding in candidate.seen
                )
            )
            if any(found.startswith("before ") and found[7:8].isalpha() for found in candidate.seen):
                candidate.see("article amid words")

    def of_count(self, candidate: Candidate, key: str) -> None:
        """How often the name is written, and whether only ever as part of a longer one."""
        count, whole = self.counts.get(key, 0), self.whole.get(key, 0)
        candidate.see(f"count {min(count, 5)}", f"whole {min(whole, 3)}")
        if not count or whole:
            return
        candidate.see("always inside")
        longer = self.longest.get(key, set())
        if len(longer) == 1:
            candidate.see("always inside the same")
            (only,) = longer
            if self.whole.get(only, 0) == count > 1:
                candidate.see("inside the same, often")

    def of_others(self) -> None:
        """Which names are parts of which."""
        joined = " ".join(self.found)
        for key, candidate in self.found.items():
            if len(key) < 4 or joined.count(key) == 1:  # most are part of no other
                continue
            for other, around in self.found.items():
                if other == key or key not in other:
                    continue
                candidate.see("part")
                if other.startswith(key):
                    candidate.see("front part")
                if self.counts.get(other, 0) > 1:
                    candidate.see("part of often")
                if other in self.display_key:
                    candidate.see("part of sender's")
                around.see("has part")
                if self.whole.get(key, 0) > 1:
                    around.see("has part often alone")

    def candidates(self, label: str) -> list[Candidate]:
        self.from_sender()
        for line in self.lines:
            self.from_line(line)
        self.from_edges()
        if self.own and not PLATFORMS.search(self.reading.sender_domain):
            label = next(part for part in reversed(self.reading.sender_domain.split(".")) if key_of(part) == self.own)
            self.add(label.replace("-", " ").title(), "domain")
        for key, candidate in self.found.items():
            if words := lows_of(candidate.text):
                self.of_domain(candidate, key, words)
                self.of_shape(candidate, key, words)
                self.of_count(candidate, key)
        self.of_others()
        none = Candidate("", {"none": 1.0, f"none {label}": 1.0})
        checks = {
            "none person": self.reading.is_person,
            "none own": bool(self.own),
            "none display person": self.is_person(self.display),
            "none few": len(self.found) < 8,
        }
        none.see(*(name for name, holds in checks.items() if holds))
        return [none, *(candidate for candidate in self.found.values() if "length" in candidate.seen)]


def company_candidates(reading: Reading, lines: list[Line], label: str) -> list[Candidate]:
    """No company (first), and every name that may be it."""
    return Names(reading, lines).candidates(label)
