"""What the newest message of a mail does to an opportunity of its reader. Pure: headers and text in, a label out."""

from dataclasses import dataclass

from aaperture.lib.mime import Mail
from tracker.classify.decide import LABELS, NOT_RELEVANT, decide
from tracker.classify.evidence import Reading, read
from tracker.classify.extract import company_and_role

__all__ = ["LABELS", "NOT_RELEVANT", "Classification", "Mail", "classify"]
MAX_REASONS = 3
TYPICAL = 0.25
READS_LIKE = "reads like other mails of its kind"


@dataclass(frozen=True)
class Classification:
    """`label` is one of labels.md, `confidence` 0..1, `company` and `role` "" when unknown."""

    label: str
    confidence: float
    company: str
    role: str
    reasons: tuple[str, ...]


def _reasons(reading: Reading, label: str, scores: dict[str, float]) -> tuple[str, ...]:
    """The rules that spoke for the label, strongest first, and the sentence that reads most like its examples."""
    if label == NOT_RELEVANT:
        label = max((name for name in scores if name.startswith("noise:")), key=scores.__getitem__, default="")
    hits = sorted((hit for hit in reading.hits.values() if hit.group.label == label and hit.score >= 1), key=lambda hit: -hit.score)
    reasons = {hit.group.why: hit.words for hit in reversed(hits[:MAX_REASONS])}
    found = [f"{why}: “{_quoted(words)}”" for why, words in reversed(reasons.items())]
    names = (label, label.replace("noise:", "other:"))
    share, line = max((reading.closest.get(name, (0.0, 0)) for name in names), default=(0.0, 0))
    if share > TYPICAL or not found:
        found.append(f"{READS_LIKE}: “{_quoted(reading.lines[line].strip())}”")
    return tuple(found)


def _quoted(words: str) -> str:
    text = words.replace("@", "")
    return text if len(text) <= 60 else text[:59] + "…"


def classify(mail: Mail) -> Classification:
    """Label a mail; deterministic, local, a few milliseconds."""
    reading = read(mail)
    label, confidence, scores = decide(reading)
    company, role = company_and_role(reading, label) if label != NOT_RELEVANT else ("", "")
    return Classification(label, confidence, company, role, _reasons(reading, label, scores))
