"""What a request costs: one query for session and person, one call of Valkey, a write a minute, one bcrypt for a sign-in."""

import time

import bcrypt
import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from redis import Connection

from accounts.models import Session
from tests.accounts.people import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def queries(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured]


def test_a_page_reads_session_and_person_in_one_query_and_writes_nothing(client):
    client.force_login(make_user())
    client.get("/privacy/")
    (only,) = queries(client, "/privacy/")
    assert only.startswith("SELECT") and "accounts_session" in only and "accounts_user" in only and '"address"' not in only


def test_the_session_is_written_once_a_minute(client, monkeypatch):
    client.force_login(make_user())
    client.get("/privacy/")
    now = time.time()
    for after, writes in ((1, 0), (30, 0), (61, 1), (62, 0), (122, 1)):
        monkeypatch.setattr("accounts.middleware.time.time", lambda after=after: now + after)
        assert sum("UPDATE" in sql for sql in queries(client, "/privacy/")) == writes, after


def test_limits_are_one_round_trip(client, monkeypatch):
    client.force_login(make_user())
    client.get("/privacy/")
    sent = []
    real = Connection.send_command
    for kind in {type(caches["limits"]._cache._get_connection_pool(True).make_connection())}:
        monkeypatch.setattr(kind, "send_command", lambda self, *args, **kwargs: sent.append(args[0]) or real(self, *args, **kwargs))
    client.get("/privacy/")
    assert sent == ["EVALSHA"]


@pytest.mark.parametrize("change", ["role", "is_active", "gone"])
def test_the_person_of_the_one_query_is_as_fresh_as_any(client, change):
    user = make_user(role="viewer")
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    if change == "gone":
        user.delete()
    else:
        type(user).objects.filter(pk=user.pk).update(**{change: {"role": "member", "is_active": False}[change]})
    assert client.get("/admin/").status_code == (403 if change == "role" else 302)


def test_a_session_whose_row_names_somebody_else_opens_no_account(client):
    user, other = make_user(), make_user()
    client.force_login(user)
    Session.objects.filter(user=user).update(user=other)
    response = client.get(reverse("settings_profile"))
    assert response.status_code == 200 and response.wsgi_request.user == user, "the signed data say who, the column only lists"


def test_a_changed_password_ends_the_session_in_the_one_query_too(client):
    user = make_user(password=PASSWORD)
    client.force_login(user)
    user.set_password("Another-Pass-88")
    user.save()
    assert client.get(reverse("settings_profile")).status_code == 302


@pytest.mark.parametrize(
    ("email", "password"), [("a@example.test", PASSWORD), ("a@example.test", "Wrong-Pass-77"), ("no@example.test", PASSWORD)]
)
def test_a_sign_in_is_one_bcrypt_whoever_asks(client, monkeypatch, email, password):
    make_user(email="a@example.test", password=PASSWORD)
    client.post(reverse("account_login"), {"login": "warm-up@example.test", "password": "x"})
    hashed, real = [], bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda *given: hashed.append(1) or real(*given))
    client.post(reverse("account_login"), {"login": email, "password": password})
    assert len(hashed) == 1
