"""The six cleanups: what each removes and what it leaves, dry runs, schedule, record, processes that die (R-111, R-192)."""

import signal
from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Invitation, Session, User
from accounts.protections import Refused
from accounts.roles import Role
from accounts.services import invitations, studios
from audit.models import Activity
from audit.seal import archives
from billing.models import StripeEvent
from integrations.models import Connection, Pipeline, Run, Transformation
from operations.backups import shelf
from operations.maintenance import sweeps
from operations.maintenance.cleanups import CLEANUPS, JOBS, dry_run
from operations.models import Backup, CleanupRun, DataExport, MaintenanceJob
from operations.services import maintenance
from operations.tasks import clean_up, tick_maintenance
from tests.accounts.people import PASSWORD, make_user
from tests.audit.sealed import make_old_activity
from tests.audit.test_kill import SET_UP
from tests.operations.instances import Instance
from tests.processes import wait_for_the_dead
from vault import services as vault
from vault.models import DataKey

NAMES = [
    "cleanup.activity_logs", "cleanup.temp_files", "cleanup.orphaned_data", "cleanup.execution_logs", "cleanup.database_vacuum",
    "cleanup.all",
]  # fmt: skip


def ago(**span: float):
    return timezone.now() - timedelta(**span)


def run(name: str) -> CleanupRun:
    done = maintenance.carry_out(maintenance.ask(name).pk)
    assert done is not None and done.status == "done", done and done.counts
    return done


def test_they_have_the_names_of_the_seeds():
    assert list(CLEANUPS) == NAMES and set(JOBS) == {*NAMES, "backup"}


# --- what goes, and what stays -------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_orphaned_data_goes_and_what_is_in_use_stays():
    owner = make_user()
    for days in (-1, 1):
        Session.objects.create(session_key=f"session{days}", session_data="x", expire_date=ago(days=days), user=owner)
    studio = studios.current_organization(owner)
    for number, days in enumerate((-5, 10, 40)):
        invited = invitations.invite(studio, email=f"new{number}@example.test", role="assistant", actor=owner)
        Invitation.objects.filter(pk=invited.pk).update(expires_at=ago(days=days))
    for number, (days, confirmed, password) in enumerate([(40, False, PASSWORD), (10, False, "x"), (40, True, PASSWORD), (40, False, "")]):
        user = make_user(email=f"signup{number}@example.test", name="Signup")
        User.objects.filter(pk=user.pk).update(created_at=ago(days=days), password=f"bcrypt${password}" if password else "!unusable")
        user.emailaddress_set.update(verified=confirmed)
    gone = make_user(email="gone@example.test")
    for person in (owner, gone):
        vault.seal(b"x", vault.person(person.pk), "x")
    DataKey.objects.filter(owner_id__in=[owner.pk, gone.pk]).update(created_at=ago(days=2))
    User.objects.filter(pk=gone.pk).delete()
    expected = {"sessions": 1, "api_sessions": 0, "invitations": 1, "sign_ups": 1, "data_keys": 1}
    assert dry_run("cleanup.orphaned_data") == expected
    done = run("cleanup.orphaned_data")
    # the studio of the sign-up goes with it; its key is younger than a day
    assert done.counts == expected and dry_run("cleanup.orphaned_data") == dict.fromkeys(expected, 0)
    assert set(User.objects.filter(name="Signup").values_list("email", flat=True)) == {f"signup{n}@example.test" for n in (1, 2, 3)}
    assert Session.objects.get().session_key == "session-1" and Invitation.objects.count() == 2
    assert DataKey.objects.get(owner_id=gone.pk).destroyed_at and not DataKey.objects.get(owner_id=owner.pk).destroyed_at


@pytest.mark.django_db
def test_old_runs_go_but_the_newest_of_each_pipeline_and_those_under_way():
    mailbox = Connection.objects.create(provider="gmail", provider_subject="instance", status="active")
    quiet, busy = (Pipeline.objects.create(name=name, connection=mailbox, transformation=Transformation.objects.get()) for name in "ab")
    for pipeline, days, status in [(quiet, 200, "failed"), (quiet, 120, "succeeded"), (busy, 150, "failed"), (busy, 1, "running")]:
        made = Run.objects.create(pipeline=pipeline, status=status, queued_at=ago(days=days))
        made.events.create(code="x")
    CleanupRun.objects.create(name="cleanup.all", status="done", asked_at=ago(days=366))
    for status, months in [("applied", 19), ("ignored", 19), ("unmatched", 19), ("failed", 19), ("received", 19), ("applied", 17)]:
        StripeEvent.objects.create(
            event_id=f"evt_{status}{months}", livemode=False, happened_at=ago(days=1), received_at=ago(days=months * 30.5), status=status,
            payload_hash=b"x",
        )  # fmt: skip
    expected = {"runs": 2, "cleanups": 1, "stripe_events": 4}
    assert dry_run("cleanup.execution_logs") == expected and run("cleanup.execution_logs").counts == expected
    assert set(StripeEvent.objects.values_list("event_id", flat=True)) == {"evt_received19", "evt_applied17"}
    left = Run.objects.values_list("pipeline__name", "status")
    assert set(left) == {("a", "succeeded"), ("b", "running")}


