"""Read a mail once: its sentences, which phrases they contain, and how it was sent."""

# ruff: noqa: E501 - patterns read better in one piece

import re
from dataclasses import dataclass, field
from functools import cached_property

from aaperture.lib.mime import Mail
from tracker.classify.cutting import Cut, cut
from tracker.classify.likeness import NEUTRAL, likeness
from tracker.classify.normalise import fold, sentences
from tracker.classify.phrases import Group, tables

REPLY_SUBJECT = re.compile(r"^\s*(?:(?:re|aw|sv|antw|rif|r)\s?(?:\[\d+\])?\s?:\s*)+", re.IGNORECASE)
FORWARD_SUBJECT = re.compile(r"^\s*(?:(?:fwd?|tr|wg|i)\s?:\s*)+", re.IGNORECASE)
ADDRESS = re.compile(r"[\w.+'-]{1,64}@([\w.-]{1,120})")
FREE_MAIL = re.compile(
    r"^(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|icloud|me|aol|gmx|proton|protonmail|orange|wanadoo|free|sfr|laposte|"
    r"bbox|neuf|numericable|mail|fastmail|hey|btinternet|sky|virginmedia|comcast|verizon|example|courriel|mailbox|skynet|telenet|bluewin)\."
)
NO_REPLY = re.compile(r"no-?_?reply|ne-?pas-?repondre|nepasrepondre|donotreply|do-not-reply|notification|mailer|automatic|robot|bounce")
RELAY = re.compile(
    r"formulaire|contact form|form submission|via (?:your|the|le|votre) (?:website|site|form|formulaire)|wordpress|squarespace|wix|new (?:lead|enquiry|inquiry|form)|"
    r"nouvelle demande|nouveau message|demande de contact|webflow|typeform|jotform|mariages\.net|the ?knot|hitched|bark|thumbtack|malt"
)
HYPOTHETICAL = 0.1
SECOND = 0.3
OLD_SUBJECT = 0.35
LIKENESS_POWER = 1.15
TYPICAL_SENTENCES = 3
OWN_SUBJECTS = ("work", "art")
UNMENTIONED = 0.35
MOST_MATCHES = 13  # of one phrase in one mail


@dataclass
class Hit:
    """A group found in the mail: its score and the words that matched."""

    group: Group
    score: float
    words: str
    lines: set[int] = field(default_factory=set)
    count: int = 0


@dataclass(frozen=True)
class Reading:
    """All that the decision rests on."""

    mail: Mail
    cut: Cut
    lines: tuple[str, ...]  # line 0 is the subject
    hits: dict[Group, Hit]
    hypothetical: frozenset[int]
    likes: dict[str, float]  # label -> how much of the mail reads like its examples
    about: dict[str, int]  # subject matter -> how many of its words, quoted text and sender included
    closest: dict[str, tuple[float, int]]  # label -> (likeness, line) of its most typical sentence

    @cached_property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def is_reply(self) -> bool:
        headers = self.mail.headers
        return bool(REPLY_SUBJECT.match(self.mail.subject) or headers.get("in-reply-to") or headers.get("references"))

    @property
    def is_bulk(self) -> bool:
        headers = self.mail.headers
        return bool(headers.get("list-unsubscribe") or headers.get("list-id")) or headers.get("precedence", "").lower() in {
            "bulk",
            "list",
            "junk",
        }

    @property
    def is_auto_reply(self) -> bool:
        headers = self.mail.headers
        return (
            headers.get("auto-submitted", "").lower().startswith("auto-replied") or "x-autoreply" in headers or "x-autorespond" in headers
        )

    @cached_property
    def sender_address(self) -> str:
        found = ADDRESS.search(self.mail.sender)
        return found.group().lower() if found else ""

    @cached_property
    def sender_domain(self) -> str:
        return self.sender_address.rpartition("@")[2]

    @property
    def is_person(self) -> bool:
        return bool(FREE_MAIL.match(self.sender_domain)) and not NO_REPLY.search(self.sender_address)

    @property
    def is_no_reply(self) -> bool:
        return bool(NO_REPLY.search(self.sender_address))

    def found(self, label: str) -> list[Hit]:
        return [hit for group, hit in self.hits.items() if group.label == label]

    def has(self, pattern: str, *, start: int = 0) -> bool:
        return any(re.search(pattern, line) for line in self.lines[start:])


def _subject(mail: Mail) -> tuple[str, bool]:
    """The subject without its prefixes, and whether it was written for an earlier message."""
    text = FORWARD_SUBJECT.sub("", REPLY_SUBJECT.sub("", mail.subject))
    return text, bool(REPLY_SUBJECT.match(mail.subject))


def _hypothetical(lines: list[str], matches: list[tuple[Group, int, str]]) -> frozenset[int]:
    """Lines that state a condition in the company's hands; a question is asked now, whatever it depends on."""
    return frozenset(line for group, line, _ in matches if group.label == "mood:if" and line > 0 and "?" not in lines[line])


