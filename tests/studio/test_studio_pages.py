"""Contacts, projects and sessions as people with different rights meet them, request by request."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.services import studios
from audit.models import Activity
from studio.models import Contact, PhotoSession, Project, TimelineEntry
from studio.services import sessions, timeline
from studio.services.projects import create_project
from studio.timeline import Kind, register
from studio.views.sessions import taken_words
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of, make_studio
from tests.studio.trade import DAY, YEAR, make_contact, make_project, make_session, many_contacts
from tests.tracker.boards import make_opportunity

pytestmark = pytest.mark.django_db
CLAIRE = {
    "kind": "person", "given_name": "Claire", "family_name": "Faure", "email": "Claire@Faure.example", "phone": "+33 6 12 34 56 78",
    "language": "fr", "street": "12 rue Neuve", "postcode": "69002", "city": "Lyon", "country": "FR",
}  # fmt: skip
SESSION = {
    "type": "wedding", "title": "", "day": f"{YEAR}-06-12", "start": "14:00", "end": "02:00", "timezone": "Europe/Paris",
    "status": "confirmed", "place": "Domaine des Vignes", "address": "Gleizé", "notes": "Sonner.",
}  # fmt: skip
MOST_QUERIES = 12


def url(name, *args):
    return reverse(f"studio:{name}", args=args)


@pytest.fixture
def morel(db):
    return make_studio("Atelier Morel", anna="owner", cleo="assistant", dora="accountant")


def test_a_contact_is_added_found_changed_and_deleted(morel):
    studio, people = morel
    web = browser_of(people["cleo"])
    answer = web.post(url("contact_add"), CLAIRE)
    contact = Contact.objects.get()
    assert answer["Location"] == url("contact_detail", contact.pk)
    assert (contact.organization, contact.name, contact.email, contact.phone) == (
        studio, "Claire Faure", "claire@faure.example", "+33 6 12 34 56 78",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM studio_contact c")
        assert "12 34 56" not in cursor.fetchone()[0]

    page = web.get(url("contact_list"), {"q": "fauré cla"}, headers={"HX-Request": "true", "HX-Target": "contacts"})
    assert "Claire Faure" in page.text and "<html" not in page.text and page["HX-Push-Url"].endswith("?q=faur%C3%A9+cla")
    assert not web.get(url("contact_list"), {"q": "nobody"}).context["rows"]

    again = web.post(url("contact_add"), CLAIRE)
    assert "has the address claire@faure.example already" in again.text and Contact.objects.count() == 1
    web.post(url("contact_add"), CLAIRE | {"anyway": "1"})
    assert Contact.objects.count() == 2

    project = create_project(studio, title="Mariage", contact=contact, actor=people["anna"])
    session = make_session(project, people["anna"])
    changed = CLAIRE | {"family_name": "Marchand", "phone": "", "vat_number": "FR 40 303 265 045", "company_number": "303 265 045"}
    web.post(url("contact_edit", contact.pk), changed)
    contact.refresh_from_db()
    assert (contact.name, contact.phone, contact.vat_number, contact.company_number) == (
        "Claire Marchand",
        None,
        "FR40303265045",
        "303265045",
    )
    assert list(Project.objects.search("marchand")) == [project] and list(PhotoSession.objects.search("marchand")) == [session]
    assert not Project.objects.search("faure").exists()

    stale = changed | {"seen": re.search(r'name="seen" value="([^"]+)"', web.get(url("contact_edit", contact.pk)).text)[1]}
    assert web.post(url("contact_edit", contact.pk), stale | {"city": "Gent"}).status_code == 302
    late = web.post(url("contact_edit", contact.pk), stale | {"city": ""})
    contact.refresh_from_db()
    assert late.status_code == 409 and "Nothing of yours was saved" in late.text and contact.city == "Gent"

    said = web.get(url("contact_delete", contact.pk)).text
    assert "Projects: 1, kept without it." in said
    web.post(url("contact_delete", contact.pk))
    project.refresh_from_db()
    assert project.contact is None and not Project.objects.search("marchand").exists()

    log = Activity.objects.filter(organization_id=studio.pk, actor_id=people["cleo"].pk)
    assert [row.action for row in log.order_by("recorded_at", "pk")] == [
        "contact.created",
        "contact.created",
        "contact.updated",
        "contact.updated",
        "contact.deleted",
    ]
    assert not [row for row in log if "Claire" in str(row.details) or "faure" in str(row.details).lower()]
    assert log.filter(action="contact.updated").earliest("recorded_at").details["fields"] == [
        "company_number",
        "family_name",
        "phone",
        "vat_number",
    ]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"given_name": "", "family_name": "", "email": ""}, "given_name"),
        ({"kind": "company"}, "company_name"),
        ({"email": "nobody"}, "email"),
        ({"phone": "call me"}, "phone"),
        ({"vat_number": "FR12345678901"}, "vat_number"),
        ({"company_number": "123 456 789"}, "company_number"),
        ({"country": "EU"}, "country"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(morel, wrong, field):
    page = browser_of(morel[1]["anna"]).post(url("contact_add"), CLAIRE | wrong)
    assert list(page.context["form"].errors) == [field] and not Contact.objects.exists()


def test_the_export_holds_what_the_list_shows_and_no_formula(morel):
    studio, people = morel
    make_contact(studio, phone="+33 1 23 45 67 89")
    make_contact(studio, given_name="=HYPERLINK(1)", family_name="Evil", email="evil@x.example", language="en")
    web = browser_of(people["dora"])
    lines = b"".join(web.get(url("contact_export"), {"language": "fr"}).streaming_content).decode().splitlines()
    assert len(lines) == 2 and '"\'+33 1 23 45 67 89"' in lines[1]
    assert '"\'=HYPERLINK(1)"' in b"".join(web.get(url("contact_export")).streaming_content).decode()
    people["dora"].language = "fr"
    french = b"".join(browser_of(people["dora"]).get(url("contact_export")).streaming_content).decode()
    assert french.startswith('\ufeff"Personne ou entreprise";"Prénom"')  # Excel in French opens nothing else by a double click
    assert [row.details["count"] for row in Activity.objects.filter(action="contacts.exported").order_by("recorded_at", "pk")] == [1, 2, 2]


def test_a_project_from_its_client_to_its_end(morel):
    studio, people = morel
    contact, web = make_contact(studio), browser_of(people["anna"])
    assert "Claire Faure" in web.get(url("project_add"), {"q": "clai"}).text
    page = web.post(url("project_add"), {"contact": contact.pk, "title": "Mariage", "status": "open", "deliver_on": f"{YEAR}-09-01"})
    project = Project.objects.get()
    assert page["Location"] == url("project_detail", project.pk) and project.contact == contact

    web.post(url("project_move", project.pk), {"to": "booked"})
    web.post(url("note_add", project.pk), {"text": "Lumière du soir <b>"})
    assert web.post(url("note_add", project.pk), {"text": " "}).status_code == 422
    web.post(url("project_edit", project.pk), {"title": "Mariage C & M", "deliver_on": ""})
    web.post(url("project_client", project.pk), {"contact": "none"})
    project.refresh_from_db()
    assert (project.status, project.title, project.deliver_on, project.contact) == ("booked", "Mariage C & M", None, None)
    said = web.get(url("project_detail", project.pk)).text
    assert said.index("Lumière du soir &lt;b&gt;") < said.index("Project: Booked") < said.index("Project begun")
    note = TimelineEntry.objects.get(kind="note")
    web.post(url("note_remove", note.pk))
    assert not TimelineEntry.objects.filter(kind="note").exists()
    assert web.post(url("note_remove", TimelineEntry.objects.first().pk)).status_code == 404  # no note

    make_session(project, people["anna"])
    assert "Photo sessions: 1, deleted with it." in web.get(url("project_delete", project.pk)).text
    web.post(url("project_delete", project.pk))
    assert not Project.objects.exists() and not PhotoSession.objects.exists()
    assert "Mariage" not in web.get(url("project_list"), {"status": "all"}).text


def test_apps_above_write_lines_that_are_said_in_the_readers_language(morel):
    studio, _people = morel
    register({"test.sent": Kind("Quote %(number)s sent", "send"), "test.state": Kind("Now %(status)s", "flag", {"status": {"a": "Ä"}})})
    project = make_project(studio)
    line = timeline.add_entry(project, "test.sent", number="2027-004", url_name="studio:project_detail", target_id=project.pk)
    assert line.words == "Quote 2027-004 sent" and line.url == url("project_detail", project.pk)
    assert timeline.add_entry(project, "test.state", status="a").words == "Now Ä"
    with pytest.raises(ValueError, match="no such kind"):
        timeline.add_entry(project, "test.unknown")
    with pytest.raises(ValueError, match="twice"):
        register({"test.sent": Kind("Other")})
    assert TimelineEntry(kind="test.gone%", details={"number": 1}).words == "test.gone%"
    assert TimelineEntry(kind="test.sent", url_name="no:such", target_id=project.pk).url == "" == TimelineEntry(kind="test.sent").url


def test_a_session_is_planned_on_the_clock_of_its_place(morel):
    studio, people = morel
    project, web = make_project(studio, contact=make_contact(studio, phone="+33 6 12 34 56 78")), browser_of(people["cleo"])
    web.post(url("session_add", project.pk), SESSION | {"photographer": people["anna"].pk, "timezone": "America/New_York"})
    session = PhotoSession.objects.get()
    assert session.starts_at == datetime(YEAR, 6, 12, 18, tzinfo=UTC) and session.ends_at - session.starts_at == timedelta(hours=12)
    page = web.get(url("session_detail", session.pk)).text
    assert 'href="tel:+33612345678"' in page and "2 p.m." in page and "America/New_York" in page and "8 p.m." in page
    assert "query=Domaine%20des%20Vignes%2C%20Gleiz%C3%A9" in page
    refused = web.post(url("session_add", project.pk), SESSION | {"photographer": people["anna"].pk, "start": "22:00", "end": "23:00"})
    assert refused.status_code == 409 and f"Anna photographs “Mariage Claire &amp; Marc” (Claire Faure) on June 12, {YEAR}" in refused.text
    assert url("session_detail", session.pk) in refused.text and PhotoSession.objects.count() == 1
    spring = date(YEAR, 3, 31) - timedelta(days=date(YEAR, 3, 31).isoweekday() % 7)  # the last Sunday
    skipped = SESSION | {"day": spring.isoformat(), "start": "02:30", "end": "04:00"}
    assert "the clocks go forward" in web.post(url("session_add", project.pk), skipped).text

    form = SESSION | {"photographer": people["anna"].pk, "timezone": "America/New_York", "notes": "Autre.", "version": session.version}
    assert web.post(url("session_edit", session.pk), form).status_code == 302
    stale = web.post(url("session_edit", session.pk), form | {"notes": "Stale."})
    assert stale.status_code == 409 and "Somebody has changed this session" in stale.text
    session.refresh_from_db()
    assert (session.notes, session.version) == ("Autre.", 2)
    web.post(url("session_move", session.pk), {"to": "cancelled", "version": 2})
    web.post(url("session_delete", session.pk))
    assert [line.words for line in TimelineEntry.objects.newest_first()] == [
        "Session deleted",
        "Session: Cancelled",
        "Session planned: Confirmed",
    ]


def test_a_hold_is_kept_until_the_end_of_its_day_and_what_collides_elsewhere_stays_private(morel):
    studio, people = morel
    project, web = make_project(studio), browser_of(people["anna"])
    until = timezone.localdate() + timedelta(days=3)
    form = SESSION | {"photographer": people["anna"].pk, "status": "tentative", "hold_until": until.isoformat()}
    web.post(url("session_add", project.pk), form)
    hold = PhotoSession.objects.get()
    assert hold.hold_expires_at.astimezone(hold.zone).date() == until + timedelta(days=1)
    said = date_format(until, "DATE_FORMAT")
    assert f"On hold until {said};" in web.get(url("session_detail", hold.pk)).text  # as it was named, not the midnight after
    past = form | {"hold_until": "2020-01-01", "start": "08:00", "end": "09:00"}
    assert list(web.post(url("session_add", project.pk), past).context["form"].errors) == ["hold_until"]

    other = make_project(studios.current_organization(make_user()), title="Secret wedding")
    sessions.move_session(hold, to="requested", actor=people["anna"])
    make_session(other, people["anna"], at=DAY)
    answer = web.post(url("session_move", hold.pk), {"to": "confirmed"}, follow=True).text
    assert f"Anna works for another studio on June 12, {YEAR}" in answer and "Secret" not in answer and "Domaine" in answer
    PhotoSession.objects.filter(project=other).delete()
    PhotoSession.objects.filter(pk=hold.pk).update(status="tentative", hold_expires_at=timezone.now() - timedelta(days=1))
    assert "The hold ran out" in web.get(url("session_detail", hold.pk)).text


def test_what_a_photographer_has_that_day_is_shown_while_planning(morel):
    studio, people = morel
    project, web = make_project(studio), browser_of(people["cleo"])
    late = make_session(project, people["anna"], at=datetime(2027, 6, 12, 23, 30, tzinfo=UTC), title="Late", timezone="Europe/London")
    asked = {"day": "2027-06-13", "photographer": people["anna"].pk, "timezone": "Europe/Paris"}
    page = web.get(url("session_that_day"), asked).text
    assert "Late" in page and "1:30 a.m.–3:30 a.m." in page and "<html" not in page
    assert "Nothing else" in web.get(url("session_that_day"), asked | {"but": late.pk}).text
    assert "Nothing else" in web.get(url("session_that_day"), asked | {"day": "2027-06-12", "timezone": "Asia/Tokyo"}).text
    assert "Nothing else" in web.get(url("session_that_day"), asked | {"photographer": people["cleo"].pk}).text
    for missing in ({"day": ""}, {"day": "9999-12-31"}, {"photographer": "x"}, {"timezone": "Mars/Olympus"}):
        assert web.get(url("session_that_day"), asked | missing).text.strip() == ""
    assert browser_of(people["dora"]).get(url("session_that_day"), asked).status_code == 403


def test_the_month_shows_sessions_on_the_days_of_their_place(morel):
    studio, people = morel
    project, web = make_project(studio), browser_of(people["anna"])
    make_session(project, people["anna"], at=datetime(2027, 6, 12, 12, tzinfo=UTC), hours=12)  # until two in the night
    make_session(project, people["anna"], at=datetime(2027, 6, 30, 15, 30, tzinfo=UTC), timezone="Asia/Tokyo", title="Tokyo")  # July there
    make_session(project, people["cleo"], at=datetime(2027, 6, 14, 8, tzinfo=UTC), hours=40, title="Reportage")
    make_session(project, people["cleo"], at=datetime(2027, 6, 20, 8, tzinfo=UTC), status="cancelled", title="Off")
    page = web.get(url("session_month"), {"month": "2027-06"})
    days = {
        cell["day"].isoformat(): [s.name for s, *_ in cell["sessions"]]
        for week in page.context["weeks"]
        for cell in week
        if cell["sessions"]
    }
    assert days == {
        "2027-06-12": ["Mariage Claire & Marc"], "2027-06-14": ["Reportage"], "2027-06-15": ["Reportage"],
        "2027-07-01": ["Tokyo"],
    }  # fmt: skip
    assert [len(page.context["weeks"]), page.context["weeks"][0][0]["day"].isoformat()] == [5, "2027-05-31"]
    july = web.get(url("session_month"), {"month": "2027-07", "who": people["anna"].pk})
    assert "Tokyo" in july.text and "Tokyo" not in web.get(url("session_month"), {"month": "2027-07", "who": people["cleo"].pk}).text
    for odd in ("2027-13", "0000-01", "9999-12", "x"):
        assert web.get(url("session_month"), {"month": odd}).context["is_this_month"]
    PhotoSession.objects.filter(title="Tokyo").update(
        starts_at=datetime(YEAR, 6, 30, 15, 30, tzinfo=UTC), ends_at=datetime(YEAR, 6, 30, 16, tzinfo=UTC)
    )
    assert [day for day, _ in web.get(url("session_agenda"), {"q": "tok"}).context["days"]] == [date(YEAR, 7, 1)]


def test_a_session_of_several_days_says_its_days_wherever_it_stands(morel):
    studio, people = morel
    contact = make_contact(studio)
    project, web = make_project(studio, contact=contact), browser_of(people["anna"])
    start = datetime(YEAR, 6, 25, 8, tzinfo=UTC)  # ten in Paris
    first, last, holiday = (date_format(date(YEAR, 6, day), "D j F") for day in (25, 27, 30))
    fair = make_session(project, people["anna"], at=start, hours=54, title="Fair")
    make_session(project, people["anna"], at=datetime(YEAR, 6, 28, 22, tzinfo=UTC), hours=48, title="Off season")  # days of Google's
    make_session(project, people["anna"], at=datetime(YEAR, 6, 4, 22, tzinfo=UTC), hours=24, title="One whole day")
    pages = [("session_agenda",), ("session_detail", fair.pk), ("project_detail", project.pk), ("contact_detail", contact.pk)]
    for page in [*pages, ("session_delete", fair.pk)]:
        assert f"10 a.m. – {last}, 4 p.m." in web.get(url(*page)).text, page
    agenda = web.get(url("session_agenda")).text
    assert f"all day, until {holiday}" in agenda and "all day</span>" in agenda
    assert f"until {last}" in web.get(url("today_sessions"), headers={"HX-Request": "true"}).text
    page = web.get(url("session_month"), {"month": f"{YEAR}-06"})
    month = page.context["weeks"]
    assert page.text.count(f"until {last}") == 2  # on each of its days but the last
    told = {cell["day"].day: [words for _, *words in cell["sessions"]] for week in month for cell in week if cell["sessions"]}
    assert told == {
        5: [["", "all day"]], 25: [["10 a.m.", ""]], 26: [["", "all day"]], 27: [["", "until 4 p.m."]],
        29: [["", "all day"]], 30: [["", "all day"]],
    }  # fmt: skip
    asked = {"day": f"{YEAR}-06-26", "photographer": people["anna"].pk, "timezone": "Europe/Paris"}
    assert f"{first}, 10 a.m. – {last}, 4 p.m." in web.get(url("session_that_day"), asked).text
    around = web.get(url("session_that_day"), asked | {"day": f"{YEAR}-06-04", "ends_on": f"{YEAR}-06-25"}).text
    assert "In these days already" in around and "One whole day" in around and "Fair" in around and "Off season" not in around
    with pytest.raises(sessions.TimeTaken) as taken:
        make_session(project, people["anna"], at=start)
    assert f"from 10 a.m. to {last}, 4 p.m." in taken_words(taken.value, studio.pk)


def test_a_session_of_several_days_is_planned_and_changed_by_its_form(morel):
    studio, people = morel
    project, web = make_project(studio), browser_of(people["anna"])
    form = SESSION | {"photographer": people["anna"].pk, "ends_on": f"{YEAR}-06-14", "end": "12:00"}
    for wrong in ({"ends_on": f"{YEAR}-06-11"}, {"ends_on": f"{YEAR}-06-12"}, {"ends_on": f"{YEAR}-07-14"}, {"ends_on": "soon"}):
        assert list(web.post(url("session_add", project.pk), form | wrong).context["form"].errors) == ["ends_on"], wrong
    web.post(url("session_add", project.pk), form)
    session = PhotoSession.objects.get()
    assert (session.local_start, session.local_end) == tuple(
        datetime(YEAR, 6, day, hour, tzinfo=session.zone) for day, hour in ((12, 14), (14, 12))
    )

    def shown():
        session.refresh_from_db()
        asked = web.get(url("session_edit", session.pk)).context["form"].initial
        return {name: asked[name] for name in ("day", "start", "end", "ends_on", "version")}

    assert shown()["ends_on"] == date(YEAR, 6, 14)
    web.post(url("session_edit", session.pk), form | shown() | {"start": "09:00"})
    assert (shown()["start"].hour, shown()["ends_on"]) == (9, date(YEAR, 6, 14))
    web.post(url("session_edit", session.pk), form | shown() | {"ends_on": "", "end": "02:00"})  # the night of the first day
    assert (shown()["ends_on"], session.local_end.day) == (None, 13)
    long = timedelta(days=40)  # as Google may have it: it stays while something else is edited
    PhotoSession.objects.filter(pk=session.pk).update(ends_at=session.starts_at + long)
    assert web.post(url("session_edit", session.pk), form | shown() | {"notes": "Autre."}).status_code == 302
    session.refresh_from_db()
    assert (session.notes, session.ends_at) == ("Autre.", session.starts_at + long)


def test_whether_it_took_place_is_asked_from_its_beginning_on(morel):
    studio, people = morel
    web = browser_of(people["anna"])
    begun = make_session(make_project(studio), people["anna"], at=timezone.now() - timedelta(minutes=5))
    ahead = make_session(make_project(studio), people["anna"], at=timezone.now() + timedelta(days=1))
    acts = [[to for to, _ in web.get(url("session_detail", one.pk)).context["acts"]] for one in (begun, ahead)]
    assert acts == [["completed", "cancelled", "no_show"], ["cancelled"]]


def test_who_may_do_what_in_a_studio(morel):
    studio, people = morel
    project = make_project(studio, contact=make_contact(studio))
    session = make_session(project, people["anna"])
    accountant, stranger = browser_of(people["dora"]), browser_of(make_user())
    seen = {"contact_list": [], "contact_detail": [project.contact_id], "project_list": [], "project_detail": [project.pk]}
    refused = {
        "contact_add": [], "contact_edit": [project.contact_id], "contact_import": [], "project_edit": [project.pk], "project_add": [],
        "session_month": [], "session_agenda": [], "session_detail": [session.pk], "session_add": [project.pk],
    }  # fmt: skip
    for name, args in seen.items():
        page = accountant.get(url(name, *args))
        assert page.status_code == 200 and url("contact_add") not in page.text and url("session_month") not in page.text, name
    for name, args in refused.items():
        assert accountant.get(url(name, *args)).status_code == 403, name
    assert accountant.post(url("project_move", project.pk), {"to": "closed"}).status_code == 403
    assert stranger.get(url("project_detail", project.pk)).status_code == 404
    foreign = make_contact(studios.current_organization(make_user()))
    assert browser_of(people["anna"]).post(url("project_client", project.pk), {"contact": foreign.pk}).status_code == 404


@pytest.mark.slow
def test_no_page_asks_more_of_the_database_with_ten_thousand_contacts(morel):
    studio, people = morel
    contacts = many_contacts(studio, 10_000)
    project = make_project(studio, contact=contacts[0])
    for n in range(30):
        made = make_project(studio, contact=contacts[n + 1], title=f"Projet {n}")
        make_session(made, people["anna"], at=timezone.now() + timedelta(days=n // 3, hours=4 * (n % 3)))
        timeline.add_note(project, text=f"note {n}", actor=people["anna"])
    session = make_session(project, people["cleo"])
    web = browser_of(people["anna"])
    web.get(url("contact_list"))
    pages = [
        url("contact_list"), url("contact_list") + "?q=nom99", url("contact_list") + "?page=150", url("search") + "?q=nom99",
        url("contact_detail", contacts[0].pk),
        url("contact_delete", contacts[0].pk), url("contact_import"), url("project_list"), url("project_add"),
        url("project_detail", project.pk),
        url("project_delete", project.pk), url("session_month"), url("session_agenda"), url("session_detail", session.pk),
        url("session_add", project.pk), url("session_edit", session.pk), url("session_choose_project"),
    ]  # fmt: skip
    counts = {}
    for page in pages:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert web.get(page).status_code == 200
        counts[page] = len(queries)
    print(counts)
    assert max(counts.values()) <= MOST_QUERIES, counts


def test_one_box_finds_contacts_projects_sessions_and_opportunities(morel):
    studio, people = morel
    project = make_project(studio, contact=make_contact(studio, city="Saint-Étienne"))
    make_session(project, people["anna"], title="Repérage étang")
    make_contact(studios.current_organization(make_user()), family_name="Faure-Stranger")
    make_opportunity(people["anna"], role="Reportage étoiles", contact_name="x")
    web = browser_of(people["anna"])
    page = web.get(url("search"), {"q": "fau"})
    assert {name: [str(row) for row in rows] for name, rows in page.context["found"].items()} == {
        "contacts": ["Claire Faure"], "projects": ["Mariage Claire & Marc"], "sessions": ["Repérage étang"],
    }  # fmt: skip
    panel = reverse("tracker:search_panel")
    assert f'hx-get="{panel}?q=fau"' in page.text and web.get(panel, {"q": "fau"}).text.strip() == ""
    assert "Reportage étoiles" in web.get(panel, {"q": "etoi"}).text
    rows = web.get(url("search"), {"q": "etan"}, headers={"HX-Request": "true", "HX-Target": "results"})
    assert "Repérage étang" in rows.text and "<html" not in rows.text
    assert "nothing fits" in web.get(url("search"), {"q": "zzz"}).text and not web.get(url("search")).context["found"]
    assert browser_of(people["dora"]).get(url("search"), {"q": "fau"}).context["found"]["sessions"] == []
