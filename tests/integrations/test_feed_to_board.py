"""Records of a feed on somebody's board."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from integrations import engine
from integrations.errors import NotConnected
from integrations.items import KeptRecord
from integrations.models import Connection, Pipeline, Run, Transformation
from integrations.services import pipelines
from tests.accounts.people import make_user
from tracker.destination import OpportunityDestination
from tracker.feed_items import item_of, message_id
from tracker.models import Opportunity, Signal
from tracker.services import delete_signal

pytestmark = pytest.mark.django_db
WEDDING = {"company": "Maison Roux", "role": "Wedding in Lyon", "contact_name": "Léa Roux", "contact_email": "lea@roux.example",
           "kind": "enquiry", "received_at": "2026-03-01T09:30:00Z"}  # fmt: skip


def pipeline_for(person, name="Feed") -> Pipeline:
    source, _made = Connection.objects.get_or_create(provider="http_json", provider_subject="feed", status="active")
    steps = [{"do": "map", "fields": {field: field for field in WEDDING}}]
    transformation, _made = Transformation.objects.get_or_create(name="Feed", defaults={"steps": steps})
    made = Pipeline(name=name, connection=source, transformation=transformation, destination="opportunities", recipient=person)
    made.full_clean()
    made.save()
    return made


def store(pipeline, **records) -> object:
    run, _created = pipelines.queue_run(pipeline, trigger=Run.Trigger.MANUAL)
    return OpportunityDestination().store_page(run, [KeptRecord(name, data) for name, data in records.items()])


def test_a_record_becomes_an_opportunity_once_and_tells_what_it_says():
    me = make_user(role="designer")
    pipeline = pipeline_for(me)
    assert store(pipeline, one=WEDDING, two={"role": "Portrait", "kind": "APPLICATION"}).created == 2
    row = Opportunity.objects.visible_to(me).get(company="Maison Roux")
    assert (row.kind, row.stage, row.role, row.contact_name, row.contact_email) == (
        "enquiry", "new", "Wedding in Lyon", "Léa Roux", "lea@roux.example",
    )  # fmt: skip
    assert row.last_signal_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC) and row.signals.get().gmail_url == ""
    assert Opportunity.objects.get(role="Portrait").kind == "application"
    again = store(pipeline, one=WEDDING | {"role": "Renamed"})
    assert (again.created, again.duplicates) == (0, 1)
    delete_signal(row.signals.get(), actor=me)
    assert store(pipeline, one=WEDDING).created == 0  # what somebody took off their board stays off


def test_two_pipelines_of_one_source_fill_two_boards():
    first, second = make_user(), make_user()
    store(pipeline_for(first, "First"), one=WEDDING)
    store(pipeline_for(second, "Second"), one=WEDDING)
    assert [Opportunity.objects.visible_to(one).count() for one in (first, second)] == [1, 1] and Signal.objects.count() == 2


@pytest.mark.parametrize("told", ["yesterday", "2026-13-45", "", None, 5, "9999-01-01"])
def test_a_date_that_is_none_is_now(told):
    before = timezone.now()
    found = item_of(pipeline_for(make_user()).pk, KeptRecord("x", {"company": "A", "received_at": told}))
    assert before <= found.received_at <= timezone.now()


def test_what_a_record_says_is_held_to_its_lengths_and_characters():
    pk = pipeline_for(make_user()).pk
    odd = {
        "company": "A\x00\nB" * 500,
        "contact_name": "Eve\r\nBcc: x",
        "contact_email": "no address",
        "kind": ["tender"],
        "role": {"a": 1},
    }
    item = item_of(pk, KeptRecord("x" * 255, odd))
    assert len(item.company) == 200 and "\x00" not in item.company and item.sender == "Eve Bcc: x" and item.role == ""
    assert item.label == "client_enquiry" and len(message_id(pk, "x" * 255)) <= 64
    assert item_of(pk, KeptRecord("x", {"company": "A", "received_at": "2026-03-01"})).received_at == datetime(2026, 3, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="neither"):
        item_of(pk, KeptRecord("x", {"contact_name": "Léa", "company": True}))


def test_a_record_without_a_name_is_set_aside_and_the_others_are_kept(feed):
    me = make_user(role="designer")
    pipeline = pipeline_for(me)
    Connection.objects.update(config={"url": feed.url + "/feed", "items": "", "id": "id", "auth": "none", "paging": "none"})
    feed.pages["/feed"] = [WEDDING | {"id": 1}, {"id": 2, "kind": "tender"}, WEDDING | {"id": 3, "role": "Baptism"}]
    run = pipelines.start_run(Pipeline.objects.get(pk=pipeline.pk), actor=me, trigger=Run.Trigger.MANUAL)
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.counts["created"], run.counts["quarantined"]) == ("succeeded", 2, 1)
    assert run.transformation_version == 1


def test_without_a_person_nothing_runs():
    with pytest.raises(ValidationError, match="say for whom"):
        pipeline_for(None)
    me = make_user(role="designer")
    pipeline = pipeline_for(me)
    Pipeline.objects.update(recipient=None, next_run_at=timezone.now())
    assert pipelines.queue_due() == 0 and not Run.objects.exists()
    with pytest.raises(NotConnected):
        pipelines.start_run(Pipeline.objects.get(pk=pipeline.pk), actor=me, trigger=Run.Trigger.MANUAL)
