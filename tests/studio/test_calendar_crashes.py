"""Workers side by side and workers killed between any two steps: one calendar, one event for each session, nothing lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.models import Connection
from studio.calendar import syncing
from studio.models import CalendarEvent, SessionCalendar
from studio.services import sessions
from tests import processes
from tests.accounts.people import make_user
from tests.studio.google import SCOPE, calendars, events
from tests.studio.trade import make_project, make_session, studio_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# STEP names where the process kills itself: "<module>.<function>:before" or ":after" that function; or where it stands still.
SYNC = """
import contextlib, importlib, os, signal
from uuid import UUID
from studio.calendar import making, syncing, writing
from studio.models import SessionCalendar
if os.environ.get("GUARD") == "off":
    @contextlib.contextmanager
    def alone(_lock, _of):
        yield True
    syncing.alone = alone
    def _keep(api, calendar, google_id, *, made):
        SessionCalendar.objects.filter(pk=calendar.pk).update(google_id=google_id)
        calendar.google_id = google_id
    making._keep = _keep
    from tests.processes import meet
    find = making._find
    def looked(*where):  # both have looked before one makes it
        found = find(*where)
        meet(os.environ["WHERE"], str(os.getpid()))
        return found
    making._find = looked
if step := os.environ.get("STEP"):
    name, _colon, when = step.partition(":")
    path, _dot, function = name.rpartition(".")
    place = importlib.import_module(path.rpartition(".")[0]) if path.endswith("Api") else importlib.import_module(path)
    place = getattr(place, "CalendarApi") if path.endswith("Api") else place
    original = getattr(place, function)
    def deadly(*arguments, **options):
        if when == "still":
            print("there", flush=True)
            sys.stdin.readline()
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(place, function, deadly)
print(syncing.sync(UUID(os.environ["CALENDAR"])))
"""
STEPS = [
    "integrations.google_calendar.CalendarApi.make_calendar:before",
    "integrations.google_calendar.CalendarApi.make_calendar:after",
    "studio.calendar.making._keep:before",
    "studio.calendar.syncing.read_changes:before",
    "studio.calendar.syncing.read_changes:after",
    "integrations.google_calendar.CalendarApi.insert:before",
    "integrations.google_calendar.CalendarApi.insert:after",
    "studio.calendar.writing._mark:after",
]
CHANGES = [
    "integrations.google_calendar.CalendarApi.update:after",
    "integrations.google_calendar.CalendarApi.delete:after",
    "studio.calendar.writing._mark:before",
]


@pytest.fixture
def anna(transactional_db):
    return make_user(name="Anna")


@pytest.fixture
def calendar(sandbox, anna):
    """With a grant as the callback leaves it, not yet made at Google."""
    token = sandbox.control("POST", "grant", {"scopes": [SCOPE + ".app.created", SCOPE + ".calendarlist.readonly"]})
    grant = Connection(
        owner=anna, provider="google_calendar", provider_subject="camille", status="active",
        expires_at=timezone.now() + timedelta(hours=1), granted_scopes=token["scope"].split(),
    )  # fmt: skip
    grant.access_token = token["access_token"]
    grant.save()
    return SessionCalendar.objects.create(connection=grant)


@pytest.fixture
def project(anna):
    return make_project(studio_of(anna))


def requests_to(sandbox, api):
    return sandbox.control("GET", "/requests")["counts"].get(api, 0)


def in_processes(calendar, **options):
    return processes.start(SYNC, CALENDAR=str(calendar.pk), **options)


def finish(calendar):
    """The next round, whatever a slow machine made of the last one."""
    processes.wait_for_the_dead()
    SessionCalendar.objects.update(resume_at=None)
    assert syncing.sync(calendar.pk)


def test_workers_side_by_side_make_one_calendar_and_write_each_session_once(sandbox, anna, project, calendar):
    make_session(project, anna)
    sandbox.control("POST", "latency", {"ms": 400, "path": "/calendar/v3/calendars"})
    processes.outputs(in_processes(calendar, times=3))
    finish(calendar)
    assert len(calendars(sandbox)) == 1 and requests_to(sandbox, "calendar.calendars.insert") == 1
    assert len(events(sandbox)) == 1 and requests_to(sandbox, "calendar.events.insert") == 1


def test_without_the_lock_side_by_side_they_would_make_two(sandbox, anna, project, calendar, tmp_path):
    make_session(project, anna)
    processes.outputs(in_processes(calendar, times=2, GUARD="off", WHERE=str(tmp_path)))
    assert len(calendars(sandbox)) == 2


def test_a_worker_killed_anywhere_leaves_what_the_next_one_finishes(sandbox, anna, project, calendar):
    session = make_session(project, anna)
    for step in STEPS:
        [worker] = in_processes(calendar, STEP=step)
        assert worker.wait(60) == -9, (step, worker.errors)
        processes.wait_for_the_dead()
        assert len(calendars(sandbox)) <= 1, step
        if step.endswith("insert:after"):
            assert len(events(sandbox)) == 1 and session.calendar_events.get().etag == "", "written there, and not noted here"
    finish(calendar)
    assert len(calendars(sandbox)) == 1 and [event["id"] for event in events(sandbox)] == [f"aap{session.pk.hex}"]
    assert requests_to(sandbox, "calendar.calendars.insert") == 1
    row = CalendarEvent.objects.get()
    assert (row.written, row.conflict, row.due_at) == (1, "", None) and row.etag == events(sandbox)[0]["etag"]


def test_a_worker_killed_while_it_changes_and_deletes_makes_no_conflict_of_its_own_writing(sandbox, anna, project, calendar):
    session = make_session(project, anna)
    assert syncing.sync(calendar.pk)
    for number, step in enumerate(CHANGES):
        if step.endswith("delete:after"):
            sessions.move_session(session, to="cancelled", actor=anna)
        else:
            fields = {"title": f"Title {number}", "status": "confirmed"}
            sessions.change_session(session, fields=fields, actor=anna)
        [worker] = in_processes(calendar, STEP=step)
        assert worker.wait(60) == -9, (step, worker.errors)
        processes.wait_for_the_dead()
        SessionCalendar.objects.update(read_due_at=timezone.now())  # our own writing comes back as a change, with an ETag unknown here
        finish(calendar)
        session.refresh_from_db()
        assert not CalendarEvent.objects.exclude(conflict="").exists(), step
        if step.endswith("delete:after"):
            assert events(sandbox) == [] and session.status == "cancelled" and not CalendarEvent.objects.exists()
        else:
            assert events(sandbox)[0]["summary"] == session.title == f"Title {number}"
            assert CalendarEvent.objects.get().etag == events(sandbox)[0]["etag"]


def test_the_lock_ends_with_the_process(sandbox, anna, project, calendar):
    [worker] = in_processes(calendar, STEP="integrations.google_calendar.CalendarApi.make_calendar:still")
    assert worker.stdout.readline() == "there\n", worker.errors
    assert not syncing.sync(calendar.pk), "another is at it"
    worker.kill()
    worker.wait(60)
    finish(calendar)
    assert len(calendars(sandbox)) == 1
