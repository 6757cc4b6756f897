"""Whether the instance lives and is ready: for load balancers and probes, and in detail for staff."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from accounts import second_factor
from operations.monitoring import snapshot
from operations.monitoring.gauges import Reading, State

DETAILS = "operations.view_monitoring"


@login_not_required
@require_safe
def health_live(request: HttpRequest) -> JsonResponse:
    """200 while this process answers at all."""
    return JsonResponse({"status": "ok"})


@login_not_required
@require_safe
def health_ready(request: HttpRequest) -> JsonResponse:
    """200 when database and cache answer, else 503. Only whoever may see monitoring is told more."""
    took = {name: _milliseconds(ask) for name, ask in (("database", _ask_database), ("cache", _ask_cache))}
    ready = None not in took.values()
    answer: dict[str, Any] = {"status": "ok" if ready else "unavailable"}
    if ready and _may_know(request.user):
        answer |= {"milliseconds": took, "figures": [_told(one) for one in snapshot.take()]}
    return JsonResponse(answer, status=200 if ready else 503)


def _may_know(user: Any) -> bool:
    """This page is open to whoever still lacks the second factor that their role must have: to them it says no more than to a stranger."""
    return user.has_perm(DETAILS) and (not second_factor.required_for(user) or second_factor.has_second_factor(user))


def _milliseconds(ask: Callable[[], None]) -> float | None:
    began = time.perf_counter()
    try:
        ask()
    except (DatabaseError, RedisError, OSError):
        return None
    return round(1000 * (time.perf_counter() - began), 1)


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_cache() -> None:
    caches["default"]._cache.get_client("ready").ping()  # type: ignore[attr-defined]  # Django's own client of the cache, not in the stubs


def _told(reading: Reading) -> dict[str, Any]:
    part = {reading.gauge.part: reading.part} if reading.part else {}
    return {"name": reading.gauge.name, **part, "value": reading.value, "state": State(reading.state).name.lower()}
