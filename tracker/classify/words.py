"""The words of a mail as findings: stems and pairs of stems, the rarer the weightier, of a length in all that does not grow.

Which of them count, and how rare each is, stands in `weights.json` beside their weights.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from tracker.classify.likeness import STEM

LENGTH = 24.0  # of the vector of all words; how much they weigh beside the other findings


def counts(lines: Iterable[str]) -> Counter[str]:
    """How often each stem and each pair of neighbours stands in normalised lines; the first line is the subject."""
    found: Counter[str] = Counter()
    for number, line in enumerate(lines):
        stems = [word[:STEM] for word in line.split()]
        found.update(stems)
        found.update(map(" ".join, pairwise(stems)))
        if number == 0:
            found.update(f"subject {stem}" for stem in stems)
        if stems:
            found[f"begins {' '.join(stems[:2])}"] += 1
    return found


def words(lines: Iterable[str], rarity: Mapping[str, float]) -> dict[str, float]:
    """The findings "word …" of lines: those words whose rarity is known."""
    known = ((word, times, rarity[word]) for word, times in counts(lines).items() if word in rarity)
    values = {word: (1 + math.log(times)) * rare if times > 1 else rare for word, times, rare in known}
    norm = math.sqrt(sum(value * value for value in values.values()))
    return {f"word {word}": LENGTH * value / norm for word, value in values.items()} if norm else {}
