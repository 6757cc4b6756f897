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
from itertools import chain
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
    total: int
    counts: dict[str, tuple[int, ...]]  # feature -> label, times seen, label, times seen…
    unseen: tuple[float, ...]  # per label, said by every feature that was never seen under it
    rare: dict[str, tuple[Share, ...]]  # features met so far, and what more they say of the few labels they were seen under
    common: dict[str, tuple[float, ...]]  # those seen under many, and what more they say of each label

    def meet(self, feature: str) -> None:
        """Most features are never met, so what one says is reckoned when a mail has it."""
        seen = self.counts[feature]
        smoothed = SMOOTHING * sum(seen[1::2]) / self.total
        more = {number: math.log((times + smoothed) / smoothed) for number, times in zip(seen[::2], seen[1::2], strict=True)}
        if len(more) <= FEW:
            self.rare[feature] = tuple(more.items())
        else:
            self.common[feature] = tuple(more.get(number, 0.0) for number in range(len(self.labels)))


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
    texts: dict[str, list[str]] = {label: [] for label in labels}
    for text, label in pairs:
        texts[label].append(text)
    counts: dict[str, tuple[int, ...]] = {}
    totals = []
    for number, label in enumerate(labels):
        found = Counter(chain.from_iterable(map(features, texts[label])))
        totals.append(found.total())
        for feature, times in found.items():
            counts[feature] = (*counts.get(feature, ()), number, times)
    unseen = tuple(math.log(SMOOTHING / (total + SMOOTHING)) for total in totals)
    return Model(labels, sum(totals), counts, unseen, {}, {})


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
    met = words & known.counts.keys()
    if not met:
        return {}
    for feature in met.difference(known.rare).difference(known.common):
        known.meet(feature)
    rare = [known.rare[feature] for feature in met if feature in known.rare]
    common = [known.common[feature] for feature in met if feature in known.common]
    sums = [len(met) * value for value in known.unseen]
    if common:
        sums = list(map(add, sums, map(sum, zip(*common, strict=True))))
    for row in rare:
        for number, more in row:
            sums[number] += more
    scale, top = len(words) ** -LENGTH_POWER, max(sums)
    exponentials = [math.exp((value - top) * scale) for value in sums]
    total = sum(exponentials)
    return {known.labels[number]: value / total for number, value in enumerate(exponentials) if value > 0.02 * total}