@pytest.mark.django_db(transaction=True)
def test_months_of_the_log_go_to_the_archive_and_nowhere_without_one(test_database, settings, tmp_path):
    month = ago(days=100).date().replace(day=1)
    make_old_activity(test_database, month, rows=3)
    old = Activity.objects.filter(recorded_at__lt=ago(days=80))
    count = old.count()
    assert count >= 3
    settings.AUDIT_ARCHIVE = ""
    assert dry_run("cleanup.activity_logs") == run("cleanup.activity_logs").counts == {"activities": 0} and old.count() == count
    settings.AUDIT_ARCHIVE = str(tmp_path)
    assert dry_run("cleanup.activity_logs") == {"activities": count} and not list(tmp_path.iterdir())
    assert run("cleanup.activity_logs").counts == {"activities": count} and not old.exists()
    assert archives.verify(str(tmp_path / f"{month:%Y-%m}")).rows == count


@pytest.mark.django_db(transaction=True)
def test_temporary_files_go(store, settings, tmp_path):
    user = make_user()
    settings.BACKUPS, settings.BACKUP_KEY = str(tmp_path), "backups-of-tests-" + "q7" * 20
    left = shelf.new_name(timezone.now())
    with shelf.shelf().writing(f"{left}/0001.sealed") as file:
        file.write(b"half")
    DataExport.objects.create(user=user, status="ready", expires_at=ago(hours=1))
    DataExport.objects.create(user=user, status="ready", expires_at=ago(hours=-1))
    store.write("aaperture/tmp/old.pdf", b"x")
    store.write("aaperture/quotes/1.pdf", b"x")
    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        assert sweeps.attachments.look() == 0
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        assert sweeps.attachments.remove() == 1
    assert store.names() == ["aaperture/quotes/1.pdf"]
    assert run("cleanup.temp_files").counts == {"exports": 1, "contact_files": 0, "attachments": 0, "backups": 1}
    assert DataExport.objects.filter(status="ready").count() == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
def test_the_vacuum_takes_every_table_but_those_of_the_log():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        tables = cursor.fetchone()[0]
    done = run("cleanup.database_vacuum").counts["tables"]
    assert 30 < done < tables
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'accounts_user'")
        assert cursor.fetchone()[0]
        cursor.execute(
            "SELECT bool_or(has_table_privilege(oid, 'MAINTAIN')) FROM pg_class"
            " WHERE relkind IN ('r', 'p') AND relname IN ('audit_activity', 'audit_activity_default', 'audit_auditseal')"
        )
        assert cursor.fetchone()[0] is False


# --- asking, records, schedule ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_all_of_them_each_on_record_with_its_counts(settings):
    admin = make_user(role=Role.ADMIN)
    Session.objects.create(session_key="old", session_data="x", expire_date=ago(days=1))
    done = maintenance.carry_out(maintenance.ask("cleanup.all", admin).pk)
    assert done.status == "done" and done.counts["sessions"] == 1
    told = Activity.objects.filter(action__startswith="cleanup.")
    assert set(told.values_list("action", flat=True)) == {*NAMES, "cleanup.requested"}
    assert told.get(action="cleanup.orphaned_data").details["sessions"] == told.get(action="cleanup.all").details["sessions"] == 1
    assert {row.actor_id for row in told} == {admin.pk}


@pytest.mark.django_db
def test_what_fails_is_on_record_and_stops_nothing_else(monkeypatch):
    def fail() -> int:
        raise OSError("secret of the store")

    old = CLEANUPS["cleanup.temp_files"]
    broken = {**old.sweeps, "exports": (old.sweeps["exports"][0], sweeps.Sweep(fail, fail))}
    monkeypatch.setitem(CLEANUPS, "cleanup.temp_files", old._replace(sweeps=broken))
    done = maintenance.carry_out(maintenance.ask("cleanup.temp_files").pk)
    assert done.status == "failed" and done.counts == {"contact_files": 0, "attachments": 0, "backups": 0}
    assert Activity.objects.get(action="cleanup.failed").details == {"cleanup": "cleanup.temp_files", "sweeps": ["exports"]}


@pytest.mark.django_db(transaction=True)
def test_one_process_cleans_at_a_time(test_database):
    asked = maintenance.ask("cleanup.orphaned_data")
    with psycopg.connect(test_database.url(test_database.application_url)) as another:
        another.execute("SELECT pg_advisory_lock(%s)", [maintenance.LOCK])
        with pytest.raises(maintenance.BusyElsewhere):
            maintenance.carry_out(asked.pk)
        assert maintenance.open_runs() == []
        another.execute("SELECT pg_advisory_unlock(%s)", [maintenance.LOCK])
    assert maintenance.carry_out(asked.pk).status == "done"


