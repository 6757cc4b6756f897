"""Months: thirty days in the log, a year in the archive, and nothing dropped that is not archived, sealed and verified (R-120)."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit import tasks
from audit.models import Activity, AuditArchive, AuditSeal, SealLeaves
from audit.seal import archive_records, archives, heads, retention
from audit.seal.findings import Kind, Report
from audit.seal.verification import verify
from audit.services import record
from tests.audit.sealed import as_owner, make_old_activity, seal_all

pytestmark = pytest.mark.django_db(transaction=True)

MONTH = date(2025, 3, 1)
LAST_DAY = datetime(2025, 3, 31, 23, 59, tzinfo=UTC)


def day(number: int) -> datetime:
    """`number` days after the last moment of the month."""
    return LAST_DAY + timedelta(days=number)


@pytest.fixture(params=["folder", "bucket"])
def archive(request, settings, tmp_path):
    """Where the archive is, once a folder and once a bucket."""
    if request.param == "bucket":
        request.getfixturevalue("store")
        settings.AUDIT_ARCHIVE = "s3://archive/aaperture"
    else:
        settings.AUDIT_ARCHIVE = str(tmp_path / "archive")
    return settings.AUDIT_ARCHIVE


@pytest.fixture
def folder(settings, tmp_path):
    settings.AUDIT_ARCHIVE = str(tmp_path / "archive")
    return tmp_path / "archive"


def rows_of_month() -> int:
    return Activity.objects.filter(recorded_at__year=2025, recorded_at__month=3).count()


def test_a_month_is_archived_when_its_last_day_is_31_days_old_and_gone_after_396(archive, test_database):
    make_old_activity(test_database, MONTH, rows=6)
    make_old_activity(test_database, date(2025, 4, 1), rows=2)
    assert retention.keep(now=day(30)) == [] and rows_of_month() == 6
    assert retention.keep(now=day(31)) == [MONTH]
    assert rows_of_month() == 0 and Activity.objects.filter(recorded_at__month=4, recorded_at__year=2025).count() == 2
    report = verify()
    assert report.is_intact and report.archived == {"2025-03": 6}, report.findings
    assert archives.verify(f"{archive}/2025-03").is_intact
    assert not SealLeaves.objects.filter(month=MONTH).exists() and AuditSeal.objects.filter(month=MONTH).exists()
    assert retention.keep(now=day(31)) == []

    retention.keep(now=day(395))
    assert archives.verify(f"{archive}/2025-03").is_intact
    retention.keep(now=day(396))
    assert not archives.verify(f"{archive}/2025-03").is_intact
    assert AuditArchive.objects.filter(kind="removed", month=MONTH).count() == 1
    assert [one.details["month"] for one in Activity.objects.filter(action="audit.archive_removed")] == ["2025-03"]
    retention.keep(now=day(397))
    seal_all()
    assert AuditArchive.objects.filter(kind="removed", month=MONTH).count() == 1 and verify().is_intact


def test_a_month_whose_partition_comes_late_takes_its_rows_from_the_default_one_and_leaves_like_any_other(folder, test_database):
    with time_machine.travel(LAST_DAY, tick=False):
        record("user.created")
    with time_machine.travel(LAST_DAY + timedelta(minutes=1), tick=False):
        record("user.created")  # April's stays
    seal_all()
    where = "SELECT tableoid::regclass::text, canonical FROM audit_activity ORDER BY recorded_at"
    with as_owner(test_database) as owner:
        (before, march), (_, april) = owner.execute(where).fetchall()
        assert owner.execute("SELECT audit_make_partition(%s)", [MONTH]).fetchone() == (True,)
        assert before == "audit_activity_default"
        assert owner.execute(where).fetchall() == [("audit_activity_2025_03", march), (before, april)]
        assert owner.execute("SELECT audit_make_partition('2019-12-01')").fetchone() == (True,), "of whatever age, for a restore"
    assert verify().is_intact
    assert retention.keep(now=day(31)) == [date(2019, 12, 1), MONTH] and Activity.objects.filter(recorded_at__year=2025).count() == 1


def test_nobody_waits_behind_the_making_of_partitions(test_database, caplog):
    """One that waits for a reader would have all who write wait behind it."""
    with as_owner(test_database) as owner:
        owner.execute("DROP TABLE audit_activity_" + f"{timezone.now():%Y_%m}")
        with owner.transaction():
            owner.execute("SELECT 1 FROM audit_activity")
            tasks.make_partitions()
        assert [line.getMessage() for line in caplog.records] == ["the next months of the activity log wait"]
        tasks.make_partitions()
    assert timezone.now().date().replace(day=1) in archive_records.months_online()


def test_without_a_place_for_the_archive_nothing_leaves(settings, test_database):
    settings.AUDIT_ARCHIVE = ""
    make_old_activity(test_database, MONTH)
    assert retention.keep(now=day(500)) == [] and rows_of_month() == 6


def test_a_place_that_does_not_answer_keeps_the_month_in_the_log(store, settings, test_database):
    settings.AUDIT_ARCHIVE = "s3://archive/aaperture"
    store.is_down = True
    make_old_activity(test_database, MONTH)
    assert retention.keep(now=day(40)) == [] and rows_of_month() == 6
    store.is_down = False
    assert retention.keep(now=day(40)) == [MONTH]


def test_a_month_that_was_tampered_with_is_neither_archived_nor_dropped(folder, test_database):
    make_old_activity(test_database, MONTH)
    with as_owner(test_database) as owner:
        owner.execute("UPDATE audit_activity SET action = 'user.logout' WHERE recorded_at < '2025-04-01' AND action = 'user.login'")
    assert retention.keep(now=day(40)) == []
    assert rows_of_month() == 6 and not AuditArchive.objects.exists() and not (folder / "2025-03" / archives.MANIFEST).exists()


def drop_month() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_month(%s)", [MONTH])


def test_the_database_drops_no_month_that_is_young_not_archived_or_has_more_rows(folder, test_database):
    make_old_activity(test_database, MONTH)
    with pytest.raises(DatabaseError, match="not archived"):
        drop_month()
    with pytest.raises(DatabaseError, match="28 days"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_month(current_date)")
    last = AuditSeal.objects.filter(month=MONTH).order_by("-number").first()
    archive_records.add(AuditArchive.Kind.ARCHIVED, MONTH, rows=5, seals=1, last_seal=last.number, manifest_hash=bytes(32), now=day(40))
    with pytest.raises(DatabaseError, match="not archived"):
        drop_month()
    with pytest.raises(DatabaseError, match="still in the log"), connection.cursor() as cursor:
        cursor.execute("SELECT audit_forget_leaves(%s)", [MONTH])


def test_a_row_that_came_after_the_archive_was_made_is_archived_too_before_the_month_goes(folder, test_database, monkeypatch):
    make_old_activity(test_database, MONTH)
    monkeypatch.setattr(retention, "drop", lambda month: False)  # killed in between
    retention.keep(now=day(40))
    assert AuditArchive.objects.count() == 1
    monkeypatch.undo()
    folder.mkdir(exist_ok=True)
    make_old_activity(test_database, MONTH, rows=1)
    from django.conf import settings

    settings.AUDIT_ARCHIVE = str(folder)
    assert retention.keep(now=day(40)) == [MONTH]
    report = archives.verify(f"{folder}/2025-03")
    assert report.is_intact and report.rows == 7 and verify().is_intact


def test_an_invented_archive_record_does_not_explain_a_missing_month(folder, test_database):
    make_old_activity(test_database, MONTH)
    with as_owner(test_database) as owner:
        owner.execute(
            "INSERT INTO audit_auditarchive (id, kind, month, rows, seals, last_seal, manifest_hash, made_at, public_key, proof)"
            " SELECT gen_random_uuid(), 'archived', month, sum(count), count(*), max(number), sha256(''), now(), max(public_key),"
            " max(proof) FROM audit_auditseal WHERE month = %s GROUP BY month",
            [MONTH],
        )
        owner.execute("DROP TABLE audit_activity_2025_03")
    assert [finding.kind for finding in verify().findings] == [Kind.ARCHIVE_FORGED]


def edited(path, old: bytes, new: bytes) -> None:
    text = gzip.decompress(path.read_bytes())
    assert old in text
    path.write_bytes(gzip.compress(text.replace(old, new, 1)))


def test_a_row_put_where_only_archived_rows_were_is_found(folder, test_database):
    make_old_activity(test_database, MONTH)
    seal = AuditSeal.objects.filter(month=MONTH).latest("number")
    assert retention.keep(now=day(31)) == [MONTH] and verify().is_intact
    with time_machine.travel(LAST_DAY, tick=False):
        invented = record("user.created")
    with as_owner(test_database) as owner:
        owner.execute("UPDATE audit_activity SET tx = %s, id = gen_random_uuid() WHERE id = %s", [seal.from_tx, invented.pk])
    assert "stands where only archived rows were" in str(verify().findings[0]) and verify().findings[0].kind == Kind.ROW_INSERTED


def test_an_altered_archive_is_found(folder, test_database):
    make_old_activity(test_database, MONTH)
    retention.keep(now=day(40))
    place = folder / "2025-03"
    whole = {path.name: path.read_bytes() for path in place.iterdir()}

    def findings() -> set[Kind]:
        kinds = {finding.kind for finding in archives.verify(str(place)).findings}
        for name, content in whole.items():
            (place / name).write_bytes(content)
        return kinds

    edited(place / archives.ROWS, b"user.login", b"user.hello")
    assert {Kind.ROW_EDITED, Kind.ARCHIVE_ALTERED} <= findings()
    edited(place / archives.SEALS, b'"count":', b'"count":1')
    assert {Kind.SEAL_FORGED, Kind.ARCHIVE_ALTERED} <= findings()
    said = json.loads(whole[archives.MANIFEST])
    (place / archives.MANIFEST).write_text(json.dumps({**said, "rows": 5}))
    assert findings() == {Kind.ARCHIVE_FORGED}
    (place / archives.ROWS).unlink()
    assert findings() == {Kind.ARCHIVE_ALTERED}
    (place / archives.ROWS).write_bytes(whole[archives.ROWS][:-20])
    assert Kind.ARCHIVE_ALTERED in findings()
    assert findings() == set()
    with pytest.raises(CommandError):
        call_command("verify_audit", archive=str(place), public_key=[bytes(range(32))])
    call_command("verify_audit", archive=str(place))


def test_an_archive_that_is_taken_away_or_replaced_is_missed(folder, test_database):
    make_old_activity(test_database, MONTH)
    retention.keep(now=day(40))
    path = folder / "2025-03" / archives.MANIFEST
    whole = path.read_text()

    def kinds(today: date) -> list[Kind]:
        report = Report()
        archives.check_there(AuditArchive.objects.all(), report, today=today)
        return [finding.kind for finding in report.findings]

    summer, later = date(2025, 7, 1), date(2026, 5, 1)
    assert kinds(summer) == []
    path.write_text(json.dumps({**json.loads(whole), "made_at": "2025-04-02T00:00:00+00:00"}))
    assert kinds(summer) == [Kind.ARCHIVE_ALTERED]
    path.unlink()
    assert kinds(summer) == [Kind.ARCHIVE_MISSING] and kinds(later) == []
    with time_machine.travel(datetime(2025, 7, 1, tzinfo=UTC), tick=False):
        assert Kind.ARCHIVE_MISSING in {finding.kind for finding in verify().findings}


def test_a_month_that_somebody_detached_by_hand_stays_closed_to_the_application(test_database):
    """`GRANT … ON ALL TABLES` after every migrate would open it."""
    make_old_activity(test_database, date(2025, 6, 1))
    with as_owner(test_database) as owner:
        owner.execute("ALTER TABLE audit_activity DETACH PARTITION audit_activity_2025_06")
    try:
        call_command("migrate", verbosity=0)
        for statement in ("SELECT 1 FROM audit_activity_2025_06", "DELETE FROM audit_activity_2025_06"):
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
    finally:
        with as_owner(test_database) as owner:
            owner.execute("DROP TABLE audit_activity_2025_06")


def test_heads_and_archive_may_share_a_folder(folder, settings, test_database):
    settings.AUDIT_HEADS = str(folder)
    make_old_activity(test_database, MONTH)
    heads.publish()
    retention.keep(now=day(40))
    record("user.created")
    seal_all()
    heads.publish()
    assert verify(heads=[str(folder)]).is_intact
