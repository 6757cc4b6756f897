"""How signals become opportunities: grouping, moving, and never a body (DESIGN §5)."""

import itertools

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import Activity
from tests import processes
from tests.accounts.people import make_user
from tests.tracker.mailboxes import MORNING, mail, make_run, store
from tracker import services
from tracker.destination import OpportunityDestination
from tracker.models import ForgottenSignal, Opportunity, Signal, StageMove
from tracker.stages import EFFECTS, Stage, moved_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def run(owner):
    return make_run(owner)


def test_one_mail_makes_one_opportunity_with_its_signal(run, owner):
    result = store(run, mail(company="Atelier Faure", role="Wedding"))
    assert (result.created, result.updated, result.duplicates) == (1, 0, 0)
    opportunity = Opportunity.objects.visible_to(owner).get()
    assert opportunity.kind == "enquiry" and opportunity.stage == "new" and opportunity.contact_email == "jeanne@atelier-faure.example"
    assert opportunity.signals.get().reasons == ["Asks for a quote"]
    assert Activity.objects.filter(action="opportunity.created").count() == 1


def test_the_same_page_again_changes_nothing(run):
    items = [mail(), mail("rejection", company="X", role="Y")]
    store(run, *items)
    assert store(run, *items).duplicates == 2
    assert Signal.objects.count() == Opportunity.objects.count() == 2


def test_mails_of_one_thread_are_one_opportunity(run):
    store(run, mail(thread_id="t"), mail("quote_follow_up", thread_id="t", days=1))
    store(run, mail("quote_follow_up", thread_id="t", days=2))
    assert Opportunity.objects.get().signals.count() == 3


def test_a_reply_in_another_thread_is_found_by_its_references_also_in_another_mailbox(run, owner):
    store(run, mail(reply_references=("<first@x.example>",)))
    store(make_run(owner), mail("quote_follow_up", days=1, reply_references=("<second@x.example>", "<FIRST@x.example>")))
    assert Opportunity.objects.get().signals.count() == 2


def test_company_and_role_group_however_they_are_written(run):
    store(run, mail("application_confirmation", company="Ateliers Lumière SAS", role="Photographe (H/F)"))
    store(run, mail("rejection", company="ateliers lumiere", role="photographe", days=9))
    assert Opportunity.objects.get().stage == "lost"


@pytest.mark.parametrize(("company", "role"), [("Lumière", ""), ("Lumière", "Retoucher"), ("", "Photographer"), ("Soleil", "Photographer")])
def test_company_alone_or_role_alone_never_groups(run, company, role):
    store(run, mail("application_confirmation", company="Lumière", role="Photographer"))
    store(run, mail("rejection", company=company, role=role, days=1))
    assert Opportunity.objects.count() == 2


def test_applying_again_after_a_refusal_begins_a_new_one(run):
    job = {"company": "Lumière", "role": "Photographer"}
    store(run, mail("application_confirmation", **job), mail("rejection", days=5, **job))
    store(run, mail("application_confirmation", days=30, **job), mail("interview_invitation", days=35, **job))
    assert sorted(Opportunity.objects.values_list("stage", flat=True)) == ["lost", "meeting"]


def test_two_people_never_share_an_opportunity(run):
    job = {"company": "Lumière", "role": "Photographer", "reply_references": ("<same@x.example>",), "thread_id": "same"}
    store(run, mail("application_confirmation", **job))
    store(make_run(make_user()), mail("rejection", days=1, **job))
    assert Opportunity.objects.count() == 2


@pytest.mark.parametrize("label", EFFECTS)
@pytest.mark.parametrize("stage", Stage.values)
def test_labels_move_forward_only(label, stage):
    after = moved_by(label, stage)
    target = EFFECTS[label].stage
    if target is None or stage in {"won", "lost", "withdrawn"}:
        assert after == stage
    elif target in {"lost", "withdrawn", "on_hold"} or stage == "on_hold":
        assert after == target
    else:
        order = ["new", "engaged", "meeting", "offer"]
        assert order.index(after) == max(order.index(stage), order.index(target))


