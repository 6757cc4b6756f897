"""The last word: what was found in a mail, weighed by what the labelled mails of the tuning corpus taught.

The findings are named (rules, likeness, subject matter, sender, conversation, single words); their weights per label are
data, `weights.json`, written by `scripts/fit_classifier.py`. Run it again after changing tables or examples.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING

from aaperture.lib.once import once
from tracker.classify.words import words

if TYPE_CHECKING:
    from tracker.classify.evidence import Reading

WEIGHTS = Path(__file__).parent / "weights.json"
FLAGS = ("is_reply", "is_bulk", "is_auto_reply", "is_person", "is_no_reply")


@dataclass(frozen=True)
class Weights:
    labels: tuple[str, ...]
    bias: tuple[float, ...]
    by_finding: Mapping[str, tuple[float, ...]]
    rarity: Mapping[str, float]  # of each word that counts


@once
def weights() -> Weights:
    """Read once per process."""
    data = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    by_finding = {name: tuple(row) for name, row in data["weights"].items()}
    return Weights(tuple(data["labels"]), tuple(data["bias"]), by_finding, data["rarity"])


def _of_rules(reading: "Reading") -> dict[str, float]:
    found: dict[str, float] = {}
    for group, hit in reading.hits.items():
        if not group.label.startswith(("about:", "mood:")):
            name = f"rule {group.label} {group.weight:.0f}"
            found[name] = max(found.get(name, 0.0), min(hit.score / group.weight, 2.0))
    return found


def _of_likeness(reading: "Reading") -> dict[str, float]:
    found: dict[str, float] = {}
    total = sum(reading.likes.values()) + 0.3
    relevant = sum(value for label, value in reading.likes.items() if ":" not in label) / total
    for label, value in reading.likes.items():
        found[f"like {label}"] = min(value, 2.5)
        found[f"share {label}"] = value / total
    found |= {f"typical {label}": value for label, (value, _) in reading.closest.items()}
    return found | {"relevant": relevant, "irrelevant": 1 - relevant}


def _of_subject(reading: "Reading", own: float, other: float) -> dict[str, float]:
    found = {f"about {name}": min(count, 4) / 2 for name, count in reading.about.items()}
    found["about us"] = max(-3.0, min(3.0, own - other)) / 2
    return found | {"elsewhere": float(other > own), "surely elsewhere": float(other >= own + 2)}


def findings(
    reading: "Reading", scores: Mapping[str, float], first: str, *, own: float, other: float, slots: int, quote: bool
) -> dict[str, float]:
    """Everything that is weighed, by name. `scores` and `first` are the tables' own opinion."""
    found = _of_rules(reading) | _of_likeness(reading) | _of_subject(reading, own, other)
    found |= {name: float(getattr(reading, name)) for name in FLAGS}
    found |= {"slots": min(slots, 3) / 2, "quote subject": float(quote), f"tables say {first}": 1.0}
    noise = max((score for name, score in scores.items() if name.startswith("noise:")), default=0.0)
    found["score noise"] = min(20.0, noise) / 8
    found |= {f"score {name}": max(0.0, min(20.0, score)) / 8 for name, score in scores.items() if ":" not in name}
    return found | words(reading.lines, weights().rarity)


def weigh(found: Mapping[str, float]) -> list[tuple[float, str]]:
    """Probability and label, the likeliest first."""
    known = weights()
    rows, values = [], []
    for name, value in found.items():
        row = known.by_finding.get(name)
        if row is not None and value:
            rows.append(row)
            values.append(value)
    columns = zip(*rows, strict=True) if rows else repeat((), len(known.labels))
    sums = [sum(map(mul, column, values), bias) for column, bias in zip(columns, known.bias, strict=True)]
    top = max(sums)
    exponentials = [math.exp(value - top) for value in sums]
    total = sum(exponentials)
    return sorted(((value / total, label) for value, label in zip(exponentials, known.labels, strict=True)), reverse=True)
