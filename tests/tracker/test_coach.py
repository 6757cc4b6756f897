"""What a coach sees of a client: only by a link in force, only what was agreed, and never unseen (R-091; DESIGN, decision 10)."""

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.services import coaching
from audit.models import Activity
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.tracker.boards import add_signal, fill_board, make_opportunity
from tests.tracker.mailboxes import make_run

pytestmark = pytest.mark.django_db
CLIENTS = reverse("tracker:coach_clients")
VERBS = ("get", "post", "put", "patch", "delete", "head", "options")


@pytest.fixture
def coach():
    return make_user(role="coach", name="Karim Haddad")


@pytest.fixture
def lena():
    return make_user(name="Lena Roux", email="lena@example.test")


def linked(coach: User, client: User, *, accepted: bool = True, **scope):
    link = coaching.appoint(make_user(role="admin"), coach, client)
    return coaching.accept(link, **({"shows_subjects": False, "ends_at": None} | scope), actor=client) if accepted else link


@pytest.fixture
def board(lena):
    """One opportunity whose every word is telling; nothing of it is named by its role or company alone."""
    mailbox = make_run(lena).pipeline.connection
    named = make_opportunity(
        lena, company="Orchard Labs", role="Photographer", contact_name="Secret Contact", contact_email="secret@contact.example",
        notes="Secret notes", last_subject="Secret subject", task="own", task_text="Call them back", stage="meeting",
    )  # fmt: skip
    add_signal(named, mailbox, sender="Secret Sender <secret@sender.example>", subject="Secret subject", reasons=["Secret reason"])
    make_opportunity(lena, contact_name="Secret Person", last_subject="Secret title", stage="won")
    return named


def url_of(client: User) -> str:
    return reverse("tracker:coach_client", args=[client.pk])


def test_a_coach_sees_stage_company_role_and_next_step_and_nothing_that_is_not_agreed(coach, lena, board):
    linked(coach, lena)
    page = browser_of(coach).get(url_of(lena)).content.decode()
    for shown in ("Photographer · Orchard Labs", "Meeting", "Call them back", "Lena Roux"):
        assert shown in page
    assert "secret" not in page.lower()
    assert lena.email not in page


def test_subjects_and_senders_only_where_the_client_shows_them(coach, lena, board):
    linked(coach, lena, shows_subjects=True)
    page = browser_of(coach).get(url_of(lena)).content.decode()
    assert "Secret subject" in page and "Secret Sender" in page
    for hidden in ("Secret notes", "Secret Contact", "secret@contact.example", "Secret reason"):
        assert hidden not in page


def test_the_list_counts_by_stage(coach, lena, board):
    linked(coach, lena)
    page = browser_of(coach).get(CLIENTS).content.decode()
    assert "Lena Roux" in page and "Meeting 1" in page and "Won 1" in page and url_of(lena) in page


def test_every_look_is_on_record_and_the_client_can_read_it(coach, lena, board):
    link = linked(coach, lena)
    browser = browser_of(coach)
    browser.get(CLIENTS)
    browser.get(url_of(lena))
    coaching.accept(link, shows_subjects=True, ends_at=None, actor=lena)
    browser.get(url_of(lena) + "?stage=won")
    rows = Activity.objects.filter(action="coach.client_viewed", target_id=str(link.pk)).order_by("recorded_at")
    assert [(row.actor_id, row.details["what"]) for row in rows] == [(coach.pk, what) for what in ("counts", "opportunities", "subjects")]
    page = browser_of(lena).get(reverse("settings_coach", args=[link.pk])).content.decode()
    assert "How many opportunities stand in each stage" in page and "with subjects and senders" in page
    assert "without subjects and senders" in page


def test_one_sees_only_ones_own_looks(coach, lena, board):
    link = linked(coach, lena)
    other = make_user()
    mine = linked(coach, other)
    browser_of(coach).get(CLIENTS)
    assert browser_of(lena).get(reverse("settings_coach", args=[link.pk])).context["page"].paginator.count == 1
    assert browser_of(other).get(reverse("settings_coach", args=[mine.pk])).context["page"].paginator.count == 1


def refused(user: User, client: User) -> set[int]:
    browser = browser_of(user)
    return {getattr(browser, verb)(url_of(client)).status_code for verb in VERBS}


