"""The pages of contacts, projects and sessions in a browser: sound in every look, usable on the shoot day."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from studio.models import Contact, PhotoSession, Project
from studio.services import contacts, imports, timeline
from tests.accounts.people import make_user
from tests.accounts.studios import make_studio
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.trade import YEAR, make_contact, make_project, make_session, many_contacts
from tests.tracker.boards import make_opportunity

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "Mariage de Marie-Charlotte de la Tour-Maubourg et Jean-Baptiste à Saint-Rémy-lès-Chevreuse"
FILE = """Name;E-mail;Téléphone;Ville;Pays;Quelque chose
Jeanne Faure;jeanne@faure.example;+33 6 12 34 56 78;Lyon;France;x
Paul Blanc;pas-une-adresse;;Bruxelles;Belgique;y
;;;;;z
"""


@pytest.fixture
def full(transactional_db):
    """A studio of two with contacts, a project full of things and a month full of sessions; the paths of its pages."""
    studio, people = make_studio("Atelier Morel", anna="owner", ben="assistant")
    anna, ben = people["anna"], people["ben"]
    many_contacts(studio, 60)
    contact = make_contact(
        studio, kind="company", company_name="Atelier Faure & Fils", phone="+33 6 12 34 56 78", street="12 rue de la République",
        email="jeanne-marie.de-la-tour-maubourg@atelier-faure-photographie.example", postcode="69002", city="Lyon", country="FR",
        vat_number="FR40303265045", notes="Préfère le téléphone.",
    )  # fmt: skip
    project = make_project(studio, title=LONG, contact=contact, deliver_on=timezone.localdate() + timedelta(days=90), notes="Album 30×30.")
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    session = make_session(project, anna, at=noon, hours=12, notes="Sonner chez Faure.", timezone="America/New_York")
    make_session(project, ben, at=noon, status="tentative", hold_expires_at=noon - timedelta(days=3))
    make_session(project, anna, at=noon + timedelta(days=2), status="requested", title="Repérage")
    make_session(project, anna, at=noon - timedelta(days=3), status="completed", address="", place="")
    timeline.add_note(project, text="Ils aiment la lumière du soir.\n\nPas de photos de groupe.", actor=anna)
    waiting = imports.receive(studio, FILE.encode(), actor=anna)
    done = imports.carry_out(imports.receive(studio, b"name,email\nNina Bell,nina@bell.example\n", actor=anna), actor=anna)
    preview, undo = reverse("studio:contact_import_preview", args=[waiting.pk]), reverse("studio:contact_import_undo", args=[done.pk])
    one = {"contact": contact.pk, "project": project.pk, "session": session.pk}
    plain = ("contact_list", "contact_import", "project_list", "project_add", "session_month", "session_agenda", "session_choose_project")
    of_one = [f"{noun}_{verb}" for noun in one for verb in ("detail", "edit", "delete")]
    paths = [reverse(f"studio:{name}") for name in plain]
    paths += [reverse(f"studio:{name}", args=[one[name.split("_")[0]]]) for name in of_one]
    paths += [
        reverse("studio:search") + "?q=ma",
        preview,
        undo,
        reverse("studio:project_client", args=[project.pk]),
        reverse("studio:contact_list") + "?q=nobody-like-that",
    ]
    return anna, session, paths


@pytest.mark.slow
def test_pages_of_a_studio_at_work_are_sound(page, axe, live_server, login, full):
    anna, _session, paths = full
    User.objects.filter(pk=anna.pk).update(language="fr")
    login(User.objects.get(pk=anna.pk))
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []


@pytest.mark.slow
def test_empty_pages_are_sound(page, axe, live_server, login, transactional_db):
    login(make_user(language="fr"))
    names = ("contact_list", "project_list", "session_month", "session_agenda", "session_choose_project", "search")
    paths = [reverse(f"studio:{name}") + "?empty" for name in names]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []


def test_from_a_won_opportunity_to_the_shoot_day_on_a_phone(page, axe, live_server, login, transactional_db):
    anna = make_user(name="Anna", language="en")
    won = make_opportunity(anna, stage="won", role="Mariage au domaine", contact_name="Jeanne Faure", contact_email="jeanne@faure.example")
    login(anna)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + reverse("tracker:opportunity_detail", args=[won.pk]))
    page.get_by_role("link", name="Make it a project").click()
    expect(page.get_by_label("First name")).to_have_value("Jeanne")
    page.get_by_label("Day").fill(f"{YEAR}-06-12")
    page.get_by_label("From").fill("14:00")
    page.get_by_label(re.compile("^Until")).fill("23:00")
    page.get_by_label("Status").select_option("confirmed")
    page.get_by_label(re.compile("^Place")).fill("Domaine des Vignes")
    assert axe() == []
    page.get_by_role("button", name="Make it a project").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Mariage au domaine")
    expect(page.locator(".timeline")).to_contain_text("Begun from a won opportunity")

    contact = Contact.objects.get()
    contacts.edit_contact(contact, fields={"phone": "+33 6 12 34 56 78"}, actor=anna)
    page.get_by_role("link", name=f"June 12, {YEAR}, 2 p.m.–11 p.m.").click()
    expect(page.get_by_role("link", name="+33 6 12 34 56 78")).to_have_attribute("href", "tel:+33612345678")
    expect(page.get_by_role("link", name="Google Maps")).to_have_attribute("href", re.compile("query=Domaine%20des%20Vignes$"))
    expect(page.locator(".session-times")).to_be_in_viewport()
    page.get_by_role("link", name="Sessions").click()
    expect(page.locator("td", has_text="Saturday 12 June")).to_contain_text("Mariage au domaine · Confirmed · Domaine des Vignes")
    expect(page.locator("td", has_text="Sunday 13 June")).to_be_hidden()
    page.get_by_role("link", name="Month after").click()
    expect(page.get_by_role("heading", name=f"July {YEAR}")).to_be_visible()
    expect(page).to_have_url(re.compile(f"month={YEAR}-07"))

    page.goto(live_server.url + reverse("studio:session_add", args=[Project.objects.get().pk]) + f"?day={YEAR}-06-12")
    expect(page.locator("#that-day")).to_contain_text("2 p.m.–11 p.m. Mariage au domaine")
    page.get_by_label("From").fill("20:00")
    page.get_by_label("Until", exact=True).fill("01:00")
    page.get_by_role("button", name="Plan the session").click()
    told = page.get_by_role("alert").filter(has_text="Anna photographs")
    expect(told).to_contain_text(f"on June 12, {YEAR} from 2 p.m. to 11 p.m.")
    page.get_by_label("Status").select_option("requested")
    page.get_by_role("button", name="Plan the session").click()
    expect(page.locator("#messages")).to_contain_text("The session is planned.")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#messages")).to_contain_text("settle the other session first")
    assert sorted(PhotoSession.objects.values_list("status", flat=True)) == ["confirmed", "requested"]
    page.problems[:] = [problem for problem in page.problems if "409" not in problem[1]]  # said by the browser's console, and wanted


def test_contacts_are_brought_from_a_file_found_while_typing_and_taken_back(page, live_server, login, transactional_db):
    login(make_user(name="Anna", language="fr"))
    page.goto(live_server.url + reverse("studio:contact_list"))
    page.get_by_role("link", name="Importer un fichier").click()
    page.get_by_label("Fichier CSV").set_input_files({"name": "contacts.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    page.get_by_role("button", name="Regarder le fichier").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 nouveaux contacts dans ce fichier")
    page.get_by_role("button", name="Importer 2 contacts").click()
    expect(page.locator("#messages")).to_contain_text("2 contacts importés.")
    page.get_by_role("searchbox").press_sequentially("fau")
    expect(page.locator("#contacts tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"/contacts/\?q=fau$"))
    expect(page.locator("#found")).to_have_text("1 contact")
    page.goto(live_server.url + reverse("studio:contact_import"))
    page.get_by_role("link", name="Défaire").click()
    page.get_by_role("button", name="Annuler l’importation").click()
    expect(page.locator("#messages")).to_contain_text("2 contacts ont été retirés.")
    assert not Contact.objects.exists()
