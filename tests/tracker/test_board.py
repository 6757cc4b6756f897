"""The board over whole requests: who sees what, filters, search, moving, merging, deleting, and what it costs."""

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.models import Activity
from integrations.models import Connection, Run
from tests.accounts.people import make_user
from tests.tracker.boards import add_signal, fill_board, make_opportunity
from tests.tracker.mailboxes import make_run
from tracker.models import ForgottenSignal, Opportunity, Signal, StageMove

pytestmark = pytest.mark.django_db
BOARD = "/opportunities/"


@pytest.fixture
def owner():
    return make_user()


@pytest.fixture
def web(client, owner):
    client.force_login(owner)
    return client


@pytest.fixture
def mailbox(owner):
    run = make_run(owner)
    Run.objects.filter(pk=run.pk).update(status=Run.Status.SUCCEEDED, counts={"not_kept": {"not_relevant": 7, "newsletter": 5}})
    return run.pipeline.connection


def titles(response):
    """What is shown, as the view handed it to its template."""
    if "page" in response.context:
        return [row.title for row in response.context["page"]]
    return [card.title for column in [*response.context["columns"], *response.context["aside"]] for card in column["cards"]]


def url(name, row):
    return reverse(f"tracker:{name}", args=[row.pk])


# --- three personas ----------------------------------------------------------------------------------------------------

OBJECT_PAGES = ["opportunity_detail", "opportunity_edit", "opportunity_merge", "opportunity_delete", "signal_delete"]
POSTS = ["opportunity_move", "opportunity_edit", "opportunity_merge", "opportunity_delete", "signal_delete", "task_done"]


def of(name, opportunity, signal):
    return url(name, signal if name == "signal_delete" else opportunity)


@pytest.fixture
def held(owner, mailbox):
    opportunity = make_opportunity(owner, company="Atelier Faure", role="Mariage", task="reply")
    return opportunity, add_signal(opportunity, mailbox)


@pytest.mark.parametrize("name", OBJECT_PAGES)
def test_the_owner_sees_every_page_of_it(web, held, name):
    assert web.get(of(name, *held)).status_code == 200


@pytest.mark.parametrize("role", ["member", "coach", "admin"])
def test_nobody_else_finds_it_or_changes_it(client, held, role):
    before = Opportunity.objects.values().get()
    client.force_login(make_user(role=role))
    assert [client.get(of(name, *held)).status_code for name in OBJECT_PAGES] == [404] * len(OBJECT_PAGES)
    sent = {"to": "won", "kind": "tender", "company": "Mine", "other": str(held[0].pk)}
    assert [client.post(of(name, *held), sent).status_code for name in POSTS] == [404] * len(POSTS)
    assert Opportunity.objects.values().get() == before and Signal.objects.count() == 1
    assert b"Atelier Faure" not in client.get(BOARD).content
    assert b"Atelier Faure" not in b"".join(client.get(reverse("tracker:export")).streaming_content)


def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page(client, held):
    for name in ("board", "export", "opportunity_add"):
        assert client.get(reverse(f"tracker:{name}")).url.startswith("/accounts/login/")
    assert client.post(url("opportunity_move", held[0]), {"to": "won"}).url.startswith("/accounts/login/")


def test_another_ones_mailbox_is_no_filter(web, owner, mailbox):
    make_opportunity(owner, company="Mine")
    stranger = make_user()
    theirs = fill_board(stranger, 3)
    assert titles(web.get(BOARD, {"mailbox": str(theirs.pk)})) == ["Mine"]


# --- filters, search, order --------------------------------------------------------------------------------------------


@pytest.fixture
def three(owner, mailbox):
    now = timezone.now()
    make_opportunity(owner, company="Théâtre des Célestins", stage="new", kind="tender", ball="us", last_label="call_for_entries",
                     last_signal_at=now - timedelta(days=2))  # fmt: skip
    make_opportunity(owner, company="Orchard Labs", role="Photo editor", stage="lost", kind="application", ball="them",
                     last_label="rejection", last_signal_at=now - timedelta(days=40))  # fmt: skip
    found = make_opportunity(owner, company="Maison Perrin", contact_name="Zoé Nguyen", stage="meeting", kind="application", ball="us",
                             last_label="interview_invitation", last_signal_at=now - timedelta(days=10))  # fmt: skip
    second = make_run(owner, email="studio@example.test").pipeline.connection
    add_signal(found, second)
    return {"théâtre": "Théâtre des Célestins", "orchard": "Photo editor · Orchard Labs", "perrin": "Maison Perrin", "second": second}