def test_not_linked_not_accepted_ended_and_somebody_elses_client_are_404_on_every_verb(coach, lena, board):
    assert refused(coach, lena) <= {404, 405}
    linked(make_user(role="coach"), lena)
    assert refused(coach, lena) <= {404, 405}
    link = linked(coach, lena, accepted=False)
    assert refused(coach, lena) <= {404, 405}
    coaching.accept(link, shows_subjects=False, ends_at=None, actor=lena)
    assert browser_of(coach).get(url_of(lena)).status_code == 200
    coaching.end(link, actor=lena)
    assert refused(coach, lena) <= {404, 405}
    assert "Lena" not in browser_of(coach).get(CLIENTS).content.decode()
    assert browser_of(coach).get(reverse("tracker:coach_client", args=["00000000-0000-7000-8000-000000000000"])).status_code == 404


def test_the_agreed_end_comes_by_itself(coach, lena, board):
    linked(coach, lena, ends_at=timezone.now() + timedelta(days=3))
    for days, status in ((2, 200), (4, 404)):
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=True):
            browser = browser_of(coach)
            assert browser.get(url_of(lena)).status_code == status
            assert ("Lena" in browser.get(CLIENTS).content.decode()) == (status == 200)
            assert ("Ended on" in browser_of(lena).get(reverse("settings_coaches")).content.decode()) == (status == 404)


def test_an_end_acts_on_the_next_request_of_a_coach_who_is_looking(coach, lena, board):
    link, browser = linked(coach, lena), browser_of(coach)
    assert browser.get(url_of(lena)).status_code == 200
    browser_of(lena).post(reverse("settings_coach_end", args=[link.pk]))
    assert browser.get(url_of(lena)).status_code == 404


def test_whoever_loses_the_role_loses_the_pages_at_once(coach, lena, board):
    linked(coach, lena)
    browser = browser_of(coach)
    assert browser.get(url_of(lena)).status_code == 200
    User.objects.filter(pk=coach.pk).update(role="member")
    assert (browser.get(url_of(lena)).status_code, browser.get(CLIENTS).status_code) == (403, 403)
    assert Activity.objects.filter(action="permission.denied", actor_id=coach.pk).count() == 2


@pytest.mark.parametrize("role", ["member", "viewer", "executive", "executor", "designer"])
def test_who_is_no_coach_is_refused_and_has_no_such_entry_in_the_navigation(lena, role):
    browser = browser_of(make_user(role=role))
    assert (browser.get(CLIENTS).status_code, browser.get(url_of(lena)).status_code) == (403, 403)
    assert CLIENTS not in browser.get(reverse("settings_profile")).content.decode()


def test_a_coach_finds_the_clients_in_the_navigation_and_is_no_staff(coach, lena, board):
    linked(coach, lena)
    browser = browser_of(coach)
    assert CLIENTS in browser.get(reverse("settings_profile")).content.decode()
    assert browser.get("/admin/").status_code == 403
    assert browser.get(reverse("tracker:opportunity_detail", args=[board.pk])).status_code == 404, "the client's own pages stay theirs"
    assert browser.post(reverse("tracker:opportunity_move", args=[board.pk]), {"to": "won"}).status_code == 404


def test_a_client_whose_account_is_not_active_is_not_shown(coach, lena, board):
    linked(coach, lena)
    User.objects.filter(pk=lena.pk).update(is_active=False)
    assert browser_of(coach).get(url_of(lena)).status_code == 404


@pytest.mark.django_db(transaction=True)  # data keys are kept opened from the commit on
def test_pages_ask_as_often_for_much_as_for_little(coach, lena, board, django_assert_max_num_queries):
    linked(coach, lena, shows_subjects=True)
    browser = browser_of(coach)
    browser.get(CLIENTS)
    with django_assert_max_num_queries(12) as few:
        browser.get(CLIENTS)
    with django_assert_max_num_queries(12) as few_there:
        browser.get(url_of(lena))
    for number in range(4):
        person = make_user(name=f"Client {number}")
        linked(coach, person)
        make_opportunity(person, company="X")
    fill_board(make_user(), 3)
    for number in range(60):
        make_opportunity(lena, company=f"Company {number}")
    with django_assert_max_num_queries(len(few.captured_queries)):
        browser.get(CLIENTS)
    with django_assert_max_num_queries(len(few_there.captured_queries)):
        assert "Page 1 of 2" in browser.get(url_of(lena)).content.decode()


def test_filtering_by_stage_and_paging(coach, lena, board):
    linked(coach, lena)
    browser = browser_of(coach)
    assert "Orchard Labs" not in browser.get(url_of(lena) + "?stage=won").content.decode()
    assert "Orchard Labs" in browser.get(url_of(lena) + "?stage=nonsense&page=99").content.decode()
