"""How the product connects to its database."""

import pytest
from django.db import connection

from aaperture.lib.addresses import database, redis_url


@pytest.mark.django_db
def test_a_process_asleep_inside_a_transaction_gives_its_locks_back():
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)


def test_an_operators_own_options_are_kept():
    configured = database("postgresql://a:b@db.example:5433/name?options=-c%20work_mem%3D8MB&sslmode=require", pooled=False)
    assert configured["OPTIONS"]["options"] == "-c work_mem=8MB" and configured["OPTIONS"]["sslmode"] == "require"
    assert (configured["HOST"], configured["PORT"], configured["NAME"]) == ("db.example", "5433", "name")


def test_every_use_of_valkey_has_a_database_of_its_own():
    assert redis_url("redis://cache.example:6379/4", 2) == "redis://cache.example:6379/6"
    assert redis_url("unix:///run/valkey.sock?db=1", 0, broker=True) == "redis+socket:///run/valkey.sock?virtual_host=1"
