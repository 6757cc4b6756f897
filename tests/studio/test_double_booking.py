"""Nobody photographs in two places at once: live holds and confirmed sessions of one photographer do not overlap."""

from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import Activity
from studio.models import PhotoSession, TimelineEntry
from studio.services import sessions
from tests import processes
from tests.accounts.people import make_user
from tests.studio.trade import DAY, make_project, make_session, studio_of

HOUR = timedelta(hours=1)
CONSTRAINT = "studio_no_double_booking"


@pytest.fixture
def anna(db):
    return make_user(name="Anna")


@pytest.fixture
def project(anna):
    return make_project(studio_of(anna))


@pytest.mark.parametrize("status", ["tentative", "confirmed"])
def test_taken_time_is_refused_and_the_other_session_named(project, anna, status):
    taken = make_session(project, anna, status=status)
    for shift in (-HOUR, timedelta(0), HOUR):
        with pytest.raises(sessions.TimeTaken) as refused:
            make_session(project, anna, at=DAY + shift)
        assert refused.value.other == taken
    assert PhotoSession.objects.count() == 1 and TimelineEntry.objects.count() == 1


def test_what_ends_at_noon_does_not_touch_what_begins_at_noon(project, anna):
    make_session(project, anna)
    make_session(project, anna, at=DAY + 2 * HOUR)
    make_session(project, anna, at=DAY - 2 * HOUR)


def test_others_time_and_what_does_not_take_time_are_free(project, anna):
    make_session(project, anna)
    make_session(project, make_user(name="Ben"))
    for status in ("requested", "completed", "cancelled", "no_show"):
        make_session(project, anna, status=status)
    for _ in range(2):
        sessions.book_session(project, fields={"starts_at": DAY, "ends_at": DAY + HOUR, "status": "confirmed"}, actor=anna)


def test_the_time_is_the_photographers_not_the_studios(project, anna):
    taken = make_session(project, anna)
    elsewhere = make_project(studio_of(make_user()))
    with pytest.raises(sessions.TimeTaken) as refused:
        make_session(elsewhere, anna)
    assert refused.value.other == taken


def test_confirming_and_moving_ask_for_the_time_too(project, anna):
    make_session(project, anna)
    asked = make_session(project, anna, status="requested")
    later = make_session(project, anna, at=DAY + 5 * HOUR)
    with pytest.raises(sessions.TimeTaken):
        sessions.move_session(asked, to="confirmed", actor=anna)
    with pytest.raises(sessions.TimeTaken):
        sessions.change_session(later, fields={"starts_at": DAY + HOUR}, actor=anna)
    ben = make_user(name="Ben")
    moved = sessions.change_session(asked, fields={"photographer": ben, "status": "confirmed"}, actor=anna)
    assert (moved.photographer, moved.status, moved.version) == (ben, "confirmed", 2)


def test_a_hold_that_ran_out_frees_its_time_without_a_job(project, anna):
    hold = make_session(project, anna, status="tentative", hold_expires_at=timezone.now() + HOUR)
    with pytest.raises(sessions.TimeTaken):
        make_session(project, anna)
    assert hold.takes_time
    PhotoSession.objects.filter(pk=hold.pk).update(hold_expires_at=timezone.now() - HOUR)
    hold.refresh_from_db()
    assert hold.status == "tentative" and hold.hold_has_run_out and not hold.takes_time
    make_session(project, anna)
    hold.refresh_from_db()
    assert (hold.status, hold.version) == ("requested", 2)
    assert Activity.objects.filter(action="photo_session.hold_expired", target_id=str(hold.pk)).count() == 1
    assert TimelineEntry.objects.filter(kind="session.hold_expired", target_id=hold.pk).count() == 1


def test_a_hold_that_ran_out_elsewhere_in_the_week_is_left_alone(project, anna):
    hold = make_session(project, anna, status="tentative", hold_expires_at=timezone.now() - HOUR, at=DAY + 50 * HOUR)
    make_session(project, anna)
    hold.refresh_from_db()
    assert hold.status == "tentative"
    with pytest.raises(sessions.ChangedMeanwhile):
        sessions.move_session(hold, to="confirmed", actor=anna, version=hold.version + 1)
    assert sessions.move_session(hold, to="confirmed", actor=anna, version=hold.version).hold_expires_at is None


def test_the_database_itself_refuses_and_wants_an_end_after_the_beginning(project, anna):
    make_session(project, anna)
    values = {"organization": project.organization, "project": project, "photographer": anna, "status": "confirmed"}
    with pytest.raises(IntegrityError, match="studio_no_double_booking"), transaction.atomic():
        PhotoSession.objects.create(starts_at=DAY, ends_at=DAY + HOUR, **values)
    with pytest.raises(IntegrityError, match="studio_session_ends_after_it_starts"), transaction.atomic():
        PhotoSession.objects.create(starts_at=DAY, ends_at=DAY, **values)


BOOK = """
from datetime import datetime, timedelta
from accounts.models import User
from studio.models import Project
from studio.services import sessions
project, user = Project.objects.get(), User.objects.get(name="Anna")
start = datetime.fromisoformat(os.environ["AT"])
fields = {"photographer": user, "starts_at": start, "ends_at": start + timedelta(hours=2), "status": "confirmed"}
try:
    sessions.book_session(project, fields=fields, actor=user)
    print("booked")
except sessions.TimeTaken as taken:
    print("taken", taken.other is not None)
"""


@pytest.fixture
def unguarded(transactional_db, settings):
    """The constraint taken away by the only one who may, the owner, and put back."""
    owner = settings.MIGRATION_DATABASE
    parts = {"host": owner["HOST"], "port": owner["PORT"], "user": owner["USER"], "password": owner["PASSWORD"], "dbname": owner["NAME"]}
    with psycopg.connect(**{name: value for name, value in parts.items() if value}, autocommit=True) as owned:
        (definition,) = owned.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [CONSTRAINT]).fetchone()
        owned.execute(f"ALTER TABLE studio_photosession DROP CONSTRAINT {CONSTRAINT}")
        yield
        owned.execute("DELETE FROM studio_photosession")
        owned.execute(f"ALTER TABLE studio_photosession ADD CONSTRAINT {CONSTRAINT} {definition}")


def two_at_once() -> list[str]:
    make_project(studio_of(make_user(name="Anna")))
    return sorted(processes.outputs(processes.start(BOOK, times=2, AT=DAY.isoformat())))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_two_processes_that_want_the_same_time_one_gets_it():
    assert two_at_once() == ["booked", "taken True"]
    assert PhotoSession.objects.count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_constraint_both_would_so_the_test_above_can_fail(unguarded):
    assert two_at_once() == ["booked", "booked"]
