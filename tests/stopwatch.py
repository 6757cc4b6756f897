"""What work costs the processor. A busy machine makes it longer and never shorter: what seems too much is measured again."""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial

TRIES = 6


def cpu_seconds(work: Callable[[], object], *, below: float) -> float:
    """The least of a few measurements, or the first that is `below`."""
    least = math.inf
    for _ in range(TRIES):
        least = min(least, _seconds(work))
        if least < below:
            break
    return least


def cpu_seconds_of_each(works: Mapping[str, Callable[[int], object]], *, ratio: float) -> dict[str, float]:
    """The least of a few measurements of each, or of as many as it takes until none is `ratio` times another; they are given the number."""
    least = dict.fromkeys(works, math.inf)
    for number in range(TRIES):
        for name, work in works.items():
            least[name] = min(least[name], _seconds(partial(work, number)))
        if max(least.values()) < ratio * min(least.values()):
            break
    return least


def _seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