@pytest.mark.parametrize("view", ["", "table"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"théâtre", "orchard", "perrin"}),
        ({"stage": "meeting"}, {"perrin"}),
        ({"stage": "open"}, {"théâtre", "perrin"}),
        ({"kind": "tender"}, {"théâtre"}),
        ({"label": "rejection"}, {"orchard"}),
        ({"turn": "us"}, {"théâtre", "perrin"}),
        ({"period": "7"}, {"théâtre"}),
        ({"period": "30"}, {"théâtre", "perrin"}),
        ({"turn": "us", "kind": "application"}, {"perrin"}),
        ({"q": "theatre celest"}, {"théâtre"}),
        ({"q": "CÉLES"}, {"théâtre"}),
        ({"q": "zoe ngu"}, {"perrin"}),
        ({"q": "lestins"}, set()),
        ({"q": "orchard perrin"}, set()),
        ({"q": "' & :* | !"}, {"théâtre", "orchard", "perrin"}),
        ({"stage": "no-such", "kind": "x", "period": "-1", "mailbox": "x"}, {"théâtre", "orchard", "perrin"}),
    ],
)
def test_filters_and_search_narrow_board_and_table_alike(web, three, asked, expected, view):
    response = web.get(BOARD, {**asked, "view": view})
    assert set(titles(response)) == {three[name] for name in expected}
    assert response.context["total"] == len(expected)


def test_the_mailbox_is_a_filter_once_there_are_two(web, three):
    assert titles(web.get(BOARD, {"mailbox": str(three["second"].pk)})) == [three["perrin"]]


def test_the_mailbox_is_not_asked_about_when_there_is_one(web, held):
    assert "mailbox" not in web.get(BOARD).context["filters"].fields


@pytest.mark.parametrize(
    ("sort", "first"), [("name", "perrin"), ("-name", "théâtre"), ("latest", "orchard"), ("-latest", "théâtre"), ("x; DROP", "théâtre")]
)
def test_the_table_is_sorted_by_the_column_asked_for(web, three, sort, first):
    assert titles(web.get(BOARD, {"view": "table", "sort": sort}))[0] == three[first]


def test_links_of_the_table_keep_the_filters(web, owner):
    fill_board(owner, 120)
    page = web.get(BOARD, {"view": "table", "turn": "us", "page": "2"})
    assert len(titles(page)) == 10
    assert page.context["pages"]["previous"] == "turn=us&view=table&page=1"
    assert page.context["headings"]["due"]["query"] == "turn=us&view=table&sort=due"


def test_htmx_gets_the_board_alone_but_a_restored_page_whole(web, held):
    headers = {"HX-Request": "true", "HX-Target": "board"}
    part = web.get(BOARD, headers=headers)
    assert b"<html" not in part.content and b'id="board"' in part.content and "HX-Request" in part["Vary"]
    assert b"<html" in web.get(BOARD, headers=headers | {"HX-History-Restore-Request": "true"}).content


# --- moving, adding, editing -------------------------------------------------------------------------------------------


def test_moving_by_hand_is_kept_with_its_history_and_its_record(web, owner, held):
    opportunity, _ = held
    response = web.post(url("opportunity_move", opportunity), {"to": "offer", "query": "turn=us&view=table&next=//evil.example"})
    assert response.url == "/opportunities/?turn=us&view=table"
    opportunity.refresh_from_db()
    assert opportunity.stage == "offer" and opportunity.stage_set_manually_at
    move = StageMove.objects.get()
    assert (move.from_stage, move.to_stage, move.moved_by_id) == ("new", "offer", owner.pk)
    activity = Activity.objects.get(action="opportunity.moved")
    assert activity.actor_id == owner.pk and activity.details == {"from_stage": "new", "to_stage": "offer"}
    assert b"by hand" in web.get(url("opportunity_detail", opportunity)).content


def test_moving_by_htmx_answers_the_board_with_the_filters_and_new_figures(web, held):
    headers = {"HX-Request": "true", "HX-Target": "board"}
    response = web.post(url("opportunity_move", held[0]), {"to": "meeting", "query": "q=faure"}, headers=headers)
    assert titles(response) == ["Mariage · Atelier Faure"] and response.context["query"] == "q=faure"
    assert response.context["figures"]["meetings"] == 1
    assert b'id="figures" hx-swap-oob="true"' in response.content and b"moved to Meeting" in response.content


