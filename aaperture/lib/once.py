"""Values worth computing once per process, by one thread: `functools.cache` lets threads compute side by side."""

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import TypeVar

Value = TypeVar("Value")


def once(function: Callable[[], Value]) -> Callable[[], Value]:
    """`function()` the first time, its result ever after; threads that come meanwhile wait for it."""
    lock = Lock()
    results: list[Value] = []

    @wraps(function)
    def get() -> Value:
        if not results:
            with lock:
                if not results:
                    results.append(function())
        return results[0]

    return get
