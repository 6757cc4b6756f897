"""The provider's per-user budget, kept by every thread and process that reads one mailbox.

The generic cell rate algorithm: one number per mailbox, the instant until which its budget is spent. Each
call moves it forward by `units / rate`; a caller sleeps for as much of it as lies beyond the burst.
In Valkey the step is one atomic script, so that several workers share one budget; without Valkey each process
keeps its own.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from threading import Lock

from django.conf import settings
from redis import Redis, RedisError

logger = logging.getLogger(__name__)

KEPT_SECONDS = 120

RESERVE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local spent_until = tonumber(redis.call('GET', KEYS[1]) or '0')
if spent_until < now then spent_until = now end
spent_until = math.max(spent_until + tonumber(ARGV[1]), now + tonumber(ARGV[2]))
redis.call('SET', KEYS[1], string.format('%.6f', spent_until), 'EX', ARGV[3])
return tostring(spent_until - now)
"""


class Budget:
    """`rate` units a second with room for `burst` at once. Thread-safe; a rate of 0 switches it off."""

    def __init__(self, key: str, *, rate: float, burst: float, redis: Redis | None = None) -> None:
        self._name = "quota:" + hashlib.sha256(key.encode()).hexdigest()[:32]
        self._rate, self._burst = rate, burst
        self._script: Callable | None = redis.register_script(RESERVE) if redis is not None else None
        self._spent_until = 0.0
        self._lock = Lock()

    def take(self, units: float) -> None:
        """Wait until `units` may be spent."""
        if self._rate:
            wait = self._reserve(units / self._rate) - self._burst / self._rate
            if wait > 0:
                time.sleep(wait)

    def penalise(self, seconds: float) -> None:
        """The provider asked for less: nobody spends anything for `seconds`, however many were told so."""
        if self._rate:
            self._reserve(0, at_least=seconds + self._burst / self._rate)

    def _reserve(self, seconds: float, *, at_least: float = 0) -> float:
        """Book `seconds` of budget; return how far ahead of now the budget is spent, in seconds."""
        if self._script is not None:
            try:
                times = [f"{seconds:.6f}", f"{at_least:.6f}", KEPT_SECONDS]
                return float(self._script(keys=[self._name], args=times))
            except RedisError:
                logger.warning("shared quota unavailable, counting in this process")
                self._script = None
        with self._lock:
            now = time.monotonic()
            self._spent_until = max(max(self._spent_until, now) + seconds, now + at_least)
            return self._spent_until - now


def gmail_budget(account: str) -> Budget:
    """The budget of one Google account at Gmail: 250 units a second unless settings say otherwise."""
    rate = settings.GMAIL_UNITS_PER_SECOND
    valkey = settings.CACHES["limits"]["LOCATION"]
    redis = Redis.from_url(valkey, socket_timeout=2, socket_connect_timeout=2) if rate else None
    return Budget(f"gmail:{account}", rate=rate, burst=rate / 2, redis=redis)
