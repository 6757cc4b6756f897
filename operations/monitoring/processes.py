"""Workers, clock, and the Valkey through which they are woken."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import redis
from django.conf import settings

from aaperture.lib import heartbeats
from operations.monitoring.gauges import Reading, reading

HEARD = timedelta(minutes=1)
DEFAULT_QUEUE = "celery"
PATIENCE = 2.0  # seconds


def task_queues() -> list[str]:
    """The queues that need a worker: Celery's own, and those that tasks are routed to."""
    routed = {str(route["queue"]) for route in settings.CELERY_TASK_ROUTES.values()}
    return [DEFAULT_QUEUE, *sorted(routed - {DEFAULT_QUEUE})]


def processes(now: datetime) -> Iterator[Reading]:
    """Who was heard of. Raises RedisError, OSError."""
    heard = heartbeats.heard()
    workers = [one for one in heard if one.kind == heartbeats.WORKER]
    for queue in task_queues():
        alive = sum(queue in one.queues and one.age(now) <= HEARD.total_seconds() for one in workers)
        yield reading("workers_alive", alive, queue)
    for one in workers:
        yield reading("worker_silent_seconds", one.age(now), f"{one.name} ({', '.join(one.queues)})")
    clock = min((one.age(now) for one in heard if one.kind == heartbeats.CLOCK), default=None)
    yield reading("clock_silent_seconds", clock)


@cache
def _client(address: str) -> redis.Redis:
    return redis.Redis.from_url(address, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, decode_responses=True)


def _broker() -> redis.Redis:
    """redis-py writes a unix socket's address differently from Celery."""
    address = settings.CELERY_BROKER_URL
    if address.startswith("redis+socket://"):
        address = address.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return _client(address)


def broker(_now: datetime) -> Iterator[Reading]:
    """Messages that no worker has taken yet. Raises RedisError, OSError."""
    names = task_queues()
    with _broker().pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(name)
        for name, length in zip(names, pipeline.execute(), strict=True):
            yield reading("broker_messages", length, name)


def valkey(_now: datetime) -> Iterator[Reading]:
    """Raises RedisError, OSError."""
    told: dict[str, Any] = _broker().info()
    used, allowed = told["used_memory"], told.get("maxmemory", 0)
    yield reading("cache_memory_bytes", used)
    yield reading("cache_memory_share", used / allowed if allowed else 0)
    yield reading("cache_clients", told["connected_clients"])
    yield reading("cache_rejected_connections", told.get("rejected_connections", 0))
