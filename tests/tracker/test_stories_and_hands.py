"""Stories that end and begin again, and what people did by hand, whatever is read together or later."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.accounts.people import make_user
from tests.tracker.mailboxes import mail, make_run, store
from tracker import services
from tracker.models import Opportunity

pytestmark = pytest.mark.django_db
JOB = {"company": "Lumière", "role": "Photographer"}


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def run(owner):
    return make_run(owner)


@pytest.mark.parametrize("pages", [[[0, 1, 2, 3]], [[0, 1], [2, 3]], [[0], [1, 2, 3]], [[0, 1, 2], [3]]])
def test_applying_again_after_a_refusal_is_a_new_story_however_the_pages_are_cut(run, pages):
    labels = {"application_confirmation": 0, "rejection": 5}
    story = [mail(label, days=day, **JOB) for label, day in labels.items()]
    story += [mail("application_confirmation", days=30, **JOB), mail("interview_invitation", days=35, **JOB)]
    for numbers in pages:
        store(run, *[story[number] for number in numbers])
    assert sorted(Opportunity.objects.values_list("stage", flat=True)) == ["lost", "meeting"]


def test_moving_to_the_stage_it_is_in_is_no_move(run, owner):
    store(run, mail("application_confirmation", thread_id="t"))
    services.move_opportunity(Opportunity.objects.get(), to="meeting", actor=owner)
    now = timezone.now()
    later = mail("rejection", thread_id="t")
    store(run, type(later)(**later.__dict__ | {"received_at": now + timedelta(hours=1)}))
    with time_machine.travel(now + timedelta(hours=2)):
        services.move_opportunity(Opportunity.objects.get(), to="lost", actor=owner)
    store(run, mail("information_request", thread_id="t", days=1))
    assert Opportunity.objects.get().stage == "lost"


def test_after_a_merge_the_newest_move_by_hand_counts(run, owner):
    store(run, mail("application_confirmation", thread_id="a", company="A", role="R"))
    store(run, mail("application_confirmation", thread_id="b", company="B", role="S"))
    kept, other = Opportunity.objects.get(company="A"), Opportunity.objects.get(company="B")
    services.move_opportunity(other, to="won", actor=owner)
    assert services.merge_opportunities(kept, other, actor=owner).stage == "won"
    store(run, mail("interview_invitation", thread_id="a", days=1))
    assert Opportunity.objects.visible_to(owner).get().stage == "won"


def test_a_page_costs_the_same_for_opportunities_moved_by_hand(run, owner):
    def cost(count):
        threads = [f"{count}-{number}" for number in range(count)]
        store(run, *[mail(thread_id=thread) for thread in threads])
        for opportunity in Opportunity.objects.all():
            services.move_opportunity(opportunity, to="engaged", actor=owner)
        with CaptureQueriesContext(connection) as caught:
            store(run, *[mail("quote_follow_up", thread_id=thread, days=1) for thread in threads])
        return len(caught)

    assert cost(3) == cost(40)


@pytest.mark.parametrize("stage", ["lost", "withdrawn", "on_hold"])
def test_asking_for_closed_ones_opens_where_they_lie(client, owner, stage):
    client.force_login(owner)
    services.add_opportunity(owner, fields={"company": "Faure", "stage": stage})
    assert b'board-aside" open>' in client.get("/opportunities/", {"stage": stage}).content
    assert b'board-aside" open>' not in client.get("/opportunities/").content


def test_the_table_sorts_stages_in_the_order_of_the_board(client, owner):
    client.force_login(owner)
    for stage in ("won", "new", "offer", "engaged", "meeting"):
        services.add_opportunity(owner, fields={"company": stage, "stage": stage})
    page = client.get("/opportunities/", {"view": "table", "sort": "stage"}).context["page"]
    assert [row.stage for row in page] == ["new", "engaged", "meeting", "offer", "won"]


def test_the_export_begins_with_its_first_column_and_no_byte_order_mark(client, owner):
    client.force_login(owner)
    assert b"".join(client.get("/opportunities/export.csv").streaming_content).startswith(b'"Kind"')