def test_a_stage_that_does_not_exist_is_refused(web, held):
    assert web.post(url("opportunity_move", held[0]), {"to": "archived"}).status_code == 400
    assert Opportunity.objects.get().stage == "new"


def test_moving_needs_a_post(web, held):
    assert web.get(url("opportunity_move", held[0])).status_code == 405


def test_one_is_added_by_hand(web, owner):
    sent = {"kind": "tender", "stage": "engaged", "company": "Ville de Lyon", "ball": "us", "task_text": "Ask for the file",
            "task_due_on": "2026-12-24"}  # fmt: skip
    response = web.post(reverse("tracker:opportunity_add"), sent)
    opportunity = Opportunity.objects.get()
    assert response.url == url("opportunity_detail", opportunity)
    assert (opportunity.owner, opportunity.stage, opportunity.is_manual) == (owner, "engaged", True)
    assert opportunity.next_step == "Ask for the file" and opportunity.task == "own"
    assert titles(web.get(BOARD, {"q": "lyon"})) == ["Ville de Lyon"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [({}, "company"), ({"company": "A", "task": "own"}, "task_text"), ({"company": "A", "contact_email": "no"}, "contact_email")],
)
def test_what_says_too_little_is_refused_beside_its_field(web, sent, field):
    response = web.post(reverse("tracker:opportunity_add"), {"kind": "enquiry", "stage": "new", "ball": "us", **sent})
    assert response.status_code == 200 and field in response.context["form"].errors
    assert not Opportunity.objects.exists()


def test_editing_changes_what_was_sent_and_nothing_that_is_not_on_the_form(web, held):
    opportunity, _ = held
    sent = {"kind": "enquiry", "company": "Faure & fils", "ball": "them", "stage": "won", "owner": str(make_user().pk), "is_manual": "1"}
    assert web.post(url("opportunity_edit", opportunity), sent).status_code == 302
    after = Opportunity.objects.get()
    assert (after.company, after.ball, after.stage, after.is_manual, after.owner_id) == (
        "Faure & fils",
        "them",
        "new",
        False,
        opportunity.owner_id,
    )
    assert titles(web.get(BOARD, {"q": "fils"})) == ["Faure & fils"]
    details = Activity.objects.get(action="opportunity.updated").details
    assert "company" in details["fields"] and "Faure" not in str(details)


def test_what_is_done_leaves_the_turn_to_them(web, held):
    web.post(url("task_done", held[0]))
    after = Opportunity.objects.get()
    assert (after.task, after.ball) == ("", "them")


# --- merging and deleting ----------------------------------------------------------------------------------------------


def test_two_that_are_one_are_merged_after_a_look_at_both(web, owner, mailbox, held):
    opportunity, _ = held
    other = make_opportunity(owner, company="Atelier Faure", contact_name="Jeanne Faure")
    add_signal(other, mailbox)
    make_opportunity(owner, company="Somebody else")
    page = web.get(url("opportunity_merge", opportunity))
    assert [row.title for row in page.context["page"]] == ["Atelier Faure", "Somebody else"]  # the alike come first
    assert b"cannot be undone" in web.get(url("opportunity_merge", opportunity), {"other": str(other.pk)}).content
    assert other.signals.count() == 1
    web.post(url("opportunity_merge", opportunity), {"other": str(other.pk)})
    opportunity.refresh_from_db()
    assert opportunity.signals.count() == 2 and opportunity.contact_name == "Jeanne Faure"
    assert set(titles(web.get(BOARD))) == {"Mariage · Atelier Faure", "Somebody else"}
    assert web.get(url("opportunity_detail", other)).status_code == 404


@pytest.mark.parametrize("which", ["itself", "a stranger's", "nothing"])
def test_it_is_not_merged_with(web, held, which):
    opportunity, _ = held
    others = {"itself": str(opportunity.pk), "a stranger's": str(make_opportunity(make_user(), company="Theirs").pk), "nothing": "x"}
    assert web.post(url("opportunity_merge", opportunity), {"other": others[which]}).status_code == 404
    assert Opportunity.objects.filter(merged_into=None).count() == 2


def test_a_mail_that_does_not_matter_is_removed_and_remembered(web, held):
    opportunity, signal = held
    add_signal(opportunity, signal.connection, subject="Another")
    assert b"never bring back" in web.get(url("signal_delete", signal)).content
    assert web.post(url("signal_delete", signal)).url == url("opportunity_detail", opportunity)
    assert [left.subject for left in opportunity.signals.all()] == ["Another"] and ForgottenSignal.objects.count() == 1


