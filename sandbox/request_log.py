"""What was asked of the sandbox: a bounded log and exact counts."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

LONGEST = 50_000


class Entry(NamedTuple):
    at: float
    method: str
    path: str
    query: str
    status: int
    api: str  # e.g. gmail.users.messages.get, oauth.token
    account: str
    milliseconds: float
    batched: bool

    def as_dict(self) -> dict[str, Any]:
        return {**self._asdict(), "query": dict(parse_qsl(self.query, keep_blank_values=True))}


class RequestLog:
    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=LONGEST)
        self.counts: Counter[str] = Counter()
        self.total = 0

    def add(
        self,
        method: str,
        path: str,
        query: str,
        status: int,
        *,
        api: str,
        account: str = "",
        started: float,
        batched: bool = False,
    ) -> None:
        spent = (time.perf_counter() - started) * 1000
        self.entries.append(Entry(time.time(), method, path, query, status, api, account, round(spent, 2), batched))
        self.counts[api or path] += 1
        self.total += 1

    def clear(self) -> None:
        self.entries.clear()
        self.counts.clear()
        self.total = 0
