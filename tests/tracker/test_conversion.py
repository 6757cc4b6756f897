"""A won opportunity becomes a contact, a project and its first session: all of it or nothing, and once."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from audit.models import Activity
from studio.models import Contact, PhotoSession, Project, TimelineEntry
from studio.session_types import suggested_type
from tests import processes
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of, make_studio
from tests.studio.trade import YEAR, make_contact, make_project, make_session, studio_of
from tests.tracker.boards import make_opportunity
from tracker import services
from tracker.conversion import NotWon, convert
from tracker.models import Opportunity

pytestmark = pytest.mark.django_db
CLIENT = {
    "kind": "person", "given_name": "Jeanne", "family_name": "Faure", "company_name": "", "email": "jeanne@faure.example",
    "language": "fr", "project_title": "Mariage au domaine", "session-type": "wedding", "session-timezone": "Europe/Paris",
    "session-status": "confirmed",
}  # fmt: skip
DAY = {"session-day": f"{YEAR}-06-12", "session-start": "14:00", "session-end": "23:00", "session-place": "Domaine des Vignes"}


@pytest.fixture
def camille(db):
    return make_user(name="Camille")


@pytest.fixture
def won(camille):
    return make_opportunity(
        camille, stage="won", role="Mariage au domaine", contact_name="Jeanne Faure", contact_email="jeanne@faure.example"
    )


def at(opportunity, name="convert"):
    return reverse(f"tracker:opportunity_{name}", args=[opportunity.pk])


def test_it_becomes_a_contact_a_project_and_a_session(camille, won):
    web = browser_of(camille)
    assert at(won) in web.get(at(won, "detail")).text
    form = web.get(at(won)).context["client"]
    assert [form[name].value() for name in ("given_name", "family_name", "email", "project_title")] == [
        "Jeanne", "Faure", "jeanne@faure.example", "Mariage au domaine",
    ]  # fmt: skip
    answer = web.post(at(won), CLIENT | DAY | {"session-photographer": camille.pk})
    project = Project.objects.get()
    assert answer["Location"] == reverse("studio:project_detail", args=[project.pk])
    session = PhotoSession.objects.get()
    assert (project.contact.name, project.status, project.organization) == ("Jeanne Faure", "booked", studio_of(camille))
    assert (session.project, session.status, session.photographer) == (project, "confirmed", camille)
    assert [line.words for line in TimelineEntry.objects.newest_first()] == ["Session planned: Confirmed", "Begun from a won opportunity"]
    assert Activity.objects.get(action="opportunity.converted").details == {"project_id": str(project.pk), "session": True}

    again = web.post(at(won), CLIENT)
    assert again["Location"] == at(won, "detail") and Project.objects.count() == 1
    page = web.get(at(won, "detail")).text
    assert reverse("studio:project_detail", args=[project.pk]) in page and at(won) not in page


def test_a_client_the_studio_knows_is_not_made_twice_and_a_day_may_come_later(camille, won):
    known = make_contact(studio_of(camille), given_name="Jeanne", family_name="Marchand", email="Jeanne@Faure.example")
    web = browser_of(camille)
    assert "Jeanne Marchand" in web.get(at(won)).text
    web.post(at(won), CLIENT)
    project = Project.objects.get()
    assert (project.contact, project.status) == (known, "open") and not PhotoSession.objects.exists()


def test_the_type_is_what_its_words_speak_of_or_is_asked_for_with_a_day(camille, won):
    web = browser_of(camille)
    assert web.get(at(won)).context["session"]["type"].value() == "wedding"
    Opportunity.objects.update(role="Votre demande", last_subject="Portrait de famille en août")
    assert web.get(at(won)).context["session"]["type"].value() == "family"
    Opportunity.objects.update(last_subject="Une question", notes="Eventually more")
    assert web.get(at(won)).context["session"]["type"].value() == ""
    asked = web.post(at(won), CLIENT | DAY | {"session-type": ""})
    assert set(asked.context["session"].errors) == {"type"} and not Project.objects.exists()
    assert web.post(at(won), CLIENT | {"session-type": ""}).status_code == 302


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Mariage de Claire & Marc", "wedding"), ("Wedding portraits", "wedding"), ("Séance nouveau-né", "newborn"),
        ("Séance fiançailles", "couple"), ("Family portraits in May", "family"), ("Corporate headshots", "corporate"),
        ("Portrait de Sophie", "portrait"), ("Annonce immobilière", "real_estate"), ("Packshots du catalogue", "product"),
        ("Baptême de Louis", "event"), ("Une question", ""),
    ],
)  # fmt: skip
def test_words_of_both_languages_speak_of_a_type(words, found):
    assert suggested_type("", words) == found


def test_where_the_time_is_taken_nothing_is_made(camille, won):
    taken = make_session(make_project(studio_of(camille), title="Portraits"), camille)
    day = DAY | {"session-photographer": camille.pk, "session-start": "13:00"}
    answer = browser_of(camille).post(at(won), CLIENT | day)
    assert answer.status_code == 409 and "“Portraits”" in answer.text and reverse("studio:session_detail", args=[taken.pk]) in answer.text
    won.refresh_from_db()
    assert won.project is None and Project.objects.count() == 1 and not Contact.objects.exists()
    missing = browser_of(camille).post(at(won), CLIENT | {"session-day": f"{YEAR}-06-12"})
    assert set(missing.context["session"].errors) == {"start", "end"}


def test_only_what_is_won_by_whoever_may(camille, won):
    services.move_opportunity(won, to="offer", actor=camille)
    assert browser_of(camille).get(at(won))["Location"] == at(won, "detail")
    with pytest.raises(NotWon):
        convert(won, studio_of(camille), client={"given_name": "x"}, title="x", actor=camille)
    assert browser_of(make_user()).get(at(won)).status_code == 404
    _studio, people = make_studio("Halden", dora="accountant")
    own = make_opportunity(people["dora"], stage="won", role="x")
    assert browser_of(people["dora"]).get(at(own)).status_code == 403


def test_merging_keeps_the_project(camille, won):
    project = make_project(studio_of(camille))
    other = make_opportunity(camille, stage="won", project=project)
    assert services.merge_opportunities(won, other, actor=camille).project == project
    project.delete()
    won.refresh_from_db()
    assert won.project is None


TWICE = """
from accounts.models import Organization, User
from tracker.conversion import convert
from tracker.models import Opportunity
user = User.objects.get(name="Camille")
project = convert(Opportunity.objects.get(), Organization.objects.get(), client={"given_name": "Jeanne"}, title="Mariage", actor=user)
print(project.pk)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_project(transactional_db):
    make_opportunity(make_user(name="Camille"), stage="won", role="Mariage", stage_changed_at=timezone.now())
    first, second = processes.outputs(processes.start(TWICE, times=2))
    assert first == second and Project.objects.count() == Contact.objects.count() == 1
    assert User.objects.count() == Opportunity.objects.count() == 1
