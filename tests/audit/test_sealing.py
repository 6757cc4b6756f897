"""The sealer: order, batches, one at a time, and what it does when somebody was at its table."""

import threading
from datetime import date, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from audit.models import Activity, AuditSeal, SealLeaves, SecurityAlert
from audit.seal import chain, sealing, watching
from audit.seal.chain import Seal
from audit.seal.findings import Kind
from audit.seal.verification import verify
from audit.services import record
from tests.accounts.people import make_user
from tests.audit.sealed import as_owner, make_activity, make_old_activity, seal_all

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_committed_row_is_sealed_once_and_in_order():
    make_activity(seals=3, rows=4)
    seals = [Seal.of(row) for row in AuditSeal.objects.order_by("number")]
    assert [seal.number for seal in seals] == list(range(1, len(seals) + 1))
    assert sum(seal.count for seal in seals) == Activity.objects.count()
    assert all(seal.is_genuine() and seal.public_key in chain.trusted_keys() for seal in seals)
    assert [seal.previous_head for seal in seals] == [chain.FIRST_HEAD, *(seal.head for seal in seals[:-1])]
    assert all(before.last < after.first for before, after in pairwise(seals))
    report = verify()
    assert report.is_intact and report.rows == Activity.objects.count() and report.unsealed == 0, report.findings


def test_nothing_slips_in_behind_a_seal():
    """A row of a transaction that began earlier and commits later: nothing after it is sealed before it."""
    user = make_user()
    seal_all()
    before = AuditSeal.objects.count()
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            record("user.updated", user)
            written.set()
            may_commit.wait(60)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(60)
    record("user.activated", user)  # commits at once, with a later transaction number
    assert sealing.seal_pending() == 0 and AuditSeal.objects.count() == before
    may_commit.set()
    thread.join()
    seal_all()
    assert verify().is_intact and verify().unsealed == 0


def test_only_one_sealer_at_a_time():
    make_user()
    record("user.created")
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LOCK])
            taken.set()
            done.wait(60)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(60)
    assert sealing.seal_pending() == 0
    done.set()
    thread.join()
    seal_all()
    assert Activity.objects.count() == sum(AuditSeal.objects.values_list("count", flat=True))


def test_rows_that_nobody_seals_raise_one_alert():
    """Somebody with the application's role can hold the sealer's lock, but not unseen."""
    make_activity(seals=1)
    record("user.created")
    assert not watching.notice_late()
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        assert watching.notice_late() and watching.notice_late()
    (alert,) = SecurityAlert.objects.all()
    assert (alert.kind, alert.severity) == ("sealing_late", "high")
    seal_all()
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        assert not watching.notice_late()


def test_many_rows_are_sealed_in_batches(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 10)
    user = make_user()
    with transaction.atomic():
        for _ in range(37):
            record("user.updated", user)
    seal_all()
    assert max(AuditSeal.objects.values_list("count", flat=True)) == 10
    assert verify().is_intact


def test_a_seal_is_of_one_month(test_database):
    make_old_activity(test_database, date(2025, 3, 1), rows=3)
    record("user.created")
    seal_all()
    assert {seal.month for seal in AuditSeal.objects.all()} >= {date(2025, 3, 1)}
    assert verify().is_intact


@pytest.mark.parametrize("table", ["audit_auditseal", "audit_sealleaves", "audit_auditarchive"])
def test_the_application_may_only_add_to_the_seals(table):
    make_activity(seals=1)
    for statement in (f"UPDATE {table} SET month = month", f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_restored_database_goes_on_in_a_further_epoch(test_database):
    """Transaction numbers begin anew: what is written next must not sort before what is sealed."""
    make_activity(seals=1)
    with as_owner(test_database) as owner:
        (epoch,) = owner.execute("SELECT audit_epoch()").fetchone()
        changes = "jsonb_build_object('tx', (SELECT max(tx) + 1000000 FROM audit_activity), 'id', gen_random_uuid())"
        copied = f"(SELECT to_jsonb(a) FROM audit_activity a LIMIT 1) || {changes}"
        owner.execute(f"INSERT INTO audit_activity SELECT * FROM jsonb_populate_record(NULL::audit_activity, {copied})")
    try:
        assert sealing.begin_epoch() == epoch + 1
        assert sealing.begin_epoch() == epoch + 1, "a second call changes nothing"
        record("user.created")
        seal_all()
        assert list(AuditSeal.objects.order_by("number").values_list("epoch", flat=True))[-1] == epoch + 1
        assert not [finding for finding in verify().findings if finding.kind != Kind.ROW_DISCORDANT]
    finally:
        with as_owner(test_database) as owner:
            owner.execute(f"CREATE OR REPLACE FUNCTION audit_epoch() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT {epoch}'")


def test_a_seal_on_top_of_a_forged_one_says_so(test_database):
    make_activity(seals=2)
    with as_owner(test_database) as owner:
        owner.execute("UPDATE audit_auditseal SET head = sha256(head) WHERE number = (SELECT max(number) FROM audit_auditseal)")
    record("user.created")
    seal_all()
    assert AuditSeal.objects.order_by("-number").first().doubt
    assert Kind.SEAL_FORGED in {finding.kind for finding in verify().findings}


def test_a_row_whose_columns_and_text_disagree_from_the_start_is_counted():
    activity = record("user.created")
    copied = "recorded_at, actor_kind, credential, credential_id, target_type, target_id, request_id, details, canonical"
    with connection.cursor() as cursor:  # as whoever took over the application could
        cursor.execute(
            f"INSERT INTO audit_activity (id, action, {copied}) SELECT gen_random_uuid(), 'user.deleted', {copied}"
            " FROM audit_activity WHERE id = %s",
            [activity.pk],
        )
    seal_all()
    assert [finding.kind for finding in verify().findings] == [Kind.ROW_DISCORDANT]


def test_leaves_name_every_row():
    make_activity(seals=1, rows=5)
    for leaves, count in zip(
        SealLeaves.objects.order_by("number"), AuditSeal.objects.order_by("number").values_list("count", flat=True), strict=True
    ):
        assert len(leaves.leaves) == 24 * count
