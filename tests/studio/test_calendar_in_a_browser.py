"""From our pages to Google's and back: connect, plan a session, find it in the calendar, move it there, see it moved here."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from integrations import google_oauth
from studio.calendar import syncing
from studio.models import CalendarEvent, PhotoSession, SessionCalendar
from tests.accounts.people import make_user
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.google import ACCOUNT, events
from tests.studio.trade import DAY, YEAR, make_contact, make_project, studio_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def google(sandbox, live_server, settings, page):
    """The sandbox, where the browser may go too."""
    settings.PUBLIC_URL = live_server.url
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | {"form-action": [*directives["form-action"], sandbox.url]}}
    google_oauth.documents.clear()
    page.allowed_origins.append(sandbox.url)
    return sandbox


def work():
    """What the worker does, rung now; reading again too."""
    SessionCalendar.objects.update(read_due_at=timezone.now(), rung_until=None)
    for pk in syncing.ring():
        assert syncing.sync(pk)


def test_connect_plan_move_there_and_see_it_moved_here(page, axe, live_server, login, google):
    camille = make_user(name="Camille Morel", timezone="Europe/Paris")
    project = make_project(studio_of(camille), contact=make_contact(studio_of(camille)))
    login(camille)
    page.goto(live_server.url + "/sessions/")
    page.get_by_role("link", name="Connect Google Calendar").click()
    page.get_by_role("button", name="I agree, continue to Google").click()
    page.get_by_role("button", name=re.compile(ACCOUNT)).click()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("We are writing your sessions into the calendar Aaperture now")).to_be_visible()
    work()

    google.control("POST", f"calendar/{ACCOUNT}/events", {
        "summary": "Dentist", "start": {"dateTime": f"{YEAR}-06-12T09:00:00+02:00"}, "end": {"dateTime": f"{YEAR}-06-12T10:30:00+02:00"},
    })  # fmt: skip
    page.goto(live_server.url + reverse("studio:session_add", args=[project.pk]))
    page.get_by_label("Day", exact=True).fill(f"{YEAR}-06-12")
    page.get_by_label("From").fill("10:00")
    page.get_by_label("Until", exact=True).fill("12:00")
    expect(page.get_by_text("Your other Google calendars say that you are taken then")).to_be_visible()
    page.get_by_label("From").fill("14:00")
    page.get_by_label("Until", exact=True).fill("16:00")
    expect(page.get_by_text("Your other Google calendars say that you are taken then")).to_be_hidden()
    page.get_by_role("button", name="Plan the session").click()
    expect(page.get_by_text("Waits to be written to the Google Calendar of Camille Morel")).to_be_visible()
    work()
    page.reload()
    expect(page.get_by_text("In the Google Calendar of Camille Morel")).to_be_visible()
    session_url = page.url

    page.goto(f"{google.url}/calendar/{ACCOUNT}")
    event = page.get_by_role("article", name=re.compile("On hold: Mariage Claire & Marc"))
    event.get_by_label("Day").fill(f"{YEAR}-06-13")
    event.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{DAY + timedelta(days=1):%a %d %b %Y}, 14:00–16:00")).to_be_visible()
    page.goto(live_server.url + f"/sessions/?month={YEAR}-06")
    on = f'td:has(time[datetime="{YEAR}-06-{{}}"]) a.calendar-event'
    expect(page.locator(on.format(12))).to_be_visible()
    work()
    page.get_by_role("button", name="Read now").click()
    expect(page.locator(on.format(13))).to_be_visible()
    expect(page.locator(on.format(12))).to_have_count(0)
    page.goto(session_url)
    expect(page.get_by_role("heading", name=re.compile(f"June 13, {YEAR}"))).to_be_visible()
    page.goto(live_server.url + reverse("studio:project_detail", args=[project.pk]))
    expect(page.get_by_text("Session moved to another time in Google Calendar")).to_be_visible()

    row = CalendarEvent.objects.get()
    row.conflict = "changed"
    row.theirs = {"title": "Noces", "place": "Studio B", "starts_at": f"{YEAR}-06-14T12:00Z", "ends_at": f"{YEAR}-06-14T14:00Z"}
    row.save()
    paths = ["/sessions/", "/connections/", "/connections/calendar/connect/", session_url.removeprefix(live_server.url)]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []
    page.goto(session_url)
    page.get_by_role("button", name="Take Google’s version").click()
    expect(page.get_by_text("Settled: both sides will say the same in a moment.")).to_be_visible()
    work()
    assert PhotoSession.objects.get().title == "Noces" and events(google)[0]["location"] == "Studio B"
