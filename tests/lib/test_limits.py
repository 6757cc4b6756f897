"""Limits are exact, per person, and tell when to come back (R-123 … R-125)."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from aaperture.lib.limits import LIMITS, count
from audit.models import Activity
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db


def test_the_sixth_scan_in_a_minute_is_429_with_a_true_retry_after(client):
    client.force_login(make_user())
    url = reverse("integrations:processing_start")
    answers = [client.post(url) for _ in range(6)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 5 + [True]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert Activity.objects.filter(action="rate_limit.exceeded").count() == 1


def test_one_person_used_up_does_not_stop_another(client):
    client.force_login(make_user())
    url = reverse("integrations:processing_start")
    for _ in range(6):
        client.post(url)
    other = Client()
    other.force_login(make_user())
    assert other.post(url).status_code != 429


def test_sixty_requests_at_once_are_counted_one_by_one():
    with ThreadPoolExecutor(20) as pool:
        numbers = sorted(number for number, _ in pool.map(lambda _: count("test|x", 60), range(60)))
    assert numbers == list(range(1, 61))


def test_a_limit_ends_with_its_window():
    count("test|y", 60)
    client = caches["limits"]._cache.get_client("test|y", write=True)
    client.expire(caches["limits"].make_key("test|y"), 0)
    assert count("test|y", 60)[0] == 1


def test_a_dead_valkey_lets_pages_through(client, settings, caplog):
    settings.CACHES = settings.CACHES | {"limits": settings.CACHES["limits"] | {"LOCATION": "unix:///nonexistent.sock?db=0"}}
    response = client.post(reverse("account_login"), {"login": "x@example.test", "password": "y"})
    assert response.status_code == 200 and "limits unavailable" in caplog.text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_signing_in_says_503_while_valkey_is_down(client, settings, accept):
    settings.CACHES = {alias: values | {"LOCATION": "unix:///nonexistent.sock?db=0"} for alias, values in settings.CACHES.items()}
    response = client.post(reverse("account_login"), {"login": "x@example.test", "password": "y"}, headers={"accept": accept})
    assert response.status_code == 503 and response.headers["Retry-After"] == "30"


def test_every_limited_name_exists():
    examples = {"openid_callback": {"provider_id": "google"}}
    for name in LIMITS:
        assert reverse(name, kwargs=examples.get(name))
