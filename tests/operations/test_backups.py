"""Making backups: the format that notices every alteration, the shelf, one at a time, processes that die (R-194, R-195)."""

import io
import os
import runpy
import signal
import tracemalloc
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts.roles import Role
from audit import grants
from audit.alerts import detection
from audit.models import Activity, SecurityAlert
from audit.services import record
from operations.backups import frames, objects, shelf, snapshot, target
from operations.backups.frames import BackupDamaged, BackupKeyMissing, Sealer
from operations.models import Backup
from operations.services import backups, restoring
from tests.accounts.people import make_user
from tests.audit.test_kill import SET_UP
from tests.operations.instances import Instance
from tests.processes import PROJECT, wait_for_the_dead
from tests.test_settings import good

KEY = "backups-of-tests-" + "q7" * 20


@pytest.fixture(autouse=True)
def configured(settings, tmp_path):
    settings.BACKUPS, settings.BACKUP_KEY = str(tmp_path / "shelf"), KEY


# --- frames --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_frames(monkeypatch):
    monkeypatch.setattr(frames, "FRAME", 16)


def sealed(plain: bytes, purpose: str = "test") -> bytes:
    sink = io.BytesIO()
    sealer = Sealer(sink, purpose)
    sealer.write(plain)
    sealer.close()
    return sink.getvalue()


def opened(data: bytes, purpose: str = "test") -> bytes:
    return b"".join(frames.opened(io.BytesIO(data), purpose))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 100])
def test_what_is_sealed_opens_and_shows_nothing(small_frames, size):
    plain = (b"canary-" * 20)[:size]
    made = sealed(plain)
    assert opened(made) == plain and b"canary" not in made
    assert sealed(plain)[51:] != made[51:], "another key each time"


def test_every_alteration_of_a_stream_is_noticed(small_frames):
    made, start, frame = sealed(b"x" * 40), len(frames.MAGIC) + frames.SALT, 4 + 16 + frames.TAG
    first, second, last = made[start : start + frame], made[start + frame : start + 2 * frame], made[start + 2 * frame :]
    head = made[:start]
    shorter = head + first + (len(second) - 4 | frames.LAST).to_bytes(4, "big") + second[4:]
    broken = [
        head + first + second,  # the last frame cut off
        head + second + first + last,  # reordered
        head + first + last,  # one left out
        head + first + first + second + last,  # one repeated
        shorter,  # a frame in the middle made the last
        made[:-1], made + b"\0", made[: start + 10], made[:20], b"", b"PK\3\4" + made,
    ]  # fmt: skip
    broken += [made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :] for place in range(len(made))]
    for data in broken:
        with pytest.raises(BackupDamaged):
            opened(data)
    assert opened(made) == b"x" * 40


def test_it_opens_with_its_own_key_and_for_its_own_purpose_only(settings):
    made = sealed(b"x")
    with pytest.raises(BackupDamaged):
        opened(made, "another backup")
    settings.BACKUP_KEY = KEY + "1"
    with pytest.raises(BackupDamaged, match="BACKUP_KEY"):
        opened(made)
    settings.BACKUP_KEY = ""
    with pytest.raises(BackupKeyMissing):
        sealed(b"x")


# --- configuration ---------------------------------------------------------------------------------------------------------


def configuration(monkeypatch, **variables: str) -> dict:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in (good() | variables).items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(PROJECT / "aaperture/settings.py"))


@pytest.mark.parametrize(("environment", "days"), [("production", 30), ("staging", 7)])
def test_backups_are_kept_for_thirty_days_in_staging_for_seven(monkeypatch, environment, days):
    assert configuration(monkeypatch, ENVIRONMENT=environment)["BACKUP_DAYS"] == days
    assert configuration(monkeypatch, BACKUP_DAYS="14")["BACKUP_DAYS"] == 14


@pytest.mark.parametrize("key", ["", "too short", "change-me-" + "x7Qp" * 10])
def test_production_refuses_a_place_without_a_strong_key(monkeypatch, capsys, key):
    with pytest.raises(SystemExit):
        configuration(monkeypatch, BACKUPS="s3://backups/aaperture", BACKUP_KEY=key)
    told = capsys.readouterr().err
    assert "BACKUP_KEY" in told and (not key or key not in told)


