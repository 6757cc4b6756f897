"""A prepared query gives what the ORM gives: related rows, deferred columns, each thread by its own connection."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aaperture.lib.prepared import Prepared
from accounts.models import Session
from tests.accounts.people import make_user

START = datetime(2000, 1, 1, tzinfo=UTC)


def sessions(key, now):
    return Session.objects.select_related("user").defer("address", "agent").filter(session_key=key, expire_date__gt=now)


@pytest.mark.django_db
def test_it_gives_what_the_orm_gives_by_the_same_text():
    person, now = make_user(), timezone.now()
    for key, hours in (("a" * 32, 1), ("b" * 32, 1), ("c" * 32, -1)):
        Session.objects.create(
            session_key=key, session_data="x", expire_date=now + timedelta(hours=hours), user=person, address="203.0.113.5"
        )
    prepared = Prepared(sessions, "key", START)
    with CaptureQueriesContext(connection) as asked:
        found = [prepared.first(key * 32, now) for key in "abcd"]
    assert [row and row.pk for row in found] == ["a" * 32, "b" * 32, None, None]
    with CaptureQueriesContext(connection) as orm:
        row = Session.objects.select_related("user").defer("address", "agent").get(session_key="a" * 32, expire_date__gt=now)
    assert orm[0]["sql"].startswith(asked[0]["sql"].partition("WHERE")[0])
    assert found[0].user == row.user == person and found[0].user.__dict__.keys() == row.user.__dict__.keys()
    with CaptureQueriesContext(connection) as late:
        assert found[0].get_deferred_fields() == row.get_deferred_fields() == {"address", "agent"} and found[0].user.email == person.email
    assert not late.captured_queries and found[0].address == "203.0.113.5" and found[0]._state.db == "default"


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_by_its_own_connection():
    person, found = make_user(), []
    Session.objects.create(session_key="a" * 32, session_data="x", expire_date=timezone.now() + timedelta(hours=1), user=person)
    prepared = Prepared(sessions, "key", START)

    def ask():
        try:
            found.extend(prepared.first("a" * 32, timezone.now()).user_id for _ in range(20))
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [person.pk] * 80


def test_a_text_that_says_more_than_the_values_is_refused():
    with pytest.raises(ValueError, match="not in"):
        Prepared(lambda key: Session.objects.filter(session_key=key, expire_date__gt=START), "key")._make()
