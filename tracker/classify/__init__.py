"""What the newest message of a mail does to an opportunity of its reader. Pure: headers and text in, a label out."""

from dataclasses import dataclass

from aaperture.lib.mime import Mail
from tracker.classify.decide import LABELS, NOT_RELEVANT, decide
from tracker.classify.evidence import Reading, read
from tracker.classify.extract import company_and_role

__all__ = ["LABELS", "NOT_RELEVANT", "Classification", "Mail", "classify"]
MAX_REASONS = 4


@dataclass(frozen=True)
class Classification:
    """`label` is one of labels.md, `confidence` 0..1, `company` and `role` "" when unknown."""

    label: str
    confidence: float
    company: str
    role: str
    reasons: tuple[str, ...]


def _reasons(reading: Reading, label: str, scores: dict[str, float]) -> tuple[str, ...]:
    wanted = {label} if label != NOT_RELEVANT else {max((name for name in scores if name.startswith("noise:")), key=scores.__getitem__, default="")}
    hits = sorted((hit for hit in reading.hits.values() if hit.group.label in wanted), key=lambda hit: -hit.score)
    return tuple(f"{hit.group.why}: “{_quoted(hit.words)}”" for hit in hits[:MAX_REASONS])


def _quoted(words: str) -> str:
    text = words.replace("@", "")
    return text if len(text) <= 60 else text[:59] + "…"


def classify(mail: Mail) -> Classification:
    """Label a mail; deterministic, local, a few milliseconds."""
    reading = read(mail)
    label, confidence, scores = decide(reading)
    company, role = company_and_role(reading, label) if label != NOT_RELEVANT else ("", "")
    return Classification(label, confidence, company, role, _reasons(reading, label, scores))
