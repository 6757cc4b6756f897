"""Google Calendar as the real one answers, spoken to by Google's own client library."""

import pytest
import requests
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

from sandbox.server import SandboxServer
from tests.sandbox.providers import CAMILLE

SCOPE = "https://www.googleapis.com/auth/calendar"
TIMES = {"start": {"dateTime": "2027-06-12T14:00:00+02:00"}, "end": {"dateTime": "2027-06-12T16:00:00+02:00"}}
LATER = {"start": {"dateTime": "2027-06-12T15:00:00+02:00"}, "end": {"dateTime": "2027-06-12T17:00:00+02:00"}}


def calendar_api(sandbox: SandboxServer, *scopes: str):
    token = sandbox.control("POST", "grant", {"scopes": list(scopes)})["access_token"]
    document = get_static_doc("calendar", "v3").replace("https://www.googleapis.com/", f"{sandbox.url}/")
    return build_from_document(document, credentials=Credentials(token))


@pytest.fixture
def own(sandbox):
    """With the grant that covers what the application made, and nothing else."""
    return calendar_api(sandbox, SCOPE + ".app.created", SCOPE + ".freebusy")


@pytest.fixture
def calendar(own):
    return own.calendars().insert(body={"summary": "Aaperture", "timeZone": "Europe/Paris"}).execute()["id"]


def refused(status, reason):
    return pytest.raises(HttpError, match=rf"(?s){status}.*{reason}")


def test_an_application_sees_what_it_made_and_nothing_else(own, calendar, sandbox):
    assert own.calendarList().get(calendarId=calendar).execute()["summary"] == "Aaperture"
    with refused(403, "SCOPE_INSUFFICIENT"):  # Google lets nobody list calendars with this scope
        own.calendarList().list().execute()
    with_list = calendar_api(sandbox, SCOPE + ".app.created", SCOPE + ".calendarlist.readonly")
    assert [item["summary"] for item in with_list.calendarList().list().execute()["items"]] == [CAMILLE, "Aaperture"]
    with refused(404, "notFound"):
        with_list.events().list(calendarId="primary").execute()
    with refused(404, "notFound"):
        own.events().list(calendarId="primary").execute()
    whole = calendar_api(sandbox, SCOPE)
    assert len(whole.calendarList().list().execute()["items"]) == 2
    with refused(403, "SCOPE_INSUFFICIENT"):
        calendar_api(sandbox, SCOPE + ".freebusy").calendars().insert(body={"summary": "x"}).execute()


def test_an_event_keeps_its_id_and_its_private_properties(own, calendar):
    body = {"id": "abc123", "summary": "Mariage", "extendedProperties": {"private": {"aaperture": "1"}}, **TIMES}
    made = own.events().insert(calendarId=calendar, body=body).execute()
    assert (made["id"], made["status"]) == ("abc123", "confirmed")
    held = own.events().insert(calendarId=calendar, body={"summary": "?", "status": "tentative", **TIMES}).execute()
    assert held["status"] == "tentative"
    with refused(409, "already exists"):
        own.events().insert(calendarId=calendar, body=body).execute()
    found = own.events().list(calendarId=calendar, privateExtendedProperty="aaperture=1").execute()["items"]
    assert [event["id"] for event in found] == ["abc123"]
    assert not own.events().list(calendarId=calendar, privateExtendedProperty="aaperture=2").execute().get("items")
    with refused(400, "Invalid resource id"):
        own.events().insert(calendarId=calendar, body={**body, "id": "xyz"}).execute()


def test_a_change_needs_the_etag_it_was_made_on(own, calendar):
    made = own.events().insert(calendarId=calendar, body={"summary": "Mariage", **TIMES}).execute()
    request = own.events().patch(calendarId=calendar, eventId=made["id"], body=LATER)
    request.headers["If-Match"] = made["etag"]
    moved = request.execute()
    assert moved["etag"] != made["etag"] and moved["sequence"] == 1 and moved["summary"] == "Mariage"
    with refused(412, "Precondition Failed"):
        request.execute()
    own.events().delete(calendarId=calendar, eventId=made["id"]).execute()
    with refused(410, "deleted"):
        own.events().delete(calendarId=calendar, eventId=made["id"]).execute()


