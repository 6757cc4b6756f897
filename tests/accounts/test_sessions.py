"""Server-side sessions: idle and absolute ends, no life after deletion, deactivation or logout (R-049 … R-055)."""

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Session
from audit.models import Activity
from tests.accounts.people import add_totp, make_user

pytestmark = pytest.mark.django_db
START = 1_900_000_000
PAGE = "/settings/profile/"


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def user(client, clock):
    user = make_user()
    client.force_login(user)
    client.get(PAGE)
    return user


def is_in(client) -> bool:
    return client.get(PAGE).status_code == 200


def test_twenty_nine_idle_minutes_are_fine_and_thirty_one_are_not(client, user, clock):
    clock.shift(29 * 60)
    assert is_in(client)
    clock.shift(29 * 60)
    assert is_in(client)
    clock.shift(31 * 60)
    assert not is_in(client)
    assert Activity.objects.filter(action="session.expired", details__reason="idle").count() == 1


def test_twelve_hours_end_it_however_busy_it_was(client, user, clock):
    for _ in range(12 * 3):
        clock.shift(19 * 60)
        assert is_in(client)
    for _ in range(3):
        clock.shift(14 * 60)
        client.get(PAGE)
    assert not is_in(client)


def test_polling_does_not_keep_a_session_alive(client, user, clock):
    for _ in range(4):
        clock.shift(10 * 60)
        client.get(reverse("integrations:processing_status"))
    assert not is_in(client)


def test_a_session_deleted_on_the_server_is_over_at_once(client, user):
    Session.objects.all().delete()
    assert not is_in(client)


def test_an_inactive_account_is_out_on_its_next_request(client, user):
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    assert not is_in(client)


def test_logging_out_ends_the_session_on_the_server(client, user):
    old = client.cookies["sessionid"].value
    client.post(reverse("account_logout"))
    client.cookies["sessionid"] = old
    assert not is_in(client)


def test_a_tampered_cookie_is_nobody(client, user):
    value = client.cookies["sessionid"].value
    client.cookies["sessionid"] = value[:-1] + ("x" if value[-1] != "x" else "y")
    assert not is_in(client)


def test_two_browsers_may_be_signed_in_at_once(client, user):
    from django.test import Client

    other = Client()
    other.force_login(user)
    assert is_in(client) and is_in(other)


def test_a_changed_role_counts_on_the_next_request(client, user):
    assert client.get("/admin/").status_code == 403
    add_totp(user)
    type(user).objects.filter(pk=user.pk).update(role="admin")
    assert client.get("/admin/").status_code == 200
    type(user).objects.filter(pk=user.pk).update(role="member")
    assert client.get("/admin/").status_code == 403


def test_the_cookie_is_http_only_and_lax(client, sandbox):
    from tests.accounts.people import PASSWORD

    make_user(email="zoe@example.test", password=PASSWORD)
    response = client.post(reverse("account_login"), {"login": "zoe@example.test", "password": PASSWORD})
    cookie = response.cookies["sessionid"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["domain"]
