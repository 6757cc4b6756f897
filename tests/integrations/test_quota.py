"""The budget of one mailbox, shared by everybody who reads it."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.conf import settings
from redis import Redis

from integrations import quota


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.CACHES["limits"]["LOCATION"])


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """What was to be waited: nobody sleeps here, so a hundred calls come at once."""
    waited: list[float] = []
    monkeypatch.setattr(quota, "time", SimpleNamespace(monotonic=time.monotonic, sleep=waited.append))
    return waited


def take(*budgets: quota.Budget, takes: int, units: float = 5) -> float:
    """So many calls, spread over the budgets from eight threads; how long they took."""
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: budgets[n % len(budgets)].take(units), range(takes)))
    return time.perf_counter() - started


@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_a_budget(redis, waits, shared):
    budget = quota.Budget(f"t{time.time_ns()}", rate=500, burst=50, redis=redis if shared else None)
    took = take(budget, takes=100)
    assert 0.9 - took <= max(waits) <= 0.901 and len(waits) >= 90 - 100 * took


def test_processes_share_a_budget(redis, waits):
    name = f"t{time.time_ns()}"
    two = [quota.Budget(name, rate=500, burst=50, redis=redis) for _ in range(2)]
    assert 0.9 - take(*two, takes=100) <= max(waits) <= 0.901


def test_a_rebuke_counts_once_however_many_get_it(redis, waits):
    budget, started = quota.Budget(f"t{time.time_ns()}", rate=500, burst=50, redis=redis), time.perf_counter()
    for _ in range(8):
        budget.penalise(60)
    take(budget, takes=1)
    took = time.perf_counter() - started  # from the last rebuke on it runs down
    assert 60.01 - took <= waits[0] + 0.001 <= 60.012


def test_without_valkey_each_process_counts_for_itself():
    nowhere = Redis.from_url("redis://127.0.0.1:9", socket_connect_timeout=0.1)
    budget = quota.Budget("x", rate=500, burst=50, redis=nowhere)
    assert take(budget, takes=30) >= 0.19


def test_a_rate_of_nothing_is_no_budget(waits):
    take(quota.Budget("x", rate=0, burst=0), takes=1000)
    assert waits == []


def test_no_key_names_the_mailbox(redis):
    quota.Budget("gmail:108-subject", rate=500, burst=50, redis=redis).take(1)
    assert not list(redis.scan_iter("*108-subject*"))
