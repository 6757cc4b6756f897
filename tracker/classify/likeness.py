"""How much a sentence reads like the example sentences of each label (naive Bayes on word stems and near pairs).

The examples are the data: `examples/*.txt`, one sentence (or one short mail) a line under "# label". Adding a sentence there is all it
takes to teach the classifier a new way of saying something. Beside the labels stand "neutral" (greetings,
descriptions of a process), "noise:…" and "other:…" (the same words in the life of banks, schools, landlords).
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aaperture.lib.once import once
from tracker.classify.normalise import sentences

EXAMPLES = Path(__file__).parent / "examples"
NEUTRAL = "neutral"
STEM = 6
GAPS = ((" ", 1), (" _ ", 2), (" __ ", 3))
SMOOTHING = 50.0
LENGTH_POWER = 0.5  # long sentences are not proportionally more certain
MIN_WORDS = 3


@dataclass(frozen=True)
class Model:
    labels: tuple[str, ...]
    counts: dict[str, dict[int, int]]  # feature -> {label index: count}
    totals: tuple[int, ...]
    total: int


def features(sentence: str) -> set[str]:
    """Stems, and pairs of stems with at most two words between them."""
    stems = [word[:STEM] for word in sentence.split()]
    pairs = (f"{left}{apart}{right}" for apart, distance in GAPS for left, right in zip(stems, stems[distance:], strict=False))
    return {*stems, *pairs}


def examples() -> list[tuple[str, str]]:
    """Every example: (normalised text, label)."""
    found: list[tuple[str, str]] = []
    for path in sorted(EXAMPLES.glob("*.txt")):
        label = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                label = line[2:].strip()
            else:
                found.extend(_labelled(line, label))
    return found


def _labelled(line: str, label: str) -> Iterator[tuple[str, str]]:
    """One sentence, or a whole mail as "*telling sentence | sentence that says nothing | *telling sentence"."""
    whole_mail = "*" in line
    for sentence in filter(None, map(str.strip, line.split("|"))):
        telling = sentence.startswith("*") or not whole_mail
        yield " ".join(sentences(sentence.removeprefix("*"))), label if telling else NEUTRAL


def learn(pairs: list[tuple[str, str]]) -> Model:
    labels = tuple(sorted({label for _, label in pairs}))
    index = {label: number for number, label in enumerate(labels)}
    counts: dict[str, Counter[int]] = {}
    totals = [0] * len(labels)
    for text, label in pairs:
        number = index[label]
        for feature in features(text):
            counts.setdefault(feature, Counter())[number] += 1
            totals[number] += 1
    return Model(labels, {name: dict(found) for name, found in counts.items()}, tuple(totals), sum(totals))


@once
def model() -> Model:
    """Counted once per process from the example files."""
    return learn(examples())


@lru_cache(maxsize=50_000)
def _weights(feature: str) -> tuple[float, ...] | None:
    """Log of how much likelier the feature is under each label than anywhere, smoothed towards "no difference"."""
    known = model()
    found = known.counts.get(feature)
    if found is None:
        return None
    everywhere = sum(found.values()) / known.total
    return tuple(
        math.log((found.get(number, 0) + SMOOTHING * everywhere) / (total + SMOOTHING) / everywhere)
        for number, total in enumerate(known.totals)
    )


@lru_cache(maxsize=5_000)
def likeness(sentence: str) -> dict[str, float]:
    """Probability per label for one normalised sentence; labels under 2% are left out."""
    known = model()
    words = features(sentence)
    if len(sentence.split()) < MIN_WORDS:
        return {}
    rows = [row for word in words if (row := _weights(word)) is not None]
    if not rows:
        return {}
    scale = len(words) ** -LENGTH_POWER
    logits = [sum(column) * scale for column in zip(*rows, strict=True)]
    top = max(logits)
    exponentials = [math.exp(value - top) for value in logits]
    total = sum(exponentials)
    return {known.labels[number]: value / total for number, value in enumerate(exponentials) if value > 0.02 * total}