@pytest.mark.django_db
def test_who_may_ask_and_that_asking_twice_joins():
    first = maintenance.ask("cleanup.all", make_user(role=Role.DEVELOPER))
    assert maintenance.ask("cleanup.all") == first and maintenance.ask("cleanup.temp_files") != first
    for role in (Role.EXECUTOR, Role.VIEWER, Role.MEMBER):
        with pytest.raises(Refused):
            maintenance.ask("cleanup.all", make_user(role=role))
    with pytest.raises(Refused):
        maintenance.set_schedule("backup", "01:00", actor=make_user(role=Role.DEVELOPER))
    with pytest.raises(KeyError):
        maintenance.ask("cleanup.users")


@pytest.mark.django_db
def test_the_clock_asks_for_what_is_due_once(settings, tmp_path):
    settings.BACKUPS, settings.BACKUP_KEY = str(tmp_path), "backups-of-tests-" + "q7" * 20
    jobs = maintenance.jobs()
    assert {name: job.schedule for name, job in jobs.items()} == JOBS and jobs["cleanup.all"].next_run_at is None
    maintenance.tick()
    assert not CleanupRun.objects.exists() and not Backup.objects.exists()
    MaintenanceJob.objects.filter(pk__in=["backup", "cleanup.temp_files"]).update(next_run_at=ago(hours=30))
    maintenance.tick()
    maintenance.tick()
    assert list(CleanupRun.objects.values_list("name", "trigger")) == [("cleanup.temp_files", "schedule")]
    assert Backup.objects.get().trigger == "schedule"
    assert all(job.next_run_at is None or job.next_run_at > timezone.now() for job in MaintenanceJob.objects.all())


@pytest.mark.django_db
def test_a_schedule_is_changed_on_record():
    admin = make_user(role=Role.ADMIN)
    with time_machine.travel("2026-11-22T05:00Z"):
        job = maintenance.set_schedule("cleanup.all", "06:15, 03:30", actor=admin)
        assert f"{job.next_run_at:%d %H:%M}" == "22 06:15"
        assert maintenance.set_schedule("cleanup.all", "", actor=admin).next_run_at is None
    changes = Activity.objects.filter(action="maintenance.scheduled", actor_id=admin.pk, details__job="cleanup.all")
    assert set(changes.values_list("details__old", "details__new")) == {("", "06:15, 03:30"), ("06:15, 03:30", "")}
    for wrong in ("25:00", "noon", "03:30;04:00", "0" * 101):
        with pytest.raises(ValidationError):
            maintenance.set_schedule("cleanup.all", wrong, actor=admin)


@pytest.mark.django_db
def test_the_command_counts_and_cleans(capsys):
    Session.objects.create(session_key="old", session_data="x", expire_date=ago(days=1))
    call_command("cleanup", "cleanup.orphaned_data", "--dry-run")
    assert "expired sessions: 1" in capsys.readouterr().out and Session.objects.exists()
    call_command("cleanup", "cleanup.orphaned_data")
    assert "expired sessions: 1" in capsys.readouterr().out and not Session.objects.exists()
    call_command("cleanup", "--list")
    told = capsys.readouterr().out
    assert all(f"{name}: " in told for name in JOBS) and "cleanup.all: only by hand" in told
    with pytest.raises(CommandError):
        call_command("cleanup", "cleanup.users")


# --- processes that die ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_between_two_batches_it_goes_on_with_the_next_tick(test_database):
    for number in range(5):
        Session.objects.create(session_key=f"old{number}", session_data="x", expire_date=ago(days=1))
    asked = maintenance.ask("cleanup.orphaned_data")
    here = Instance(test_database)
    code = f"{SET_UP}from operations.maintenance import sweeps\nfrom operations.services import maintenance\nsweeps.BATCH = 2\n"
    code += f"from django.db.models import QuerySet\ndie_at(QuerySet, 'delete', 2)\nmaintenance.carry_out('{asked.pk}')"
    assert here.run(code).returncode == -signal.SIGKILL
    asked.refresh_from_db()
    wait_for_the_dead()
    assert asked.status == "running" and Session.objects.count() == 3
    assert maintenance.open_runs() == [asked.pk]
    clean_up(str(asked.pk))
    asked.refresh_from_db()
    assert asked.status == "done" and not Session.objects.exists()
    assert Activity.objects.filter(action="cleanup.orphaned_data").count() == 1
    tick_maintenance()


@pytest.mark.django_db
def test_what_kills_its_worker_every_time_is_given_up():
    asked = maintenance.ask("cleanup.all")
    CleanupRun.objects.update(status="running", attempts=maintenance.MOST_ATTEMPTS)
    assert maintenance.carry_out(asked.pk).status == "failed" and maintenance.open_runs() == []
