"""The budget of one mailbox, shared by everybody who reads it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from redis import Redis

from integrations import quota


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.CACHES["limits"]["LOCATION"])


def seconds(*budgets: quota.Budget, takes: int, units: float = 5) -> float:
    """How long `takes` calls take, spread over the budgets from eight threads."""
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: budgets[n % len(budgets)].take(units), range(takes)))
    return time.perf_counter() - started


@pytest.mark.parametrize("shared", [True, False])
def test_threads_share_a_budget(redis, shared):
    budget = quota.Budget(f"t{time.time_ns()}", rate=500, burst=50, redis=redis if shared else None)
    assert 0.85 <= seconds(budget, takes=100) < 1.5


def test_processes_share_a_budget(redis):
    name = f"t{time.time_ns()}"
    two = [quota.Budget(name, rate=500, burst=50, redis=redis) for _ in range(2)]
    assert seconds(*two, takes=100) >= 0.85


def test_a_rebuke_counts_once_however_many_get_it(redis):
    budget = quota.Budget(f"t{time.time_ns()}", rate=500, burst=50, redis=redis)
    for _ in range(8):
        budget.penalise(0.4)
    assert 0.35 <= seconds(budget, takes=1) < 0.8


def test_without_valkey_each_process_counts_for_itself():
    nowhere = Redis.from_url("redis://127.0.0.1:9", socket_connect_timeout=0.1)
    budget = quota.Budget("x", rate=500, burst=50, redis=nowhere)
    assert seconds(budget, takes=60) >= 0.45


def test_a_rate_of_nothing_is_no_budget():
    assert seconds(quota.Budget("x", rate=0, burst=0), takes=1000) < 1


def test_no_key_names_the_mailbox(redis):
    quota.Budget("gmail:108-subject", rate=500, burst=50, redis=redis).take(1)
    assert not list(redis.scan_iter("*108-subject*"))
