"""Faults on demand: an error or a delay for requests whose path begins with a prefix."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Fault:
    id: int
    status: int
    path: str = "/"
    remaining: int | None = None  # None: until cleared
    after: int = 0  # let this many matching requests through first
    reason: str = ""  # Google's reason, default by status
    retry_after: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Latency:
    milliseconds: float
    path: str = "/"


class Faults:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.latencies: list[Latency] = []
        self.ids = itertools.count(1)

    def add(self, **fields: Any) -> Fault:
        fault = Fault(next(self.ids), **fields)
        self.faults.append(fault)
        return fault

    def set_latency(self, milliseconds: float, path: str = "/") -> None:
        """One delay per prefix; 0 removes it."""
        self.latencies = [entry for entry in self.latencies if entry.path != path]
        if milliseconds > 0:
            self.latencies.append(Latency(milliseconds, path))

    def clear(self) -> None:
        self.faults.clear()
        self.latencies.clear()

    def delay(self, path: str) -> float:
        """Return the seconds to wait before answering `path`: the longest delay that fits."""
        return max((e.milliseconds for e in self.latencies if path.startswith(e.path)), default=0) / 1000

    def take(self, path: str) -> Fault | None:
        """Return the fault that hits this request, counting it down."""
        for fault in self.faults:
            if not path.startswith(fault.path):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.remaining is not None:
                fault.remaining -= 1
                if fault.remaining <= 0:
                    self.faults.remove(fault)
            return fault
        return None