def test_a_sync_token_brings_what_changed_until_it_is_forgotten(own, calendar, sandbox):
    ids = [own.events().insert(calendarId=calendar, body={"summary": f"{n}", **TIMES}).execute()["id"] for n in range(3)]
    page = own.events().list(calendarId=calendar, maxResults=2).execute()
    assert "nextSyncToken" not in page
    token = own.events().list(calendarId=calendar, maxResults=2, pageToken=page["nextPageToken"]).execute()["nextSyncToken"]
    assert own.events().list(calendarId=calendar, syncToken=token).execute()["items"] == []
    sandbox.control("PATCH", f"calendar/{CAMILLE}/events/{ids[0]}", LATER)
    sandbox.control("DELETE", f"calendar/{CAMILLE}/events/{ids[1]}")
    changed = own.events().list(calendarId=calendar, syncToken=token).execute()
    assert [(event["id"], event["status"]) for event in changed["items"]] == [(ids[0], "confirmed"), (ids[1], "cancelled")]
    with refused(400, "cannot be used together"):
        own.events().list(calendarId=calendar, syncToken=token, timeMin="2027-01-01T00:00:00Z").execute()
    sandbox.control("POST", f"calendar/{CAMILLE}/forget", {})
    with refused(410, "full sync is required"):
        own.events().list(calendarId=calendar, syncToken=changed["nextSyncToken"]).execute()


def test_free_busy_tells_when_and_nothing_more(own, sandbox):
    sandbox.control("POST", f"calendar/{CAMILLE}/events", {"summary": "Dentist", **TIMES})
    asked = {"timeMin": "2027-06-12T00:00:00Z", "timeMax": "2027-06-13T00:00:00Z", "items": [{"id": "primary"}, {"id": "nobody"}]}
    answer = own.freebusy().query(body=asked).execute()["calendars"]
    assert answer["primary"] == {"busy": [{"start": "2027-06-12T14:00:00+02:00", "end": "2027-06-12T16:00:00+02:00"}]}
    assert answer["nobody"]["errors"][0]["reason"] == "notFound"


def test_times_that_make_no_sense_are_refused(own, calendar):
    with refused(400, "time range is empty"):
        own.events().insert(calendarId=calendar, body={"summary": "x", "start": TIMES["end"], "end": TIMES["start"]}).execute()
    with refused(400, "Missing end time"):
        own.events().insert(calendarId=calendar, body={"summary": "x", "start": TIMES["start"]}).execute()


def test_the_page_of_a_person_moves_adds_and_deletes(own, calendar, sandbox):
    body = {"id": "abc123", "summary": "Mariage & fête", "description": "https://example.test/x", "status": "tentative", **TIMES}
    own.events().insert(calendarId=calendar, body=body).execute()
    page = f"{sandbox.url}/calendar/{CAMILLE}"
    assert all(words in requests.get(page, timeout=5).text for words in ("Main calendar", "Mariage &amp; fête", "tentative", "14:00–16:00"))
    act = {"calendar": calendar, "event": "abc123", "do": "change", "day": "2027-06-13", "start": "22:00", "end": "01:00"}
    said = requests.post(f"{page}/act", act, timeout=5).text
    moved = own.events().get(calendarId=calendar, eventId="abc123").execute()
    assert "Saved." in said and moved["start"]["dateTime"] == "2027-06-13T22:00:00+02:00" and moved["summary"] == "Mariage & fête"
    assert moved["end"]["dateTime"] == "2027-06-14T01:00:00+02:00" and moved["sequence"] == 1
    assert "could not be understood" in requests.post(f"{page}/act", {**act, "day": "soon"}, timeout=5).text
    added = requests.post(f"{page}/act", {**act, "do": "add", "calendar": CAMILLE, "summary": "Dentist"}, timeout=5).text
    assert "Event added." in added and "Dentist" in added
    assert "Event deleted." in requests.post(f"{page}/act", {**act, "do": "delete"}, timeout=5).text
    assert own.events().get(calendarId=calendar, eventId="abc123").execute()["status"] == "cancelled"
    assert "The main calendar stays." in requests.post(f"{page}/act", {"do": "drop", "calendar": CAMILLE}, timeout=5).text
    assert "Calendar deleted." in requests.post(f"{page}/act", {"do": "drop", "calendar": calendar}, timeout=5).text
