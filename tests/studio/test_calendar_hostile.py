"""What stands in a calendar at Google may be anything: one event, one answer or one row keeps nothing else from going on."""

import http.client
from datetime import timedelta

import httplib2
import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership
from integrations.errors import Gone, ProviderError
from integrations.google_calendar import CalendarApi, Changes
from integrations.models import Connection
from studio.calendar import conflicts, writing
from studio.models import CalendarEvent, SessionCalendar
from studio.services import sessions
from tests.accounts.people import make_user
from tests.studio.google import events, grant, sync, there
from tests.studio.trade import DAY, make_project, make_session, studio_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def anna(db):
    return make_user(name="Anna", timezone="Europe/Paris")


@pytest.fixture
def web(client, anna):
    client.force_login(anna)
    return client


@pytest.fixture
def project(anna):
    return make_project(studio_of(anna))


@pytest.fixture
def calendar(sandbox, web, anna):
    grant(sandbox, web)
    calendar = SessionCalendar.objects.get(connection__owner=anna)
    assert sync(calendar)
    calendar.refresh_from_db()
    return calendar


def at(moment):
    return {"dateTime": moment, "timeZone": "UTC"}


def test_texts_and_times_that_nobody_can_keep_stop_neither_the_calendar_nor_a_page(web, sandbox, anna, project, calendar):
    texts, late, early, fine = (make_session(project, anna, at=DAY + n * 5 * HOUR) for n in range(4))
    sync(calendar)
    told = {
        texts: {"summary": "No\x00ces\x1b", "location": "<b>Stu\x00dio</b>\n" + "x" * 9000},
        late: {"start": at("9999-12-31T22:00:00+00:00"), "end": at("9999-12-31T23:30:00+00:00")},
        early: {"start": at("0001-01-01T00:30:00+00:00"), "end": at("0001-01-01T02:00:00+00:00")},
        fine: {"summary": "Portrait"},
    }
    for session, words in told.items():
        there(sandbox, "PATCH", f"aap{session.pk.hex}", words)
    assert sync(calendar)
    for session in told:
        session.refresh_from_db()
    assert texts.title == "Noces" and texts.place.startswith("<b>Studio</b> x") and len(texts.place) == 200
    assert (late.starts_at, early.starts_at, fine.title) == (DAY + 5 * HOUR, DAY + 10 * HOUR, "Portrait")
    assert web.get(reverse("studio:session_agenda")).status_code == 200


def test_a_choice_that_is_open_keeps_nothing_in_the_calendar_of_who_left_and_who_comes_back_has_it_again(
    web, sandbox, anna, project, calendar
):
    session = make_session(project, anna)
    sync(calendar)
    there(sandbox, "PATCH", f"aap{session.pk.hex}", {"summary": "Noces"})
    sessions.change_session(session, fields={"title": "Mariage"}, actor=anna)
    sync(calendar)
    assert session.calendar_events.get().conflict == "changed"
    Membership.objects.filter(user=anna).update(role="viewer")
    sync(calendar)
    assert events(sandbox) == [] and not CalendarEvent.objects.exists()
    Membership.objects.filter(user=anna).update(role="owner")
    sync(calendar)
    assert [event["summary"] for event in events(sandbox)] == ["Mariage"]


def test_nobody_is_asked_to_choose_for_a_calendar_that_is_disconnected(web, sandbox, anna, project, calendar):
    session = make_session(project, anna)
    CalendarEvent.objects.update(conflict="changed")
    asked = "waits for your choice"
    assert asked in web.get(reverse("studio:today_needs")).text
    web.post(reverse("integrations:disconnect", args=[calendar.connection_id]))
    assert asked not in web.get(reverse("studio:today_needs")).text
    assert "Which version counts?" not in web.get(reverse("studio:session_detail", args=[session.pk])).text


def test_what_was_cancelled_while_google_was_asked_is_no_choice(anna, project):
    row = SessionCalendar.objects.create(connection=Connection.objects.create(owner=anna, provider="google_calendar"))
    session = make_session(project, anna)
    seen = CalendarEvent.objects.select_related("session__project").get(calendar=row)
    sessions.move_session(session, to="cancelled", actor=anna)
    conflicts.note_conflict(seen, {"status": "cancelled"})
    assert CalendarEvent.objects.get().conflict == "" and CalendarEvent.objects.due(timezone.now()).exists()