# --- a backup ------------------------------------------------------------------------------------------------------------


def made() -> Backup:
    backup = backups.carry_out(backups.ask().pk)
    assert backup is not None and backup.is_whole, backup and backup.error
    return backup


@pytest.mark.django_db(transaction=True)
def test_a_backup_holds_every_table_and_nothing_in_clear(tmp_path, capsys):
    user = make_user(email="canary-backup@example.test")
    backup = made()
    said = shelf.manifest(shelf.shelf(), backup.name)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        tables = {row[0] for row in cursor.fetchall()}
        assert snapshot.LEFT_OUT.keys() < tables
        assert {table["name"] for table in said["tables"]} == tables - {"django_migrations", *snapshot.LEFT_OUT}
    files = [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 300_000 and {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    content = b"".join(path.read_bytes() for path in files)
    assert not any(word in content for word in (b"canary", b"accounts_user", b"tables", str(user.pk).encode()))
    call_command("backup", "--verify")
    assert f"{backup.name} is whole" in capsys.readouterr().out
    asked, done = Activity.objects.filter(action__startswith="backup.").order_by("recorded_at", "id")
    assert (asked.action, done.action) == ("backup.requested", "backup.made") and done.details["rows"] == said["rows"] == backup.rows


@pytest.mark.django_db(transaction=True)
def test_a_damaged_backup_is_found_before_anything_is_restored(tmp_path, monkeypatch, settings):
    monkeypatch.setattr(shelf, "VOLUME", 1_500)
    monkeypatch.setattr(frames, "FRAME", 500)
    first, second = made(), made()
    folder = tmp_path / "shelf" / second.name
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    one, two, last = "0001.sealed", "0002.sealed", max(whole.keys() - {shelf.MANIFEST})
    assert last > "0003"
    foreign = (tmp_path / "shelf" / first.name / shelf.MANIFEST).read_bytes()
    damages: dict[str, dict[str, bytes | None]] = {
        "cut off": {last: whole[last][:-1]}, "a bit": {two: whole[two][:99] + bytes([whole[two][99] ^ 1]) + whole[two][100:]},
        "swapped": {one: whole[two], two: whole[one]}, "missing": {two: None}, "another's manifest": {shelf.MANIFEST: foreign},
    }  # fmt: skip
    for damage, files in damages.items():
        for name, content in (whole | files).items():
            (folder / name).unlink(missing_ok=True)
            if content is not None:
                (folder / name).write_bytes(content)
        with pytest.raises(BackupDamaged):
            restoring.check(shelf.shelf(), second.name, progress=lambda *_said: None)
            pytest.fail(damage)
    with pytest.raises(CommandError, match=second.name):
        call_command("backup", "--verify", second.name)
    settings.BACKUP_KEY = KEY[:-1]
    with pytest.raises(CommandError, match="BACKUP_KEY"):
        call_command("backup", "--verify", first.name)


@pytest.mark.django_db(transaction=True)
def test_it_is_one_instant_whatever_is_written_meanwhile(monkeypatch):
    """A person added between two tables is in neither."""
    real = snapshot.Snapshot.tables

    def tables(self):
        found = real(self)
        make_user(email="late@example.test")
        return found

    monkeypatch.setattr(snapshot.Snapshot, "tables", tables)
    said = backups.make(shelf.shelf(), shelf.new_name(timezone.now()))
    rows = {table["name"]: table["rows"] for table in said["tables"]}
    assert rows["accounts_user"] == rows["accounts_organization"] == rows["vault_datakey"] - 1 == 0


@pytest.mark.django_db(transaction=True)
def test_memory_does_not_grow_with_it(monkeypatch):
    piece, pieces = os.urandom(1_000_000), 24
    monkeypatch.setattr(objects, "is_configured", lambda: True)
    monkeypatch.setattr(objects, "bucket", lambda: None)
    monkeypatch.setattr(objects, "kept", lambda _where: ["large"])
    monkeypatch.setattr(objects, "reading", lambda _where, name: ({"object": name}, (bytes(piece) for _ in range(pieces))))
    where, name = shelf.shelf(), shelf.new_name(timezone.now())
    tracemalloc.start()
    said = backups.make(where, name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    restoring.check(where, name, progress=lambda *_said: None)
    reading = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said["object_bytes"] == pieces * len(piece) and peak < 9_000_000 and reading < 12_000_000, (peak, reading)


def test_what_must_stay_outside_is_in_no_backup(settings):
    class Where:
        def names(self):
            return iter(["quotes/1.pdf", "ledger/erasures/1", "audit/heads/1", "backups/x/manifest.sealed", "tmp/1", "ledgers"])

    settings.S3_BUCKET, settings.BACKUPS, settings.ERASURE_LEDGER = "aaperture", "s3://aaperture/backups", "s3://aaperture/ledger/"
    settings.AUDIT_HEADS, settings.AUDIT_ARCHIVE = "/somewhere,s3://aaperture/audit", "s3://evidence"
    assert list(objects.kept(Where())) == ["quotes/1.pdf", "ledgers"]
    settings.ERASURE_LEDGER = "s3://aaperture"
    assert list(objects.kept(Where())) == []


# --- asking, one at a time, letting go -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_whoever_asks_twice_joins_the_one_under_way(settings):
    asked = backups.ask(make_user(role=Role.ADMIN))
    assert backups.ask() == asked and Activity.objects.filter(action="backup.requested").count() == 1
    Backup.objects.all().delete()
    settings.BACKUP_KEY = ""
    with pytest.raises(ValidationError):
        backups.ask()


@pytest.mark.django_db(transaction=True)
def test_while_one_process_makes_it_no_other_does(test_database):
    asked = backups.ask()
    assert not backups.is_under_way() and backups.open_backups() == [asked.pk]
    with psycopg.connect(test_database.url(test_database.application_url)) as another:
        another.execute("SELECT pg_advisory_lock(%s)", [backups.LOCK])
        with pytest.raises(backups.BusyElsewhere):
            backups.carry_out(asked.pk)
        assert backups.is_under_way() and backups.open_backups() == [] and backups.tidy() == 0
        with pytest.raises(CommandError, match="another process"):
            call_command("backup")
        another.execute("SELECT pg_advisory_unlock(%s)", [backups.LOCK])
    assert made().pk == asked.pk


@pytest.mark.django_db(transaction=True)
def test_a_place_that_cannot_be_written_is_a_failure_on_record(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.BACKUPS = str(tmp_path / "file")
    backup = backups.carry_out(backups.ask().pk)
    assert backup.status == "failed" and Activity.objects.get(action="backup.failed").details == {"error": backup.error}
    settings.BACKUPS = str(tmp_path / "shelf")
    assert backups.open_backups() == [] and made().is_whole and len(shelf.whole(shelf.shelf())) == 1


@pytest.mark.django_db(transaction=True)
def test_old_backups_go_and_the_newest_stays_whatever_its_age(settings):
    settings.BACKUP_DAYS = 7
    with time_machine.travel(timezone.now() - timedelta(days=9), tick=True):
        oldest = made()
        older = made()
    assert backups.let_go(shelf.shelf()) == [min(oldest.name, older.name)]
    newest = made()
    assert shelf.whole(shelf.shelf()) == [newest.name]
    assert set(Backup.objects.values_list("name", "status")) == {(oldest.name, "removed"), (older.name, "removed"), (newest.name, "done")}
    assert Activity.objects.filter(action="backup.removed").count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_somebody_lays_beside_them_takes_no_backups_place(settings, tmp_path):
    settings.BACKUP_DAYS = 7
    with time_machine.travel(timezone.now() - timedelta(days=9), tick=True):
        newest = max(made().name, made().name)
    for name in ("20991231T235959Z-00000000", "99999999T999999Z-00000000", "२०२६०१०१T000000Z-00000000"):
        (tmp_path / "shelf" / name).mkdir()
        (tmp_path / "shelf" / name / shelf.MANIFEST).write_bytes(b"nothing of ours")
    assert backups.tidy() == 1 and backups.look_at_shelf()[:1] == [newest]


@pytest.mark.django_db(transaction=True)
def test_a_restore_that_died_goes_on_with_its_own_backup_only(settings, tmp_path):
    settings.ERASURE_LEDGER = str(tmp_path / "ledger")
    first, second = made().name, made().name
    with target.as_owner():
        grants.close_to_application(first)
    try:
        with pytest.raises(restoring.CannotRestore, match=f"restore {first}"):
            restoring.restore(shelf.shelf(), second, without_objects=True)
    finally:
        with target.as_owner():
            grants.open_to_application()


@pytest.mark.django_db(transaction=True)
def test_the_list_is_what_lies_on_the_shelf(capsys):
    backup = made()
    Backup.objects.all().delete()
    assert backups.look_at_shelf() == [backup.name]
    found = Backup.objects.get()
    assert (found.name, found.status, found.trigger, found.rows) == (backup.name, "done", "found", backup.rows)
    shelf.remove(shelf.shelf(), backup.name)
    backups.look_at_shelf()
    assert Backup.objects.get().status == "removed"
    with pytest.raises(CommandError, match="No whole backup"):
        call_command("backup", "--verify")


# --- processes that die ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_in_the_middle_it_is_never_taken_for_whole_and_the_next_one_is(test_database, settings, tmp_path):
    record("settings.changed")
    backup = backups.ask()
    here = Instance(test_database, BACKUPS=settings.BACKUPS, BACKUP_KEY=KEY)
    points = ["die_at(snapshot.Snapshot, 'copy', 20)", "die_at(shelf, 'write_manifest')"]
    for tries, point in enumerate(points, 1):
        code = f"{SET_UP}from operations.backups import shelf, snapshot\nfrom operations.services import backups\nshelf.VOLUME = 2000\n"
        code += f"import operations.backups.frames as frames\nframes.FRAME = 500\n{point}\nbackups.carry_out('{backup.pk}')"
        assert here.run(code).returncode == -signal.SIGKILL
        backup.refresh_from_db()
        where = shelf.shelf()
        assert (backup.status, backup.attempts) == ("running", tries) and list((tmp_path / "shelf").rglob("0*.sealed*"))
        assert shelf.whole(where) == [] and shelf.unfinished(where) == [backup.name]
        wait_for_the_dead()
        assert backups.open_backups() == [backup.pk]
    done = backups.carry_out(backup.pk)
    assert done.is_whole and shelf.whole(where) == [done.name] and shelf.unfinished(where) == []
    assert Activity.objects.filter(action="backup.made").count() == 1
    restoring.check(where, done.name, progress=lambda *_said: None)


@pytest.mark.django_db(transaction=True)
def test_uploads_that_nobody_ended_are_given_up(store, settings):
    settings.BACKUPS = "s3://backups/aaperture"
    for key in ("aaperture/20261122T023000Z-1a2b3c4d/0001.sealed", "another/program"):
        store.client.create_multipart_upload(Bucket="backups", Key=key)
    name = made().name
    assert store.unfinished() == ["backups/another/program"]
    assert store.names() == [f"backups/aaperture/{name}/0001.sealed", f"backups/aaperture/{name}/manifest.sealed"]


@pytest.mark.django_db
def test_failures_raise_an_alert_and_three_of_them_a_mail():
    for severity in ("medium", "medium", "high"):
        row = Backup.objects.create(attempts=backups.MOST_ATTEMPTS)
        backups.carry_out(row.pk)
        detection.detect()
        alert = SecurityAlert.objects.get()
        assert (alert.kind, alert.severity) == ("backups_failing", severity)


@pytest.mark.django_db
def test_what_the_database_refuses_is_told_without_what_it_holds():
    with pytest.raises(target.NotLoaded) as refused, transaction.atomic():
        target._load("accounts_organization", ["id"], iter([b"canary\n"]))
    assert str(refused.value) == "accounts_organization: InvalidTextRepresentation (22P02)"
    assert refused.value.__suppress_context__


@pytest.mark.django_db
def test_what_kills_its_worker_every_time_is_given_up():
    backup = backups.ask()
    Backup.objects.update(status="running", attempts=backups.MOST_ATTEMPTS)
    assert backups.carry_out(backup.pk).status == "failed" and Backup.objects.get().error == "Interrupted"
