"""Limits are exact, global, per person and per address, and tell when to come back (R-122 … R-126)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import get_resolver, reverse

from aaperture.lib.limits import API_LIMIT, FAMILIES, LIMITS, Key, count, limit_of, take
from audit.models import Activity
from tests import processes
from tests.accounts.people import make_user
from tests.urlconf import every_url

pytestmark = pytest.mark.django_db
START = "integrations:processing_start"


def test_no_url_is_without_a_limit():
    missing = [name for name, _route, _pattern in every_url(get_resolver()) if limit_of(name) is None]
    assert not missing, "give these a limit in aaperture/lib/limits.py"


def test_no_limit_is_kept_for_a_url_that_is_gone():
    names = {name for name, _route, _pattern in every_url(get_resolver())}
    assert not set(LIMITS) - names
    assert not [family for family in FAMILIES if not any(name.startswith(family) for name in names)]


@pytest.mark.parametrize(
    ("name", "times"),
    [("account_login", 5), ("account_signup", 3), ("google_login", 10), (START, 5), ("api:login", 5), ("api:register", 3)],
)
def test_the_promised_numbers(name, times):
    assert limit_of(name)[:2] == (times, 60) and API_LIMIT[:2] == (100, 60)


@pytest.mark.parametrize(("name", "times"), [("account_login", 5), ("account_signup", 3)])
def test_one_more_than_allowed_is_429_and_says_so(client, name, times):
    answers = [client.post(reverse(name), {}) for _ in range(times + 1)]
    assert [answer.status_code for answer in answers] == [200] * times + [429]
    assert "Too many requests" in answers[-1].content.decode()
    assert client.get(reverse(name)).status_code == 200, "the form itself can still be read"


def test_a_machine_is_told_in_json(client):
    for _ in range(6):
        response = client.post(reverse("account_login"), {}, headers={"accept": "application/json"})
    assert response.status_code == 429 and response.json()["detail"] == "Too many requests"


def test_the_sixth_scan_in_a_minute_is_429_with_a_true_retry_after(client):
    client.force_login(make_user())
    began = time.monotonic()
    answers = [client.post(reverse(START)) for _ in range(6)]
    assert [answer.status_code == 429 for answer in answers] == [False] * 5 + [True]
    assert 60 - (time.monotonic() - began) - 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert Activity.objects.filter(action="rate_limit.exceeded").count() == 1


def test_one_person_used_up_does_not_stop_another(client):
    client.force_login(make_user())
    for _ in range(6):
        client.post(reverse(START))
    other = Client()
    other.force_login(make_user())
    assert other.post(reverse(START)).status_code != 429


def test_the_same_person_is_counted_from_whatever_address_and_whatever_a_header_claims():
    user = make_user()
    statuses = []
    for number in range(6):
        browser = Client(REMOTE_ADDR=f"203.0.113.{number}", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}", HTTP_X_REAL_IP=f"192.0.2.{number}")
        browser.force_login(user)
        statuses.append(browser.post(reverse(START)).status_code)
    assert statuses[-1] == 429 and 429 not in statuses[:5]


def test_a_stranger_is_counted_by_address_and_not_by_what_a_header_claims():
    statuses = [
        Client(HTTP_X_FORWARDED_FOR=f"198.51.100.{n}", HTTP_X_REAL_IP=f"192.0.2.{n}").post(reverse("account_login"), {}).status_code
        for n in range(6)
    ]
    assert statuses == [200] * 5 + [429]
    assert Client(REMOTE_ADDR="203.0.113.77").post(reverse("account_login"), {}).status_code == 200


def test_many_accounts_behind_one_address_have_a_limit_together(client):
    for number in range(11):
        client.force_login(make_user())
        statuses = [client.post(reverse(START)).status_code for _ in range(5)]
        assert (429 in statuses) == (number == 10)


def test_mail_to_one_address_is_limited_from_wherever_it_is_asked_for(mailoutbox):
    statuses = [
        Client(REMOTE_ADDR=f"203.0.113.{n}").post(reverse("account_reset_password"), {"email": f" {spelling}@example.test"}).status_code
        for n, spelling in enumerate(["alice", "Alice", "ALICE", "alice", "alicE", "alice"])
    ]
    assert statuses == [302] * 5 + [429]


def test_nobody_mails_strangers_by_adding_their_addresses(client):
    client.force_login(make_user())
    statuses = [client.post(reverse("account_email"), {"action_send": "", "email": f"s{n}@example.test"}).status_code for n in range(21)]
    assert statuses == [302] * 20 + [429]


def test_sixty_requests_at_once_are_counted_one_by_one():
    with ThreadPoolExecutor(20) as pool:
        numbers = sorted(number for number, _ in pool.map(lambda _: count("test|x", 60), range(60)))
    assert numbers == list(range(1, 61))


def test_no_second_sees_more_than_its_limit_wherever_it_begins():
    passed = []
    while len(passed) < 11:
        before = time.monotonic()
        if not take([Key("test|edge", 5, 1)]):
            passed.append((before, time.monotonic()))
        time.sleep(0.01)
    assert all(later - earlier > 0.98 for (earlier, _), (_, later) in zip(passed, passed[5:], strict=False))


def test_retry_after_is_true_also_for_somebody_who_goes_on_asking():
    before = time.monotonic()
    take([Key("test|z", 1, 1)])
    refused = after = asked = time.monotonic()
    while take([Key("test|z", 1, 1)]):
        refused = asked
        time.sleep(0.02)
        asked = time.monotonic()
    assert time.monotonic() - before > 0.9, "let through once the second is over"
    assert refused - after < 1.1, "and refused no longer, however slowly this machine asks"


def test_a_request_refused_by_one_key_is_not_counted_by_the_other():
    take([Key("test|full", 1, 60)])
    for _ in range(3):
        assert take([Key("test|full", 1, 60), Key("test|free", 5, 60)])
    assert count("test|free", 60)[0] == 1


def test_a_limit_ends_with_its_window():
    count("test|y", 60)
    client = caches["limits"]._cache.get_client("test|y", write=True)
    client.expire(caches["limits"].make_key("test|y"), 0)
    assert count("test|y", 60)[0] == 1


def test_a_valkey_that_was_restarted_counts_again():
    count("test|r", 60)
    caches["limits"]._cache.get_client("x", write=True).script_flush()
    assert count("test|r", 60)[0] == 2


def test_a_dead_valkey_lets_pages_through(client, settings, caplog):
    settings.CACHES = settings.CACHES | {"limits": settings.CACHES["limits"] | {"LOCATION": "unix:///nonexistent.sock?db=0"}}
    response = client.get(reverse("site:privacy"))
    assert response.status_code == 200 and "limits unavailable" in caplog.text


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_signing_in_says_503_while_valkey_is_down(client, settings, accept):
    settings.CACHES = {alias: values | {"LOCATION": "unix:///nonexistent.sock?db=0"} for alias, values in settings.CACHES.items()}
    response = client.post(reverse("account_login"), {"login": "x@example.test", "password": "y"}, headers={"accept": accept})
    assert response.status_code == 503 and response.headers["Retry-After"] == "30"


ASK = """
from concurrent.futures import ThreadPoolExecutor
from django.test import Client
def ask(_):
    return Client(REMOTE_ADDR="203.0.113.9").post("/accounts/login/", {}).status_code
with ThreadPoolExecutor(30) as pool:
    print(*pool.map(ask, range(30)))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_sixty_at_once_through_two_processes_exactly_five_come_through():
    statuses = " ".join(processes.outputs(processes.start(ASK, times=2))).split()
    assert len(statuses) == 60 and statuses.count("429") == 55 and statuses.count("200") == 5