def test_an_event_that_is_there_and_not_there_keeps_no_other_from_being_written(sandbox, anna, project, calendar, monkeypatch):
    """Google knows the identifier, and nothing of the event."""
    strange, other = make_session(project, anna), make_session(project, anna, at=DAY + 5 * HOUR)
    sync(calendar)
    sessions.change_session(strange, fields={"title": "Noces"}, actor=anna)
    sessions.change_session(other, fields={"title": "Portrait"}, actor=anna)
    CalendarEvent.objects.filter(session=strange).update(etag="", due_at=DAY - 900 * 24 * HOUR)

    def gone(*_arguments):
        raise Gone

    monkeypatch.setattr(CalendarApi, "event", gone)
    assert sync(calendar, read_due_at=timezone.now() + HOUR)
    row = strange.calendar_events.get()
    assert (row.fault, row.failures) == ("gone", 1) and row.due_at > timezone.now()
    assert "Portrait" in {event["summary"] for event in events(sandbox)}


def test_all_that_was_deleted_is_found_missing_beside_however_many_events_of_others(sandbox, anna, project, calendar, monkeypatch):
    session = make_session(project, anna)
    sync(calendar)
    strangers = [{"id": f"stranger{number}", "etag": "1"} for number in range(150)]
    monkeypatch.setattr(CalendarApi, "changes", lambda *_arguments, **_options: [Changes(strangers, "position")])
    there(sandbox, "DELETE", f"aap{session.pk.hex}")
    assert sync(calendar, sync_token="")
    session.refresh_from_db()
    assert session.status == "cancelled"


@pytest.mark.parametrize(
    "answer",
    [http.client.IncompleteRead(b"{"), b"<html>sign in to this network</html>", b"\xff\xfe", b"[1]"],
    ids=["cut off", "another's page", "no text", "a list"],
)
def test_an_answer_that_is_none_is_trouble_with_google_and_no_crash(answer):
    def request(*_arguments, **_options):
        if isinstance(answer, Exception):
            raise answer
        return httplib2.Response({"status": "200"}), answer

    with CalendarApi("token") as api:
        api._http.request = request
        with pytest.raises(ProviderError):
            api.has_calendar("none")


def test_an_account_that_goes_while_its_calendar_is_read_is_no_fault_of_the_worker(sandbox, anna, calendar, monkeypatch):
    def erased(*_arguments, **_options):
        anna.delete()
        return [Changes([], "position")]

    monkeypatch.setattr(CalendarApi, "changes", erased)
    assert sync(calendar)
    assert not SessionCalendar.objects.exists()


def test_who_disconnects_while_their_sessions_are_written_has_no_more_written(web, sandbox, anna, project, calendar, monkeypatch):
    for number in range(3):
        make_session(project, anna, at=DAY + number * 5 * HOUR)
    insert = CalendarApi.insert

    def last(*arguments):
        web.post(reverse("integrations:disconnect", args=[calendar.connection_id]))
        return insert(*arguments)

    monkeypatch.setattr(CalendarApi, "insert", last)
    monkeypatch.setattr(writing, "BATCH", 1)
    # another grant of the account lives, so that Google goes on taking the key
    Connection.objects.create(owner=make_user(), provider="gmail", status="active", provider_subject=calendar.connection.provider_subject)
    sync(calendar)
    assert len(events(sandbox)) == 1


def test_several_days_from_google_stay_so_when_something_else_is_edited_here(web, sandbox, anna, project, calendar):
    session = make_session(project, anna, at=timezone.now() + timedelta(days=30))
    sync(calendar)
    first = (timezone.now() + timedelta(days=40)).date()
    days = {"start": {"date": first.isoformat()}, "end": {"date": (first + timedelta(days=3)).isoformat()}}
    there(sandbox, "PATCH", f"aap{session.pk.hex}", days)
    sync(calendar)
    session.refresh_from_db()
    times = (session.starts_at, session.ends_at)
    form = {
        "day": first.isoformat(), "start": "00:00", "end": "00:00", "ends_on": days["end"]["date"], "timezone": session.timezone,
        "photographer": anna.pk, "type": session.type, "status": session.status, "notes": "Park behind the house.",
        "version": session.version,
    }  # fmt: skip
    path = reverse("studio:session_edit", args=[session.pk])
    assert web.post(path, form).status_code == 302
    session.refresh_from_db()
    assert session.notes and (session.starts_at, session.ends_at) == times and session.local_end.date() == first + timedelta(days=3)
    web.post(path, form | {"end": "18:00", "ends_on": "", "version": session.version})
    session.refresh_from_db()
    assert session.local_end.date() == first and session.local_end.hour == 18