def test_with_its_last_mail_the_opportunity_goes_too(web, held):
    assert web.post(url("signal_delete", held[1])).url == BOARD
    assert not Opportunity.objects.exists()


def test_deleting_asks_first_and_forgets_the_mails(web, held):
    assert web.get(url("opportunity_delete", held[0])).status_code == 200 and Opportunity.objects.exists()
    assert web.post(url("opportunity_delete", held[0])).url == BOARD
    assert not Opportunity.objects.exists() and ForgottenSignal.objects.count() == 1


# --- the export --------------------------------------------------------------------------------------------------------


def exported(web, **asked):
    response = web.get(reverse("tracker:export"), asked)
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return response, list(csv.reader(io.StringIO(text)))


def test_the_export_honours_filters_and_is_on_record(web, owner, three):
    response, rows = exported(web, turn="us", q="célestins")
    assert response["Content-Type"] == "text/csv; charset=utf-8" and "attachment" in response["Content-Disposition"]
    assert [row[2] for row in rows] == ["Company or client", "Théâtre des Célestins"]
    activity = Activity.objects.get(action="opportunities.exported")
    assert activity.actor_id == owner.pk and activity.details == {"count": 1}


def test_the_export_speaks_its_owners_language(web, owner, three):
    owner.language = "fr"
    owner.save(update_fields=["language"])
    web.force_login(owner)
    _, rows = exported(web, kind="tender")
    assert rows[1][0] == "Appel d’offres"


@pytest.mark.parametrize(
    "evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "＋1", "－1", "＠A", '=HYPERLINK("//evil.example")', "\n=1"]
)
def test_no_cell_becomes_a_formula(web, owner, evil):
    make_opportunity(owner, company=evil, role='x";=1', last_subject=evil, notes=evil)
    _, rows = exported(web)
    for cell in (rows[1][2], rows[1][10], rows[1][13]):
        assert cell.startswith("'")
    assert rows[1][3] == 'x";=1'


# --- cost --------------------------------------------------------------------------------------------------------------


def queries(web, path):
    web.get(path)
    with CaptureQueriesContext(connection) as caught:
        assert web.get(path).status_code == 200
    return len(caught)


@pytest.mark.parametrize(
    "path", ["", "?view=table", "?q=person&turn=us&view=table&sort=due", "?q=person&period=90", "?stage=nothing&q=zzzz"]
)
def test_the_board_asks_the_database_as_often_for_500_as_for_5(web, owner, path):
    fill_board(owner, 5)
    few = queries(web, BOARD + path)
    fill_board(owner, 495)
    assert queries(web, BOARD + path) == few <= 12


def test_pages_of_one_opportunity_ask_as_often_for_500_mails_as_for_5(web, owner, mailbox):
    fill_board(owner, 30)
    opportunity = make_opportunity(owner, company="Busy")

    def count():
        return [queries(web, url(name, opportunity)) for name in ("opportunity_detail", "opportunity_edit", "opportunity_merge")]

    for _ in range(5):
        add_signal(opportunity, mailbox)
    few = count()
    for _ in range(120):
        add_signal(opportunity, mailbox)
    assert count() == few and max(few) <= 12
    detail = url("opportunity_detail", opportunity)
    assert web.get(detail).content.count(b"Open in Gmail") == 100
    assert web.get(detail + "?all").content.count(b"Open in Gmail") == 125


def test_a_column_shows_a_dozen_and_links_to_the_rest(web, owner):
    for n in range(33):
        make_opportunity(owner, company=f"Company {n}")
    response = web.get(BOARD)
    column = response.context["columns"][0]
    assert len(column["cards"]) == 12 and column["count"] == 33 and column["more"] == "view=table&stage=new"
    assert len(titles(web.get(BOARD + "?" + column["more"]))) == 33


def test_a_card_moved_into_a_long_column_is_among_those_shown(web, owner, mailbox):
    moved = make_opportunity(owner, company="Long ago")
    for n in range(15):
        make_opportunity(owner, company=f"Company {n}", stage="engaged")
    response = web.post(url("opportunity_move", moved), {"to": "engaged", "query": ""}, headers={"HX-Request": "true"})
    assert response.content.count(b" data-moved") == 1
    assert len(response.context["columns"][1]["cards"]) == 12


