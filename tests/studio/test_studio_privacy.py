"""Whose the business of a studio is: in its owners' copies of their data, and gone with the studio."""

import pytest
from django.apps import apps

from operations.privacy.own_data import PARTS, records
from studio.models import Contact, TimelineEntry
from studio.services import imports
from tests.accounts.studios import make_studio
from tests.studio.trade import make_contact, make_project, make_session

pytestmark = pytest.mark.django_db
NAMES = ("contacts", "contact_imports", "projects", "photo_sessions", "timeline")


@pytest.fixture
def morel(db):
    studio, people = make_studio("Atelier Morel", anna="owner", cleo="assistant")
    project = make_project(studio, contact=make_contact(studio, phone="+33 6 12 34 56 78"))
    make_session(project, people["cleo"])
    imports.receive(studio, b"name,email\nNina,nina@x.example\n", actor=people["anna"])
    return studio, people


def parts_of(user):
    return {part.name: list(records(part, user)) for part in PARTS if part.name in NAMES}


def test_owners_take_it_along_and_colleagues_do_not(morel):
    people = morel[1]
    own = parts_of(people["anna"])
    assert {name: len(rows) for name, rows in own.items()} == dict.fromkeys(NAMES, 1)
    assert own["contacts"][0]["phone"] == "+33 6 12 34 56 78" and "nina@x.example" in own["contact_imports"][0]["content"]
    assert parts_of(people["cleo"]) == {name: [] for name in NAMES}


def test_everything_goes_with_the_studio_and_nothing_with_a_colleague(morel):
    studio, people = morel
    people["cleo"].delete()
    assert Contact.objects.count() == TimelineEntry.objects.count() == 1 and TimelineEntry.objects.get().actor is None
    studio.delete()
    assert [
        model._meta.label for model in apps.get_app_config("studio").get_models() if not model._meta.proxy and model.objects.exists()
    ] == []
