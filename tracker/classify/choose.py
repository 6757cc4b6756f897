"""One candidate among several, or none: what was seen of each, weighed by what the labelled mails of the tuning corpora taught.

The weights are data, `extract_weights.json`, written by `scripts/fit_extraction.py`; run it again after changing what is seen.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import repeat
from operator import mul
from pathlib import Path

from aaperture.lib.once import once

WEIGHTS = Path(__file__).parent / "extract_weights.json"
NONE = ""


@dataclass
class Candidate:
    """A name as it is written, and what was seen of it: finding -> strength (mostly 1)."""

    text: str
    seen: dict[str, float] = field(default_factory=dict)

    def see(self, *findings: str) -> None:
        self.seen.update(dict.fromkeys(findings, 1.0))


@once
def weights() -> Mapping[str, Mapping[str, float]]:
    """Per kind of name (company, role): finding -> weight. Read once per process."""
    data: dict[str, dict[str, float]] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return data


def chances(candidates: list[Candidate], of: Mapping[str, float]) -> list[float]:
    """How likely each candidate is the right one; they sum to 1."""
    scores = [sum(map(mul, map(of.get, its.seen, repeat(0.0)), its.seen.values())) for its in candidates]
    top = max(scores)
    shares = [math.exp(score - top) for score in scores]
    total = sum(shares)
    return [share / total for share in shares]


def choose(candidates: list[Candidate], kind: str, *, least: float) -> str:
    """The likeliest candidate, or "" when none is likely: when what is left unsaid outweighs it, or it has less than `least`."""
    found = chances(candidates, weights()[kind])
    best = max(range(len(found)), key=found.__getitem__)
    return candidates[best].text if found[best] >= least else NONE
