"""Gmail's per-user budget: 250 quota units a second, a get is 5. Off until a test turns it on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.google_errors import ApiError

UNITS = {
    "gmail.users.getProfile": 1,
    "gmail.users.labels.list": 1,
    "gmail.users.labels.get": 1,
    "gmail.users.history.list": 2,
    "gmail.users.messages.list": 5,
    "gmail.users.messages.get": 5,
    "gmail.users.messages.attachments.get": 5,
    "gmail.users.messages.insert": 25,
}


@dataclass
class Bucket:
    units: float
    filled_at: float


class Quota:
    def __init__(self) -> None:
        self.units_per_second: float | None = None
        self.burst = 0.0
        self.buckets: dict[str, Bucket] = {}
        self.refused = 0

    def set(self, units_per_second: float | None, burst: float | None = None) -> None:
        """Switch the budget on (or off with None); `burst` is how much may be saved up, default one second's worth."""
        self.units_per_second = units_per_second
        self.burst = burst if burst is not None else (units_per_second or 0.0)
        self.buckets.clear()
        self.refused = 0

    def spend(self, email: str, api: str) -> None:
        if self.units_per_second is None:
            return
        now = time.monotonic()
        bucket = self.buckets.setdefault(email, Bucket(self.burst, now))
        bucket.units = min(self.burst, bucket.units + (now - bucket.filled_at) * self.units_per_second)
        bucket.filled_at = now
        cost = UNITS.get(api, 5)
        if bucket.units < cost:
            self.refused += 1
            again = datetime.fromtimestamp(time.time() + 1, UTC).isoformat(timespec="milliseconds")
            raise ApiError(429, f"User-rate limit exceeded.  Retry after {again.replace('+00:00', 'Z')}")
        bucket.units -= cost
