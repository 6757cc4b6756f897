"""Contacts that a pipeline brings: one for each person, none over what the studio wrote, none that it deleted, all to be undone at once."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Membership
from accounts.services import studios
from audit.models import Activity
from integrations import engine
from integrations.models import Connection, Pipeline, Run, Transformation
from integrations.services import pipelines, uploads
from studio.models import Contact, ContactImport, ContactOrigin
from studio.services import contacts, imports
from tests.accounts.people import make_user
from tests.processes import outputs, start
from tests.studio.trade import make_contact, make_project

pytestmark = pytest.mark.django_db
FILE = """id,Prénom,Nom,E-mail,Téléphone,Ville,Pays
1,Ada,Lovelace,ADA@example.test,+32 470 12 34 56,Liège,Belgique
2,Known,Already,known@example.test,,,
3,Ada,Twice,ada@example.test,,,
4,,,,,Namur,
5,Grace,Hopper,,,,
"""
WHOLE = [{"do": "map", "fields": {"contact": "@"}}]


@pytest.fixture
def owner():
    user = make_user()
    studios.create_organization(user, name="Atelier")
    return user


def pipeline_of(user, **options):
    connection = Connection.objects.create(
        owner=user, provider="csv_upload", provider_subject="x", name="Form", status="active", config={"id": "id"}
    )
    steps, _made = Transformation.objects.get_or_create(name="Whole", defaults={"steps": WHOLE})
    made = Pipeline(name="Contact form", connection=connection, transformation=steps, destination="contacts", **options)
    made.full_clean()
    made.save()
    return made


def bring(pipeline, text, actor):
    intake = uploads.Intake(pipeline.connection, actor=actor)
    intake.write(text.encode())
    (run,) = intake.end()
    engine.execute(run.pk)
    run.refresh_from_db()
    return run


def test_people_become_contacts_once_and_can_be_taken_back(owner):
    studio = studios.current_organization(owner)
    known = make_contact(studio, email="Known@example.test", given_name="Written", family_name="by hand")
    pipeline = pipeline_of(owner)
    run = bring(pipeline, FILE, owner)
    assert (run.status, run.counts["created"], run.counts["duplicates"], run.counts["quarantined"]) == ("succeeded", 2, 2, 1)
    assert list(run.events.values_list("code", "text")) == [("unusable", "1")]  # a town makes no contact
    ada, grace = Contact.objects.get(email="ada@example.test"), Contact.objects.get(given_name="Grace")
    assert (ada.family_name, ada.phone, ada.city, ada.country, ada.kind) == ("Lovelace", "+32 470 12 34 56", "Liège", "BE", "person")
    known.refresh_from_db()
    assert known.given_name == "Written" and Contact.objects.count() == 3
    brought = ContactImport.objects.get()
    assert (brought.source, brought.created_count, brought.known_count, brought.run_id) == ("Contact form", 2, 2, run.pk)
    page = Client()
    page.force_login(owner)
    assert "Contact form" in page.get(reverse("studio:contact_import")).content.decode()
    told = Activity.objects.get(action="contacts.imported")
    assert told.details["count"] == 2 and "ada" not in str(told.details).lower()

    contacts.delete_contact(grace, actor=owner)
    contacts.edit_contact(ada, fields={"city": "Bruxelles"}, actor=owner)
    again = bring(pipeline, FILE.replace("5,Grace", "5,Gracie") + "6,Edsger,Dijkstra,ed@example.test,,,\n", owner)
    assert again.counts["created"] == 1 and not Contact.objects.filter(family_name="Hopper").exists()
    make_project(studio, contact=ada)
    assert imports.undo(brought, actor=owner) == 0 and Contact.objects.filter(pk=ada.pk).exists()  # changed since, so it stays
    second = ContactImport.objects.get(run_id=again.pk)
    assert imports.undo(second, actor=owner) == 1
    assert bring(pipeline, FILE + "6,Edsger,Dijkstra,ed@example.test,,,\n", owner).counts["created"] == 1  # undone: it may come again


def test_who_was_deleted_does_not_come_back_under_another_name_of_the_record(owner):
    """Without a column that names a row, whatever is changed in it makes it another one; a form sends another message each time."""
    pipeline = pipeline_of(owner)
    bring(pipeline, FILE, owner)
    contacts.delete_contact(Contact.objects.get(email="ada@example.test"), actor=owner)
    written = FILE.replace("1,Ada", "71,Ada").replace("3,Ada", "73,Ada").replace("ada@example.test", "Ada@Example.test")
    assert bring(pipeline, written, owner).counts["created"] == 0 and not Contact.objects.filter(email="ada@example.test").exists()
    Connection.objects.update(provider_subject="first")
    other = pipeline_of(owner)  # what never brought her may
    assert bring(other, FILE, owner).counts["created"] == 2 and Contact.objects.filter(email="ada@example.test").exists()


def test_a_pipeline_of_the_instance_fills_the_studio_of_whom_it_is_for_and_of_nobody_else(owner):
    steps = Transformation.objects.create(name="W", steps=WHOLE)
    source = Connection.objects.create(provider="csv_upload", name="Form", status="active", config={})
    row = Pipeline(name="P", connection=source, transformation=steps, destination="contacts")
    with pytest.raises(Exception, match="say for whom"):
        row.full_clean()
    row.recipient = owner
    row.full_clean()
    row.save()
    assert bring(row, FILE, make_user(role="designer")).counts["created"] == 3
    assert set(Contact.objects.values_list("organization", flat=True)) == {studios.current_organization(owner).pk}


def test_where_somebody_may_not_add_contacts_nothing_is_added(owner):
    accountant = make_user()
    studio = studios.current_organization(owner)
    Membership.objects.filter(user=accountant).delete()
    Membership.objects.create(organization=studio, user=accountant, role=Membership.Role.ACCOUNTANT)
    run = bring(pipeline_of(accountant), FILE, accountant)
    assert (run.status, run.stop_reason, Contact.objects.count()) == ("partial", "contacts_no_studio", 0)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_sources_at_once_add_one_contact_for_one_address():
    owner = make_user()
    studios.create_organization(owner)
    first = pipeline_of(owner)
    other = Connection.objects.create(
        owner=owner, provider="csv_upload", provider_subject="y", name="Other", status="active", config={"id": "id"}
    )
    second = Pipeline.objects.create(name="Second", connection=other, transformation=first.transformation, destination="contacts")
    rows = "id,Prénom,E-mail\n" + "".join(f"{n},P{n},p{n}@example.test\n" for n in range(50))
    for pipeline in (first, second):
        intake = uploads.Intake(pipeline.connection, actor=owner)
        intake.write(rows.encode())
        intake.end()
    code = """
from integrations import engine
from studio import destination
known_by_now = destination._import_of
destination._import_of = lambda *given: (time.sleep(0.5), known_by_now(*given))[1]  # whoever looked has not written yet
engine.execute(os.environ["RUN"])
"""
    outputs(start(code, each=[{"RUN": str(run.pk)} for run in Run.objects.all()]))
    assert Contact.objects.count() == 50 and ContactOrigin.objects.count() == 100
    assert not pipelines.reap_lost()