def _matches(lines: list[str], only: frozenset[int] | None = None) -> list[tuple[Group, int, str]]:
    """Every phrase found, by phrase, then by place. A phrase lies within one line, so each line meets its own candidates only."""
    found: list[tuple[int, int, int, str]] = []
    seen: dict[str, list[tuple[int, int, str]]] = {}
    counts: dict[int, int] = {}
    phrases = tables().phrases
    for number, line in enumerate(lines):
        if line not in seen:
            seen[line] = [
                (index, match.start(), match.group().strip())
                for index in tables().candidates(line)
                if only is None or index in only
                for match in phrases[index].pattern.finditer(line)
            ]
        for index, start, words in seen[line]:
            counts[index] = counts.get(index, 0) + 1
            if counts[index] <= MOST_MATCHES:
                found.append((index, number, start, words))
    return [(phrases[index].group, number, words) for index, number, _start, words in sorted(found)]


def _score(matches: list[tuple[Group, int, str]], hypothetical: frozenset[int], *, old_subject: bool) -> dict[Group, Hit]:
    hits: dict[Group, Hit] = {}
    for group, line, words in matches:
        factor = HYPOTHETICAL if line in hypothetical and not group.hypothetical else 1.0
        if line == 0 and old_subject:
            factor = OLD_SUBJECT
        score = group.weight * factor
        hit = hits.get(group)
        if hit is None:
            hits[group] = Hit(group, score, words, {line}, 1)
            continue
        hit.count += 1
        if line not in hit.lines:
            hit.lines.add(line)
            extra = min(hit.score, score) * SECOND if len(hit.lines) <= 3 else 0.0
        else:
            extra = 0.0
        if score > hit.score:
            hit.words = words
        hit.score = max(hit.score, score) + extra
    return hits


def _likes(lines: list[str], hypothetical: frozenset[int], *, old_subject: bool) -> tuple[dict[str, float], dict[str, tuple[float, int]]]:
    """Per label, the likeness of its most typical sentences (so that a long mail does not add up to anything), and the first of them."""
    shares: dict[str, list[tuple[float, int]]] = {}
    for number, line in enumerate(lines):
        factor = HYPOTHETICAL if number in hypothetical else OLD_SUBJECT if number == 0 and old_subject else 1.0
        for label, value in likeness(line).items():
            if label != NEUTRAL:
                shares.setdefault(label, []).append((factor * value**LIKENESS_POWER, number))
    best = {label: sorted(found, reverse=True)[:TYPICAL_SENTENCES] for label, found in shares.items()}
    return {label: sum(share for share, _ in found) for label, found in best.items()}, {label: found[0] for label, found in best.items()}


def _about(mail: Mail, pieces: Cut, matches: list[tuple[Group, int, str]]) -> dict[str, int]:
    """Words of each subject matter: the conversation below and the signature tell what a short answer is about."""
    counts: dict[str, set[str]] = {}
    for group, _, words in matches:
        if group.label.startswith("about:"):
            counts.setdefault(group.label[6:], set()).add(words)
    sender = mail.sender.replace("@", " ").replace(".", " ").replace("-", " ").replace("_", " ")
    around = sentences("\n".join([sender, pieces.signature[:600], pieces.quoted[:2_500], mail.headers.get("x-attachment-names", "")[:300]]))
    for group, _, words in _matches(around, only=tables().about):
        counts.setdefault(group.label[6:], set()).add(words)
    return {name: len(words) for name, words in counts.items()}


def _told_apart(likes: dict[str, float], about: dict[str, int]) -> dict[str, float]:
    """A refusal reads alike from a bank and from an employer: where only work is spoken of, likeness to the bank's counts less."""
    if not any(about.get(subject) for subject in OWN_SUBJECTS):
        return likes
    return {
        label: value * UNMENTIONED if label.startswith("other:") and not about.get(label[6:]) else value for label, value in likes.items()
    }


def read(mail: Mail) -> Reading:
    """Cut, normalise and match; linear in the length of the mail."""
    relay = bool(RELAY.search(fold(mail.sender + " " + mail.subject)))
    pieces = cut(mail.text, relay=relay)
    subject, old = _subject(mail)
    title = " ".join(sentences(subject)).split()
    lines = [" " + " ".join(title) + " ", *sentences(pieces.text)][:400]
    matches = _matches(lines)
    hypothetical = _hypothetical(lines, matches)
    hits = _score(matches, hypothetical, old_subject=old)
    likes, closest = _likes(lines, hypothetical, old_subject=old)
    about = _about(mail, pieces, matches)
    return Reading(mail, pieces, tuple(lines), hits, hypothetical, _told_apart(likes, about), about, closest)