def test_the_folded_filters_are_open_and_counted_when_one_is_set(web, three):
    assert b'<details class="fold filters-more">' in web.get(BOARD, {"q": "orchard"}).content
    response = web.get(BOARD, {"q": "orchard", "kind": "enquiry", "period": "30"})
    assert b'<details class="fold filters-more" open>' in response.content and response.context["listing"].narrowed == 2


# --- figures and what an empty board says ------------------------------------------------------------------------------


def test_figures_count_ones_own_whatever_the_filters(web, owner, three):
    fill_board(make_user(), 20)
    figures = web.get(BOARD, {"q": "orchard"}).context["figures"]
    assert figures == {"every": 3, "open": 2, "ours": 2, "meetings": 1, "offers": 0, "fresh": 3}


def test_the_funnel_counts_where_each_has_been(web, owner):
    lost = make_opportunity(owner, stage="lost")
    StageMove.objects.create(opportunity=lost, from_stage="new", to_stage="meeting")
    StageMove.objects.create(opportunity=lost, from_stage="meeting", to_stage="lost")
    make_opportunity(owner, stage="won")
    make_opportunity(owner, stage="new")
    reached = Opportunity.objects.visible_to(owner).reached()
    assert reached == [("new", 3), ("engaged", 2), ("meeting", 2), ("offer", 1), ("won", 1)]


def test_answers_are_counted_by_week_with_the_empty_weeks(owner, mailbox):
    opportunity = make_opportunity(owner)
    for days in (0, 0, 7, 21, 200):
        add_signal(opportunity, mailbox, days_ago=days)
    weeks = Signal.objects.visible_to(owner).per_week(weeks=12)
    assert len(weeks) == 12 and [count for _, count in weeks][-4:] == [1, 0, 1, 2] and sum(count for _, count in weeks) == 4


def test_charts_tell_their_numbers_in_a_table_too(web, held):
    content = web.get(BOARD).content.decode()
    assert content.count('<svg class="chart"') == 2 and content.count("<caption>") == 2
    assert '<th scope="row">Meeting</th><td>0</td>' in content


def test_what_was_not_kept_is_counted_over_all_own_runs(web, owner, held):
    run = Run.objects.get()
    Run.objects.create(pipeline=run.pipeline, status=Run.Status.CANCELLED, counts={})
    Run.objects.create(pipeline=run.pipeline, status=Run.Status.SUCCEEDED, counts={"not_kept": {"not_relevant": 30}})
    fill_board(make_user(), 9)
    response = web.get(BOARD)
    assert response.context["runs"]["not_kept"] == 42 and b"42 mails were read" in response.content


def test_an_empty_board_leads_to_connecting_gmail(web):
    content = web.get(BOARD).content.decode()
    assert content.count(reverse("integrations:gmail_connect")) == 2 and "Scan my inbox" not in content


@pytest.mark.parametrize(
    ("status", "runs", "said"),
    [
        ("active", [], "Connected, not read yet"),
        ("active", ["running"], "Your inbox is being read"),
        ("active", ["succeeded"], "Nothing found so far"),
        ("needs_reauth", [], "Your mailbox needs you"),
        ("revoked", [], "Connect Gmail"),
    ],
)
def test_an_empty_board_says_what_is_missing(web, owner, status, runs, said):
    run = make_run(owner)
    Connection.objects.update(status=status)
    Run.objects.all().delete()
    for state in runs:
        Run.objects.create(pipeline=run.pipeline, status=state)
    content = web.get(BOARD).content.decode()
    assert said in content
    assert ("Scan my inbox" in content) == (status == "active")
    assert ("processing/status" in content) == (runs == ["running"])


def test_a_mail_opens_in_the_gmail_account_it_came_from(web, held):
    content = web.get(url("opportunity_detail", held[0])).content.decode()
    assert f"https://mail.google.com/mail/u/?authuser=camille%40example.test#all/{held[1].thread_id}" in content
    assert 'rel="noreferrer noopener"' in content and "fairly sure (86%)" in content and "Names a date and a place" in content


def test_what_mails_say_is_shown_as_text(web, owner, mailbox):
    nasty = '<script>alert("x")</script>'
    opportunity = make_opportunity(owner, company=nasty, role=nasty, last_subject=nasty, notes=nasty, task_text=nasty, contact_name=nasty)
    add_signal(opportunity, mailbox, subject=nasty, sender=nasty, reasons=[nasty])
    for path in (
        BOARD,
        BOARD + "?view=table",
        BOARD + "?q=" + nasty,
        url("opportunity_detail", opportunity),
        url("opportunity_merge", opportunity),
    ):
        assert nasty not in web.get(path).content.decode()
