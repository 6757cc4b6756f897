"""How much a sentence reads like the example sentences of each label (naive Bayes on word stems and near pairs).

The examples are the data: `examples/*.txt`, one sentence (or one short mail) a line under "# label". Adding a sentence there is all it
takes to teach the classifier a new way of saying something. Beside the labels stand "neutral" (greetings,
descriptions of a process), "noise:…" and "other:…" (the same words in the life of banks, schools, landlords).
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import add
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
FEW = 4  # labels; adding up what is said of all at once is cheaper than one by one


Share = tuple[int, float]  # the number of a label, and what a feature seen under it adds


@dataclass(frozen=True)
class Model:
    """What a feature says of a label: log of how much likelier it is there than anywhere, smoothed towards "no difference"."""

    labels: tuple[str, ...]
    unseen: tuple[float, ...]  # per label, said by every feature that was never seen under it
    rare: dict[str, tuple[Share, ...]]  # feature -> what more it says of the few labels it was seen under
    common: dict[str, tuple[float, ...]]  # feature seen under many -> what more it says of each label


def features(sentence: str) -> set[str]:
    """Stems, and pairs of stems with at most two words between them."""
    stems = [word[:STEM] for word in sentence.split()]
    found = set(stems)
    for apart, distance in GAPS:
        found.update(map(apart.join, zip(stems, stems[distance:], strict=False)))
    return found


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
    by_label: list[Counter[str]] = [Counter() for _ in labels]
    for text, label in pairs:
        by_label[index[label]].update(features(text))
    totals = [found.total() for found in by_label]
    unseen = tuple(math.log(SMOOTHING / (total + SMOOTHING)) for total in totals)
    counts: dict[str, tuple[tuple[int, int], ...]] = {}
    for number, found in enumerate(by_label):
        for feature, count in found.items():
            counts[feature] = (*counts.get(feature, ()), (number, count))

    @cache  # most features were seen once: they share a few rows
    def shares(of: tuple[tuple[int, int], ...]) -> tuple[Share, ...]:
        smoothed = SMOOTHING * sum(count for _, count in of) / sum(totals)
        return tuple((number, math.log((count + smoothed) / smoothed)) for number, count in of)

    rare = {feature: shares(of) for feature, of in counts.items() if len(of) <= FEW}
    wide = {feature: dict(shares(of)) for feature, of in counts.items() if len(of) > FEW}
    common = {feature: tuple(row.get(number, 0.0) for number in range(len(labels))) for feature, row in wide.items()}
    return Model(labels, unseen, rare, common)


@once
def model() -> Model:
    """Counted once per process from the example files."""
    return learn(examples())


@lru_cache(maxsize=5_000)
def likeness(sentence: str) -> dict[str, float]:
    """Probability per label for one normalised sentence; labels under 2% are left out."""
    known = model()
    words = features(sentence)
    if len(sentence.split()) < MIN_WORDS:
        return {}
    rare = [known.rare[word] for word in words if word in known.rare]
    common = [known.common[word] for word in words if word in known.common]
    if not rare and not common:
        return {}
    sums = [(len(rare) + len(common)) * value for value in known.unseen]
    if common:
        sums = list(map(add, sums, map(sum, zip(*common, strict=True))))
    for row in rare:
        for number, more in row:
            sums[number] += more
    scale, top = len(words) ** -LENGTH_POWER, max(sums)
    exponentials = [math.exp((value - top) * scale) for value in sums]
    total = sum(exponentials)
    return {known.labels[number]: value / total for number, value in enumerate(exponentials) if value > 0.02 * total}
