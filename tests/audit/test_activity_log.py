"""The activity log: append-only for the application, complete in form, silent about secrets."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import RequestFactory
from django.utils import timezone

from audit.models import Activity
from audit.services import UnknownAction, as_record, make_partitions, record, record_many
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db


def run(sql: str, params: list | None = None) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def test_a_record_stands_or_falls_with_the_callers_transaction():
    user = make_user()
    before = Activity.objects.count()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record("user.updated", user)
        raise ZeroDivisionError
    assert Activity.objects.count() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_activity SET action = 'user.login'",
        "DELETE FROM audit_activity",
        "TRUNCATE audit_activity",
        "ALTER TABLE audit_activity DISABLE TRIGGER ALL",
        "DROP TABLE audit_activity",
        "DELETE FROM audit_activity_default",
        "INSERT INTO audit_activity_default SELECT * FROM audit_activity",
        "INSERT INTO audit_activity SELECT * FROM audit_activity",
        "INSERT INTO audit_activity (id, recorded_at, tx) VALUES (gen_random_uuid(), now(), 1)",
        "SELECT audit_make_partition('9999-01-01')",
        "SELECT audit_make_partition(NULL)",
        "CREATE TABLE mine (id int)",
    ],
)
def test_the_application_role_may_only_read_and_add(statement):
    record("user.updated", make_user())
    with pytest.raises(DatabaseError), transaction.atomic():
        run(statement)


def test_even_the_owner_is_refused_an_update_by_trigger(test_database):
    import psycopg

    record("user.updated", make_user())
    with psycopg.connect(test_database.url(test_database.owner_url)) as owner:
        owner.execute(
            "INSERT INTO audit_activity (id, recorded_at, action, actor_kind, credential, credential_id, target_type, target_id,"
            " request_id, details, canonical) VALUES (gen_random_uuid(), now(), 'a', 'system', '', '', '', '', '', '{}', '')"
        )
        for statement in ("UPDATE audit_activity SET action = 'b'", "DELETE FROM audit_activity"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"), owner.transaction():
                owner.execute(statement)
        owner.rollback()


def test_the_record_has_the_format_of_the_seed():
    user = make_user()
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"User-Agent": "Firefox"})
    request.user = user
    activity = record("user.login", user, request=request, method="password")
    shown = as_record(Activity.objects.get(pk=activity.pk), username=user.email)
    assert list(shown) == ["id", "user_id", "username", "action", "details", "ip_address", "user_agent", "timestamp"]
    assert shown["ip_address"] == "203.0.113.9" and shown["user_agent"] == "Firefox" and shown["timestamp"].endswith("Z")
    assert shown["details"] == {"method": "password"} and shown["user_id"] == str(user.pk)


def test_the_canonical_text_covers_every_stored_column():
    user = make_user()
    activity = Activity.objects.get(pk=record("user.updated", user, actor=user, fields=["name"]).pk)
    canonical = json.loads(activity.canonical)
    columns = {field.column for field in Activity._meta.concrete_fields} - {"canonical", "tx"}
    assert set(canonical) == columns
    assert canonical["recorded_at"] == activity.recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert canonical["id"] == str(activity.pk) and canonical["details"] == {"fields": ["name"]}


def test_the_canonical_text_is_the_json_of_the_columns_whatever_they_hold():
    from django.core.serializers.json import DjangoJSONEncoder

    from audit.seal import rows
    from audit.services import encode

    user = make_user()
    request = RequestFactory().get("/", REMOTE_ADDR="2001:db8::1", headers={"User-Agent": 'Fire"fox\\ \t é\u2028'})
    request.user, request.request_id, request.credential_id = user, 'quote " and \\ and \n', "é"
    details = {
        "b": [1, 2.5, None, True],
        "a": {"z": "line\nbreak", "é": '"'},
        "when": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        "id": user.pk,
    }
    activity = record("user.updated", user, request=request, account=user.email, organization_id=uuid.uuid4(), **details)
    said = json.loads(activity.canonical)
    assert json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == activity.canonical
    assert said["details"] == json.loads(json.dumps(details, cls=DjangoJSONEncoder)) == json.loads(encode(details))
    names = ", ".join(f"{name}::text" if name not in rows.BINARY else name for name in rows.COLUMNS)
    (stored,) = run(f"SELECT {names} FROM audit_activity WHERE id = %s", [activity.pk])
    columns = dict(zip(rows.COLUMNS, stored, strict=True))
    columns |= {name: columns[name] and bytes(columns[name]) for name in rows.BINARY} | {"details": json.loads(columns["details"])}
    assert rows.differing(columns) == []


def test_what_record_gives_back_is_what_stands_in_the_log():
    user = make_user()
    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"User-Agent": "Firefox"})
    request.user = user
    given = record("user.updated", user, request=request, fields=["name"])
    stored = Activity.objects.get(pk=given.pk)
    for field in Activity._meta.concrete_fields:
        assert getattr(given, field.attname) == getattr(stored, field.attname), field.name


def test_a_record_that_the_database_refuses_is_a_database_error_of_django():
    with pytest.raises(DatabaseError), transaction.atomic():
        record("user.updated", note="nul \0")


def test_an_unknown_action_and_a_secret_detail_are_refused():
    with pytest.raises(UnknownAction):
        record("user.loggedin")
    with pytest.raises(ValueError, match="access_token"):
        record("user.updated", access_token="x")


def test_many_records_are_one_statement(django_assert_num_queries):
    users = [make_user() for _ in range(3)]
    with django_assert_num_queries(1):
        record_many("user.updated", users)


def test_rows_go_into_the_partition_of_their_month_and_the_application_can_make_the_next():
    make_partitions(months=14)
    names = {name for (name,) in run("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_activity'::regclass")}
    assert f"audit_activity_{timezone.now() + timedelta(days=400):%Y_%m}" in names
    record("user.updated", make_user())
    (where,) = {name for (name,) in run("SELECT tableoid::regclass::text FROM audit_activity")}
    assert where != "audit_activity_default" and where in names


def test_nothing_the_caller_defines_runs_with_the_rights_of_the_partition_maker(test_database):
    import psycopg

    with psycopg.connect(test_database.url(test_database.owner_url), autocommit=True) as owner:  # where migrations took that away
        owner.execute(f"GRANT TEMPORARY ON DATABASE {test_database.name} TO PUBLIC")
    with psycopg.connect(test_database.url(test_database.application_url), autocommit=True) as app:
        app.execute("CREATE TEMPORARY TABLE ran_as (who text)")
        app.execute("GRANT ALL ON ran_as TO PUBLIC")
        app.execute(
            "CREATE FUNCTION pg_temp.note(value pg_catalog.date) RETURNS boolean LANGUAGE sql"
            " AS 'INSERT INTO pg_temp.ran_as VALUES (current_user); SELECT true'"
        )
        app.execute("CREATE DOMAIN pg_temp.date AS pg_catalog.date CHECK (pg_temp.note(VALUE))")
        app.execute("SELECT audit_make_partition(current_date)")
        assert app.execute("SELECT who FROM pg_temp.ran_as WHERE who <> current_user").fetchall() == []


def test_a_tried_account_name_is_kept_as_a_keyed_hash_only():
    request = RequestFactory().post("/")
    record("user.login.failed", request=request, account="Someone@Example.test")
    record("user.login.failed", request=request, account=" someone@example.test ")
    first, second = Activity.objects.filter(action="user.login.failed")
    assert bytes(first.account_hash) == bytes(second.account_hash)
    assert "someone" not in str(run("SELECT canonical, details FROM audit_activity")).lower()


def test_an_anonymous_actors_address_is_sealed_under_the_months_instance_key():
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.4")
    activity = record("user.login.failed", request=request)
    assert Activity.objects.get(pk=activity.pk).address == "198.51.100.4"
    assert activity.key_owner.kind == "instance" and activity.actor_kind == "anonymous"
    assert isinstance(activity.pk, uuid.UUID) and activity.pk.version == 7