STORY = ["application_confirmation", "availability_request", "interview_invitation", "rejection"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_reading_does_not_matter(run, order):
    items = [mail(label, days=day, thread_id="t") for day, label in enumerate(STORY)]
    for number in order:
        store(run, items[number])
    opportunity = Opportunity.objects.get()
    assert (opportunity.stage, opportunity.last_label, opportunity.ball) == ("lost", "rejection", "them")
    assert opportunity.first_signal_at == MORNING


def test_a_newer_move_by_hand_is_left_alone_and_a_newer_signal_goes_on(run, owner):
    store(run, mail("application_confirmation", thread_id="t"))
    services.move_opportunity(Opportunity.objects.get(), to="offer", actor=owner)
    store(run, mail("availability_request", thread_id="t", days=1))
    assert Opportunity.objects.get().stage == "offer"
    services.move_opportunity(Opportunity.objects.get(), to="new", actor=owner)
    store(run, mail("interview_invitation", thread_id="t", days=2))
    assert Opportunity.objects.get().stage == "new"
    later = mail("rejection", thread_id="t")
    store(run, later.__class__(**(later.__dict__ | {"received_at": timezone.now() + timezone.timedelta(minutes=1)})))
    assert Opportunity.objects.get().stage == "lost"


def test_a_task_comes_from_the_newest_signal_and_done_stays_done(run, owner):
    store(run, mail("availability_request", thread_id="t", days=2))
    opportunity = Opportunity.objects.get()
    assert (opportunity.task, opportunity.ball) == ("give_availability", "us")
    services.complete_task(opportunity, actor=owner)
    store(run, mail("application_confirmation", thread_id="t", days=1))
    assert (Opportunity.objects.get().task, Opportunity.objects.get().ball) == ("", "them")


def test_a_deleted_signal_stays_deleted_on_rescan_and_takes_its_empty_opportunity_along(run, owner):
    item = mail()
    store(run, item)
    assert services.delete_signal(Signal.objects.get(), actor=owner) is None
    assert OpportunityDestination().known_ids(run.pipeline, [item.id, "other"]) == {item.id}
    assert store(run, item).duplicates == 1 and not Opportunity.objects.exists()
    assert item.id.encode() not in bytes(ForgottenSignal.objects.get().message_hash)


def test_deleting_an_opportunity_forgets_all_its_signals(run, owner):
    items = [mail(thread_id="t"), mail(thread_id="t", days=1)]
    store(run, *items)
    services.delete_opportunity(Opportunity.objects.get(), actor=owner)
    assert store(run, *items).duplicates == 2 and not Opportunity.objects.exists()


def test_merging_moves_signals_and_history_and_later_mail_follows(run, owner):
    store(run, mail(thread_id="a", company="A", role="R"), mail("interview_invitation", thread_id="b", days=1, company="B", role="S"))
    first, second = Opportunity.objects.get(company="A"), Opportunity.objects.get(company="B")
    kept = services.merge_opportunities(first, second, actor=owner)
    assert kept.signals.count() == 2 and kept.stage == "meeting"
    assert list(Opportunity.objects.visible_to(owner)) == [kept]
    store(run, mail("rejection", thread_id="b", days=2), mail("offer_made", days=1.5, company="B", role="S"))
    assert Opportunity.objects.visible_to(owner).get().signals.count() == 4
    with pytest.raises(services.CannotMerge):
        services.merge_opportunities(kept, kept, actor=owner)


def test_strangers_cannot_be_merged(run, owner):
    store(run, mail())
    stranger = make_user()
    store(make_run(stranger), mail())
    with pytest.raises(services.CannotMerge):
        services.merge_opportunities(owner.opportunities.get(), stranger.opportunities.get(), actor=owner)


def test_a_page_of_fifty_costs_as_many_queries_as_a_page_of_five(run, django_assert_max_num_queries):
    store(run, mail())
    for size in (5, 50):
        items = [mail(company=f"C{n}", role="R") for n in range(size)]
        with django_assert_max_num_queries(17):
            store(run, *items)


def test_message_ids_of_others_are_kept_as_keyed_hashes_only(run):
    store(run, mail(reply_references=("<canary-reference@x.example>",)))
    with connection.cursor() as cursor:
        cursor.execute('SELECT "references"::text FROM tracker_signal')
        assert "canary" not in cursor.fetchone()[0]


def test_every_move_is_in_the_history(run, owner):
    store(run, mail("application_confirmation", thread_id="t"))
    store(run, mail("interview_invitation", thread_id="t", days=1))
    services.move_opportunity(Opportunity.objects.get(), to="won", actor=owner)
    assert list(StageMove.objects.order_by("at").values_list("from_stage", "to_stage")) == [("engaged", "meeting"), ("meeting", "won")]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_mailboxes_reading_the_same_story_at_once_make_one_opportunity():
    owner = make_user()
    runs = [make_run(owner) for _ in range(4)]
    script = (
        "from tests.tracker.mailboxes import mail, store; from integrations.models import Run;"
        "run = Run.objects.get(pk=os.environ['RUN']);"
        "[store(run, mail('application_confirmation', id=f'x{n}', thread_id=f'x{n}', reply_references=(), company=f'C{n}', role='R'))"
        " for n in range(20)]"
    )
    processes.outputs(processes.start(script, each=[{"RUN": str(run.pk)} for run in runs]))
    assert Signal.objects.count() == 80 and Opportunity.objects.count() == 20
