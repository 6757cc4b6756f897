"""Which background processes are alive: each says so every few seconds in Valkey, and monitoring reads it there.

Only kinds, names of hosts and instants. Losing them harms nobody: a process that lives is back within seconds.
"""

import logging
import time
from datetime import UTC, datetime
from typing import NamedTuple, cast

import redis
from django.conf import settings
from redis.exceptions import RedisError

from aaperture.lib.once import once

logger = logging.getLogger(__name__)

KEY = "heartbeats"
EVERY = 10.0  # seconds
FORGOTTEN_AFTER = 24 * 3600
WORKER, CLOCK = "worker", "clock"
_said: dict[str, float] = {}


class Heartbeat(NamedTuple):
    """A process that was heard of; `queues` are those a worker takes tasks from."""

    kind: str
    name: str
    queues: tuple[str, ...]
    at: datetime

    def age(self, now: datetime) -> float:
        """In seconds."""
        return max((now - self.at).total_seconds(), 0.0)


@once
def _client() -> redis.Redis:
    """Its own, with short patience: a worker's event loop must not wait for it."""
    return redis.Redis.from_url(settings.CACHES["default"]["LOCATION"], socket_timeout=1, socket_connect_timeout=1)


def _member(kind: str, name: str, queues: tuple[str, ...]) -> str:
    return "|".join((kind, name.replace("|", "")[:100], ",".join(sorted(queues))))


def say(kind: str, name: str, queues: tuple[str, ...] = (), *, now: float | None = None) -> None:
    """This process lives. At most one word to Valkey in ten seconds, however often it is called; failures are logged."""
    member, now = _member(kind, name, queues), time.time() if now is None else now
    if 0 <= now - _said.get(member, 0) < EVERY:
        return
    _said[member] = now
    try:
        with _client().pipeline(transaction=False) as pipeline:
            pipeline.zadd(KEY, {member: now})
            pipeline.zremrangebyscore(KEY, "-inf", now - FORGOTTEN_AFTER)
            pipeline.execute()
    except (RedisError, OSError) as error:
        logger.warning("heartbeat not told", extra={"kind": kind, "error": type(error).__name__})


def end(kind: str, name: str, queues: tuple[str, ...] = ()) -> None:
    """This process stops as it should, and nobody need miss it."""
    _said.pop(_member(kind, name, queues), None)
    try:
        _client().zrem(KEY, _member(kind, name, queues))
    except (RedisError, OSError) as error:
        logger.warning("heartbeat not ended", extra={"kind": kind, "error": type(error).__name__})


def heard() -> list[Heartbeat]:
    """Everybody heard of in the last day, the newest first. Raises RedisError or OSError when Valkey does not answer."""
    entries = cast("list[tuple[bytes, float]]", _client().zrange(KEY, 0, -1, desc=True, withscores=True))
    found = []
    for member, at in entries:
        kind, name, queues = [*member.decode(errors="replace").split("|"), "", ""][:3]
        found.append(Heartbeat(kind, name, tuple(filter(None, queues.split(","))), datetime.fromtimestamp(at, UTC)))
    return found
