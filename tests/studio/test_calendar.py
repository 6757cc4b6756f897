"""Sessions in their photographer's Google Calendar, against the sandbox over HTTP (R-066, R-067, R-074)."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Consent, Membership
from audit.models import Activity
from integrations.grant_kinds import CALENDAR
from integrations.models import Connection, Pipeline, Transformation
from operations.privacy.own_data import PARTS, records
from operations.services import erasures
from studio.calendar import syncing
from studio.models import CalendarEvent, PhotoSession, SessionCalendar, TimelineEntry
from studio.services import sessions
from studio.services.projects import delete_project, edit_project
from tests.accounts.people import make_user
from tests.api.caller import with_token
from tests.integrations.journey import decide
from tests.studio.google import SCOPE, calendars, events, grant, sync, there
from tests.studio.trade import DAY, YEAR, make_contact, make_project, make_session, studio_of

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
    organization = studio_of(anna)
    return make_project(organization, contact=make_contact(organization, phone="+33 6 12 34 56 78"))


@pytest.fixture
def connected(sandbox, web, anna):
    def go(**decision):
        assert grant(sandbox, web, **decision).status_code == 302
        return SessionCalendar.objects.get(connection__owner=anna)

    return go


@pytest.fixture
def calendar(connected):
    calendar = connected()
    assert sync(calendar)
    calendar.refresh_from_db()
    return calendar


@pytest.fixture
def commits(django_capture_on_commit_callbacks):
    return django_capture_on_commit_callbacks


def requests_to(sandbox, api):
    return sandbox.control("GET", "/requests")["counts"].get(api, 0)


def actions():
    return set(Activity.objects.values_list("action", flat=True))


def moved(event, hours):
    """The event's times, so much later, as Google's own page would store them."""
    later = timedelta(hours=hours)
    return {
        name: {
            "dateTime": (datetime.fromisoformat(event[name]["dateTime"]) + later).isoformat(),
            "timeZone": "Europe/Paris",
        }
        for name in ("start", "end")
    }


# --- the grant -----------------------------------------------------------------------------------------------------------


def test_the_grant_asks_for_a_calendar_of_its_own_and_never_for_mail(web, sandbox, anna):
    page = web.get(reverse("integrations:calendar_connect")).content.decode()
    assert "A calendar of its own" in page and "never by what" in page and reverse("site:privacy") in page
    query = parse_qs(urlsplit(web.post(reverse("integrations:calendar_connect"))["Location"]).query)
    assert set(query["scope"][0].split()) == {
        "openid", "email", SCOPE + ".app.created", SCOPE + ".calendarlist.readonly", SCOPE + ".freebusy"
    }  # fmt: skip
    assert query["access_type"] == ["offline"] and query["code_challenge_method"] == ["S256"] and query["nonce"]
    mailbox = parse_qs(urlsplit(web.post(reverse("integrations:gmail_connect"))["Location"]).query)
    assert "calendar" not in mailbox["scope"][0]


def test_the_needed_box_unticked_connects_nothing_and_says_which(web, sandbox, anna):
    response = grant(sandbox, web, scopes=[SCOPE + ".freebusy"])
    assert response["Location"] == reverse("integrations:calendar_connect")
    assert "leave the box for making calendars ticked" in web.get(response["Location"]).content.decode()
    assert not Connection.objects.exists() and requests_to(sandbox, "oauth.revoke") == 1
    assert "You did not give permission" in web.get(grant(sandbox, web, deny=True)["Location"]).content.decode()
    assert not SessionCalendar.objects.exists()


def test_mailbox_and_calendar_come_and_go_by_themselves(web, sandbox, anna, calendar):
    row = Connection.objects.get()
    assert (row.provider, row.status, row.renewable) == ("google_calendar", "active", True)
    assert Consent.objects.get().purpose == "calendar.sync"
    decide(sandbox, web)
    mailbox = Connection.objects.get(provider="gmail")
    page = web.get(reverse("integrations:connections")).content.decode()
    assert page.count("Scan my inbox") == 0 and "A scan is under way" in page and "its calendar “Aaperture”" in page
    response = web.post(reverse("integrations:disconnect", args=[row.pk]))
    assert "What is in it stays in your Google account" in web.get(response["Location"]).content.decode()
    row.refresh_from_db()
    assert (row.status, row.access_token, row.refresh_token) == ("revoked", None, None)
    assert requests_to(sandbox, "oauth.revoke") == 0, "Google would withdraw the mailbox's grant too"
    assert set(Consent.objects.filter(withdrawn_at=None).values_list("purpose", flat=True)) == {"gmail.read"}
    assert not sync(calendar)
    web.post(reverse("integrations:disconnect", args=[mailbox.pk]))
    assert requests_to(sandbox, "oauth.revoke") == 1


def test_the_seeds_scopes_are_enough_too(sandbox, anna, connected, project):
    calendar = connected()
    seeds = ("openid", "email", SCOPE, SCOPE + ".events.owned")
    assert CALENDAR.is_enough(seeds) and not CALENDAR.is_enough((SCOPE + ".events.owned", SCOPE + ".freebusy"))
    Connection.objects.update(granted_scopes=list(seeds))
    assert sync(calendar) and len(calendars(sandbox)) == 1


def test_what_was_planned_before_is_written_and_connecting_again_makes_no_second_calendar(web, sandbox, anna, project, connected):
    make_session(project, anna)
    make_session(project, anna, at=timezone.now() - timedelta(days=9))
    make_session(project, make_user(name="Ben"))
    sync(connected())
    assert [event["summary"] for event in events(sandbox)] == ["Mariage Claire & Marc"]
    connection = Connection.objects.get()
    web.post(reverse("integrations:disconnect", args=[connection.pk]))
    later = make_session(project, anna, at=DAY + 5 * HOUR)
    assert CalendarEvent.objects.count() == 1, "nothing is noted for a calendar that is disconnected"
    sync(connected(form={"again": str(connection.pk)}))
    assert len(events(sandbox)) == 2 and later.calendar_events.get().written == 1


# --- writing ---------------------------------------------------------------------------------------------------------------


def test_an_event_says_title_place_time_and_the_way_back_and_nothing_of_the_client(sandbox, anna, project, calendar):
    session = make_session(project, anna, title="Mariage", notes="Code 1234")
    assert sync(calendar)
    [event] = events(sandbox)
    assert event["id"] == f"aap{session.pk.hex}" and event["summary"] == "Mariage" and event["status"] == "confirmed"
    assert event["location"] == "Domaine des Vignes, 12 chemin des Vignes, 69400 Gleizé"
    assert event["start"] == {"dateTime": f"{YEAR}-06-12T14:00:00+02:00", "timeZone": "Europe/Paris"}
    assert f"http://localhost:8000/sessions/{session.pk}/" in event["description"]
    assert event["extendedProperties"]["private"]["aaperture"] == str(session.pk)
    text = str(event)
    assert not any(word in text for word in ("1234", "claire@faure.example", "+33", "Faure"))


def test_every_change_here_is_there_after_the_next_round(sandbox, anna, project, calendar):
    ends = timezone.now() + timedelta(days=3)
    session = make_session(project, anna, status="tentative", hold_expires_at=ends)
    sync(calendar)
    [event] = events(sandbox)
    assert (event["status"], event["summary"], event["transparency"]) == ("tentative", "On hold: Mariage Claire & Marc", "opaque")
    assert session.calendar_events.get().due_at == ends, "a hold that runs out is written anew by itself"
    PhotoSession.objects.update(hold_expires_at=timezone.now() - HOUR)
    CalendarEvent.objects.update(due_at=timezone.now())
    sync(calendar)
    assert events(sandbox)[0]["transparency"] == "transparent" and "ran out" in events(sandbox)[0]["description"]
    sessions.change_session(session, fields={"status": "confirmed", "starts_at": DAY + HOUR, "ends_at": DAY + 4 * HOUR}, actor=anna)
    sync(calendar)
    [event] = events(sandbox)
    assert (event["status"], event["summary"]) == ("confirmed", "Mariage Claire & Marc")
    assert event["start"]["dateTime"] == f"{YEAR}-06-12T15:00:00+02:00"
    project.refresh_from_db()
    edit_project(project, fields={"title": "Noces"}, actor=anna)
    sync(calendar)
    assert events(sandbox)[0]["summary"] == "Noces"
    written = requests_to(sandbox, "calendar.events.patch")
    sessions.change_session(session, fields={"notes": "Nothing that stands there"}, actor=anna)
    sync(calendar)
    assert requests_to(sandbox, "calendar.events.patch") == written and not session.calendar_events.get().is_changed_here
    sessions.move_session(session, to="cancelled", actor=anna)
    sync(calendar)
    assert events(sandbox) == [] and not CalendarEvent.objects.exists()
    sessions.move_session(session, to="confirmed", actor=anna)
    sync(calendar)
    assert len(events(sandbox)) == 1, "a deleted event comes back under the same id"
    delete_project(project, actor=anna)
    sync(calendar)
    assert events(sandbox) == [] and not CalendarEvent.objects.exists(), "a session that went with its project leaves the calendar"


def test_the_outbox_stands_in_the_transaction_of_the_change(sandbox, anna, project, calendar):
    make_session(project, anna)
    with pytest.raises(sessions.TimeTaken):
        make_session(project, anna, at=DAY + HOUR)
    assert CalendarEvent.objects.count() == 1 and SessionCalendar.objects.due(timezone.now()).exists()
    assert syncing.ring() == [calendar.pk] and syncing.ring() == [], "who was rung for is not rung for again"


def test_another_photographers_and_who_left_the_studio(sandbox, anna, project, calendar):
    session = make_session(project, anna)
    other = make_session(project, anna, at=DAY + 5 * HOUR)
    sync(calendar)
    assert len(events(sandbox)) == 2
    sessions.change_session(other, fields={"photographer": make_user(name="Ben")}, actor=anna)
    sync(calendar)
    assert [event["id"] for event in events(sandbox)] == [f"aap{session.pk.hex}"]
    Membership.objects.filter(user=anna).update(ended_at=timezone.now())
    there(sandbox, "PATCH", events(sandbox)[0]["id"], moved(events(sandbox)[0], 3))
    sync(calendar)
    session.refresh_from_db()
    assert session.starts_at == DAY, "who may not change a session here may not change it there either"
    assert events(sandbox) == []


# --- reading ---------------------------------------------------------------------------------------------------------------


def test_what_is_moved_renamed_or_deleted_there_changes_here(web, sandbox, anna, project, calendar):
    session = make_session(project, anna, status="tentative", hold_expires_at=timezone.now() + timedelta(days=3))
    sync(calendar)
    [event] = events(sandbox)
    there(sandbox, "PATCH", event["id"], moved(event, 24) | {"location": "Studio B"})
    sync(calendar)
    session.refresh_from_db()
    assert (session.starts_at, session.ends_at) == (DAY + 24 * HOUR, DAY + 26 * HOUR)
    assert (session.place, session.address, session.title) == ("Studio B", "", "")
    assert {"photo_session.changed_elsewhere", "photo_session.updated"} <= actions()
    assert TimelineEntry.objects.filter(kind="session.moved_in_google").exists()
    there(sandbox, "PATCH", event["id"], {"summary": "On hold: Noces de Claire"})
    sync(calendar)
    session.refresh_from_db()
    assert session.title == "Noces de Claire"
    there(sandbox, "DELETE", event["id"])
    sync(calendar)
    session.refresh_from_db()
    assert session.status == "cancelled" and TimelineEntry.objects.filter(kind="session.deleted_in_google").exists()
    page = web.get(reverse("studio:project_detail", args=[project.pk])).content.decode()
    assert "Session cancelled: its event was deleted in Google Calendar" in page
    sync(calendar)
    assert not CalendarEvent.objects.exists()


def test_our_own_writing_does_not_come_back_and_nothing_is_written_without_need(sandbox, anna, project, calendar):
    session = make_session(project, anna)
    sync(calendar)
    there(sandbox, "PATCH", events(sandbox)[0]["id"], {"colorId": "5", "attendees": [{"email": "claire@faure.example"}]})
    there(sandbox, "PATCH", events(sandbox)[0]["id"], moved(events(sandbox)[0], 2))
    for _ in range(4):
        sync(calendar)
    session.refresh_from_db()
    assert (session.version, session.starts_at) == (2, DAY + 2 * HOUR)
    assert requests_to(sandbox, "calendar.events.patch") == 1, "the move is confirmed once, and then both are still"
    assert requests_to(sandbox, "calendar.events.insert") == 1
    assert events(sandbox)[0]["colorId"] == "5" and events(sandbox)[0]["attendees"], "what is not ours to say stays"


def test_a_forgotten_position_is_read_anew_and_finds_what_happened_meanwhile(sandbox, anna, project, calendar):
    kept, gone = make_session(project, anna), make_session(project, anna, at=DAY + 5 * HOUR)
    sync(calendar)
    by_session = {event["extendedProperties"]["private"]["aaperture"]: event for event in events(sandbox)}
    there(sandbox, "PATCH", by_session[str(kept.pk)]["id"], moved(by_session[str(kept.pk)], 1))
    there(sandbox, "DELETE", by_session[str(gone.pk)]["id"])
    sandbox.control("POST", "calendar/camille@example.test/forget", {})
    assert sync(calendar)
    kept.refresh_from_db()
    gone.refresh_from_db()
    assert kept.starts_at == DAY + HOUR and gone.status == "cancelled"
    calendar.refresh_from_db()
    assert calendar.sync_token and calendar.fault == ""
    asked = [
        one["query"] for one in sandbox.control("GET", "/requests?api=calendar.events.list")["requests"] if "syncToken" not in one["query"]
    ]
    assert asked and all("timeMin" in query for query in asked), "what is long past is not read anew"


def test_strangers_events_change_nothing_and_a_whole_day_is_one_of_the_place(sandbox, anna, project, calendar):
    session = make_session(project, anna)
    sync(calendar)
    [event] = events(sandbox)
    own = {"calendar": calendars(sandbox)[0]["id"], "summary": "Dentist", "start": event["start"], "end": event["end"]}
    sandbox.control("POST", "calendar/camille@example.test/events", own)
    there(sandbox, "PATCH", event["id"], {"start": {"date": f"{YEAR}-06-14"}, "end": {"date": f"{YEAR}-06-15"}})
    assert sync(calendar)
    session.refresh_from_db()
    assert PhotoSession.objects.count() == 1 and len(events(sandbox)) == 2
    assert session.local_start.isoformat() == f"{YEAR}-06-14T00:00:00+02:00" and session.ends_at - session.starts_at == 24 * HOUR
    [event] = [one for one in events(sandbox) if one["id"] == event["id"]]
    assert event["start"] == {"dateTime": f"{YEAR}-06-14T00:00:00+02:00", "timeZone": "Europe/Paris"}


# --- both sides ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["ours", "theirs"])
def test_changed_on_both_sides_is_a_choice(web, sandbox, anna, project, calendar, version):
    session = make_session(project, anna)
    sync(calendar)
    [event] = events(sandbox)
    there(sandbox, "PATCH", event["id"], moved(event, 24))
    sessions.change_session(session, fields={"starts_at": DAY + 3 * HOUR, "ends_at": DAY + 5 * HOUR}, actor=anna)
    sync(calendar)
    session.refresh_from_db()
    assert session.starts_at == DAY + 3 * HOUR and events(sandbox)[0]["start"] == moved(event, 24)["start"], "nothing is written over"
    page = web.get(reverse("studio:session_detail", args=[session.pk])).content.decode()
    assert "Which version counts?" in page and "changed here and, at the same time, in the Google Calendar of Anna" in page
    assert "Choose what counts" in web.get(reverse("studio:session_month")).content.decode()
    row = session.calendar_events.get()
    path = reverse("studio:calendar_choice", args=[row.pk])
    assert web.post(path, {"version": "none"}).status_code == 400
    said = web.get(web.post(path, {"version": version})["Location"]).content.decode()
    assert "Settled" in said and "Which version counts?" not in said
    sync(calendar)
    session.refresh_from_db()
    wanted = DAY + (3 * HOUR if version == "ours" else 24 * HOUR)
    assert session.starts_at == wanted and datetime.fromisoformat(events(sandbox)[0]["start"]["dateTime"]) == wanted
    assert not session.calendar_events.get().is_changed_here and not session.calendar_events.get().conflict
    assert {"photo_session.calendar_conflict", "photo_session.calendar_chosen"} <= actions()
    assert "Somebody has changed this session" in web.get(web.post(path, {"version": version})["Location"]).content.decode()


def test_moved_there_to_a_time_that_is_taken_is_shown_and_not_lost(web, sandbox, anna, project, calendar):
    session, other = make_session(project, anna), make_session(project, anna, at=DAY + 24 * HOUR, title="Portrait")
    sync(calendar)
    [event] = [event for event in events(sandbox) if event["id"] == f"aap{session.pk.hex}"]
    there(sandbox, "PATCH", event["id"], moved(event, 25))
    assert sync(calendar)
    session.refresh_from_db()
    assert session.starts_at == DAY and session.calendar_events.get().conflict == "time_taken"
    page = web.get(reverse("studio:session_detail", args=[session.pk])).content.decode()
    assert "to a time at which another session is planned" in page
    path = reverse("studio:calendar_choice", args=[session.calendar_events.get().pk])
    assert "Portrait" in web.get(web.post(path, {"version": "theirs"})["Location"]).content.decode(), "it names what is in the way"
    assert session.calendar_events.get().conflict == "time_taken", "the choice stays open"
    sessions.move_session(other, to="cancelled", actor=anna)
    web.post(path, {"version": "theirs"})
    session.refresh_from_db()
    assert session.starts_at == DAY + 25 * HOUR


@pytest.mark.parametrize(("version", "status", "there_are"), [("ours", "confirmed", 1), ("theirs", "cancelled", 0)])
def test_changed_here_and_deleted_there_is_a_choice(web, sandbox, anna, project, calendar, version, status, there_are):
    session = make_session(project, anna)
    sync(calendar)
    there(sandbox, "DELETE", events(sandbox)[0]["id"])
    sessions.change_session(session, fields={"title": "Noces"}, actor=anna)
    sync(calendar)
    row = session.calendar_events.get()
    assert row.conflict == "deleted" and "Deleted" in web.get(reverse("studio:session_detail", args=[session.pk])).content.decode()
    web.post(reverse("studio:calendar_choice", args=[row.pk]), {"version": version})
    sync(calendar)
    session.refresh_from_db()
    assert session.status == status and len(events(sandbox)) == there_are


def test_what_leaves_the_calendar_leaves_nothing_to_choose(sandbox, anna, project, calendar):
    cancelled, passed_on = make_session(project, anna), make_session(project, anna, at=DAY + 5 * HOUR)
    sync(calendar)
    for event in events(sandbox):
        there(sandbox, "PATCH", event["id"], moved(event, 24))
    for session in (cancelled, passed_on):
        sessions.change_session(session, fields={"title": "Noces"}, actor=anna)
    sync(calendar)
    assert CalendarEvent.objects.filter(conflict="changed").count() == len(events(sandbox)) == 2
    sessions.move_session(cancelled, to="cancelled", actor=anna)
    sessions.change_session(passed_on, fields={"photographer": make_user(name="Ben")}, actor=anna)
    sync(calendar)
    assert events(sandbox) == [] and not CalendarEvent.objects.exists()


def test_a_change_there_that_comes_between_reading_and_writing_is_seen_by_its_etag(sandbox, anna, project, calendar, monkeypatch):
    session = make_session(project, anna)
    sync(calendar)
    [event] = events(sandbox)
    sessions.change_session(session, fields={"title": "Noces"}, actor=anna)
    there(sandbox, "PATCH", event["id"], moved(event, 24))
    sync(calendar, read_due_at=timezone.now() + HOUR)  # writes only
    assert session.calendar_events.get().conflict == "changed" and events(sandbox)[0]["summary"] == "Mariage Claire & Marc"


# --- trouble ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 429}, "Google asked us to slow down"),
        ({"status": 503}, "Google did not answer. Nothing is lost"),
        ({"status": 403}, "Calendar API may be off"),
    ],
    ids=["too many", "down", "refused"],
)
def test_trouble_is_said_in_plain_words_waited_for_and_got_over(web, sandbox, anna, project, calendar, fault, words):
    make_session(project, anna)
    sandbox.control("POST", "/faults", fault | {"path": "/calendar/"})
    assert not sync(calendar)
    calendar.refresh_from_db()
    assert calendar.failures == 1 and calendar.resume_at > timezone.now() + timedelta(seconds=20)
    first = calendar.resume_at
    assert not SessionCalendar.objects.due(timezone.now()).exists() and not sync(calendar)
    calendar.refresh_from_db()
    assert calendar.failures == 2 and calendar.resume_at > first + timedelta(seconds=20)
    page = web.get(reverse("studio:session_month")).content.decode()
    assert words in page and "Try now" in page
    sandbox.control("DELETE", "/faults")
    web.post(reverse("studio:calendar_read", args=[calendar.pk]))
    assert sync(calendar) and len(events(sandbox)) == 1
    page = web.get(reverse("studio:calendar_status")).content.decode()
    assert "Last read" in page and words not in page
    connection_id = calendar.connection_id
    assert "Last read" in web.get(reverse("studio:calendar_status"), {"of": connection_id}).content.decode()
    assert "Last read" not in web.get(reverse("studio:calendar_status"), {"of": calendar.pk}).content.decode()
    again = web.post(reverse("studio:calendar_read", args=[calendar.pk]), {"of": connection_id}, HTTP_HX_REQUEST="true").content.decode()
    assert "load delay:2s" in again and "watch=1" in again and "Last read" in again
    assert web.get(reverse("studio:calendar_status"), {"of": "", "watch": "1"})["HX-Trigger"] == "calendar-read"


def test_google_is_left_alone_for_as_long_as_it_asks(web, sandbox, anna, project, calendar):
    make_session(project, anna)
    sandbox.control("POST", "/faults", {"status": 429, "path": "/calendar/", "retry_after": 600, "count": 1})
    assert not sync(calendar)
    calendar.refresh_from_db()
    assert calendar.resume_at > timezone.now() + timedelta(seconds=590)
    web.post(reverse("studio:calendar_read", args=[calendar.pk]))
    assert not syncing.sync(calendar.pk), "nor does somebody's asking change that"


def test_a_withdrawn_grant_waits_for_its_owner_and_loses_nothing(web, sandbox, anna, project, calendar, connected, commits):
    sandbox.control("POST", "/tokens/revoke", {})
    make_session(project, anna)
    with commits(execute=True):
        assert not sync(calendar)
    row = Connection.objects.get()
    assert row.status == "needs_reauth" and "calendar" in mail.outbox[0].subject
    page = web.get(reverse("studio:session_month")).content.decode()
    assert "Google no longer accepts our permission" in page and f"?again={row.pk}" in page
    make_session(project, anna, at=DAY + 5 * HOUR)
    sync(connected(form={"again": str(row.pk)}))
    assert len(events(sandbox)) == 2 and len(calendars(sandbox)) == 1


def test_an_expired_token_is_renewed_in_the_middle(sandbox, anna, project, calendar):
    make_session(project, anna)
    sandbox.control("POST", "/tokens/expire", {})
    assert sync(calendar) and len(events(sandbox)) == 1


def test_a_deleted_calendar_ends_no_session_and_is_made_again_when_asked(web, sandbox, anna, project, calendar):
    session = make_session(project, anna)
    sync(calendar)
    sandbox.control("DELETE", "calendar/camille@example.test", {"calendar": calendars(sandbox)[0]["id"]})
    assert not sync(calendar)
    session.refresh_from_db()
    assert session.status == "confirmed" and not SessionCalendar.objects.due(timezone.now()).exists()
    page = web.get(reverse("studio:session_month")).content.decode()
    assert "was deleted in Google. Your sessions here are untouched" in page
    assert not sync(calendar) and calendars(sandbox) == [], "nothing is made again unasked"
    stranger = Client()
    stranger.force_login(make_user())
    assert stranger.post(reverse("studio:calendar_make", args=[calendar.pk])).status_code == 404
    assert "Make the calendar" in page
    web.post(reverse("studio:calendar_make", args=[calendar.pk]))
    assert sync(calendar) and len(events(sandbox)) == 1


def test_an_end_that_nobody_heard_of_asks_where_we_may_not_look(web, sandbox, anna, connected):
    calendar = connected(scopes=[SCOPE + ".app.created"])
    day = {"day": f"{YEAR}-06-12", "timezone": "Europe/Paris", "photographer": str(anna.pk)}
    assert reverse("studio:session_busy") not in web.get(reverse("studio:session_that_day"), day).content.decode()
    SessionCalendar.objects.update(making_since=timezone.now())
    assert not sync(calendar) and calendars(sandbox) == []
    page = web.get(reverse("studio:calendar_status")).content.decode()
    assert "may not look whether it is there" in page
    web.post(reverse("studio:calendar_make", args=[calendar.pk]))
    assert sync(calendar) and len(calendars(sandbox)) == 1


def test_while_picking_a_time_google_says_when_one_is_taken_and_keeps_nobody_from_it(web, sandbox, anna, project, connected):
    day = {"day": f"{YEAR}-06-12", "timezone": "Europe/Paris", "photographer": str(anna.pk)}
    busy = reverse("studio:session_busy")
    assert busy not in web.get(reverse("studio:session_that_day"), day).content.decode()
    connected()
    sandbox.control("POST", "calendar/camille@example.test/events", {
        "summary": "Dentist", "start": {"dateTime": f"{YEAR}-06-12T09:00:00+02:00"}, "end": {"dateTime": f"{YEAR}-06-12T10:30:00+02:00"},
    })  # fmt: skip
    assert busy in web.get(reverse("studio:session_that_day"), day).content.decode()
    other = {**day, "photographer": str(make_user().pk)}
    assert busy not in web.get(reverse("studio:session_that_day"), other).content.decode(), "nobody sees when others are taken"
    page = web.get(busy, day | {"start": "10:00", "end": "12:00"}).content.decode()
    assert "you are taken then" in page and "9 a.m." in page and "Dentist" not in page
    assert "you are taken then" not in web.get(busy, day | {"start": "11:00", "end": "12:00"}).content.decode()
    assert "Nothing in your other" in web.get(busy, day | {"day": f"{YEAR}-06-13"}).content.decode()
    several = day | {"day": f"{YEAR}-06-11", "start": "18:00", "end": "09:30"}
    page = web.get(busy, several | {"ends_on": f"{YEAR}-06-13"}).content.decode()
    assert "you are taken then" in page and "12 June, 9 a.m." in page
    assert "Nothing in your other" in web.get(busy, several).content.decode()
    sandbox.control("POST", "/faults", {"status": 503, "path": "/calendar/"})
    answer = web.get(busy, day)
    assert (answer.status_code, answer.content) == (200, b"")


# --- whose it is -----------------------------------------------------------------------------------------------------------


def test_it_is_in_ones_copy_ends_with_the_agreement_and_goes_with_the_account(web, sandbox, anna, project, calendar):
    make_session(project, anna)
    sync(calendar)
    copy = {part.name: list(records(part, anna)) for part in PARTS if part.name in ("calendars", "calendar_events")}
    assert copy["calendars"][0]["google_id"] == calendars(sandbox)[0]["id"] and copy["calendar_events"][0]["event_id"].startswith("aap")
    assert "Keeping your sessions in Google Calendar" in web.get(reverse("settings_privacy")).content.decode()
    web.post(reverse("settings_privacy_consent", args=[Consent.objects.get().pk]))
    row = Connection.objects.get()
    assert (row.status, row.access_token, row.refresh_token) == ("revoked", None, None) and Consent.objects.get().withdrawn_at
    assert requests_to(sandbox, "oauth.revoke") == 1 and not sync(calendar)
    anna.delete()
    assert not SessionCalendar.objects.exists() and not CalendarEvent.objects.exists() and not Connection.objects.exists()


def test_closing_an_account_ends_both_grants_of_it_and_withdraws_them_once(web, sandbox, anna, calendar):
    decide(sandbox, web)
    for connection in Connection.objects.all():
        erasures._end_connection(connection, anna)
    assert set(Connection.objects.values_list("status", "renewable")) == {("revoked", False)}
    assert not any(row.access_token or row.refresh_token for row in Connection.objects.all())
    assert requests_to(sandbox, "oauth.revoke") == 1 and not sync(calendar)


def test_its_owner_may_test_it_staff_see_its_state_and_no_pipeline_reads_it(sandbox, anna, calendar):
    row = Connection.objects.get()
    assert with_token(anna).post(f"/api/v1/connections/{row.pk}/test").json() == {"working": True, "error_code": ""}
    sandbox.control("POST", "/faults", {"status": 503, "path": "/calendar/"})
    assert with_token(anna).post(f"/api/v1/connections/{row.pk}/test").json() == {"working": False, "error_code": "unavailable"}
    staff = Client()
    staff.force_login(make_user(role="viewer"))
    seen = staff.get(reverse("admin:integrations_connection_changelist")).content.decode()
    assert "Google Calendar" in seen and "camille@example.test" not in seen
    made = with_token(make_user(role="admin")).post(
        "/api/v1/connections", {"provider": "google_calendar", "account_email": "x@example.test"}
    )
    assert made.status_code == 400
    transformation = Transformation.objects.first()
    with pytest.raises(ValidationError, match="No pipeline reads"):
        Pipeline(name="x", connection=row, transformation=transformation).clean()
