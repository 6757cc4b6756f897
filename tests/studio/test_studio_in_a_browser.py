"""The pages of contacts, projects and sessions in a browser: sound in every look, usable on the shoot day."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from studio.services import imports, timeline
from tests.accounts.people import make_user
from tests.accounts.studios import make_studio
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.trade import make_contact, make_project, make_session, many_contacts

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
    paths += [preview, undo, reverse("studio:project_client", args=[project.pk]), reverse("studio:contact_list") + "?q=nobody-like-that"]
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
    names = ("contact_list", "project_list", "session_month", "session_agenda", "session_choose_project")
    paths = [reverse(f"studio:{name}") + "?empty" for name in names]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []
