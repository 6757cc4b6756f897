"""The tracker's pages in a browser: sound in every look, usable by keyboard, by mouse and on a phone."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.accounts.people import make_user
from tests.pages.look import LANGUAGES, look_at, settle
from tests.tracker.boards import add_signal, fill_board, make_opportunity
from tests.tracker.mailboxes import make_run
from tracker.models import Opportunity, Signal, StageMove
from tracker.stages import Stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def camille(transactional_db):
    return make_user(email="camille@example.test")


@pytest.fixture
def full(camille):
    mailbox = fill_board(camille, 60)
    opportunity = make_opportunity(
        camille, company="Atelier Faure", role="A wedding in a rather long-named place near Saint-Rémy-lès-Chevreuse", stage="meeting",
        contact_email="jeanne-marie.de-la-tour-maubourg@atelier-faure-photographie.example", task="own", task_text="Call Jeanne back",
        notes="She prefers the phone.", contact_name="Jeanne Faure", last_subject="Photographe pour notre mariage", last_label="rejection",
    )  # fmt: skip
    for days in (20, 12, 2):
        add_signal(opportunity, mailbox, days_ago=days)
    StageMove.objects.create(opportunity=opportunity, from_stage="new", to_stage="engaged", label="client_enquiry")
    StageMove.objects.create(opportunity=opportunity, from_stage="engaged", to_stage="meeting", moved_by_id=camille.pk)
    return opportunity


def speaks(user, language):
    user.language = language
    user.save(update_fields=["language"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_of_a_full_board_are_sound_in_every_look(page, axe, live_server, login, camille, full, language):
    speaks(camille, language)
    login(camille)
    signal = Signal.objects.filter(opportunity=full).first()
    paths = [
        reverse("tracker:board"),
        reverse("tracker:board") + "?view=table",
        reverse("tracker:board") + "?q=nothing-like-it",
        reverse("tracker:opportunity_detail", args=[full.pk]),
        reverse("tracker:opportunity_add"),
        reverse("tracker:opportunity_edit", args=[full.pk]),
        reverse("tracker:opportunity_merge", args=[full.pk]),
        reverse("tracker:opportunity_delete", args=[full.pk]),
        reverse("tracker:signal_delete", args=[signal.pk]),
    ]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_board_is_sound_in_every_look(page, axe, live_server, login, camille, language):
    speaks(camille, language)
    login(camille)
    assert look_at(page, axe, live_server.url + "/opportunities/?empty") == []


def test_a_card_is_moved_with_the_keyboard_alone(page, live_server, login, camille, full):
    login(camille)
    page.goto(live_server.url + "/opportunities/?q=chevreuse")
    page.locator("summary", has_text="Move").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for _stage in Stage:
        if page.evaluate("document.activeElement.textContent") == "Offer":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-stage=offer] .board-card")).to_contain_text("Chevreuse")
    expect(page.get_by_role("status").filter(has_text="moved to Offer")).to_be_visible()
    assert "q=chevreuse" in page.url
    full.refresh_from_db()
    assert full.stage == "offer"


def test_a_card_is_dragged_to_another_column(page, live_server, login, camille, full):
    login(camille)
    page.set_viewport_size({"width": 1600, "height": 900})
    page.goto(live_server.url + "/opportunities/?q=chevreuse")
    card = page.locator(".board-card")
    card.drag_to(page.locator(".board-column[data-stage=won]"), source_position={"x": 6, "y": 6})
    expect(page.locator(".board-column[data-stage=won] .board-card")).to_have_count(1)
    full.refresh_from_db()
    assert full.stage == "won"


def test_typing_searches_and_keeps_the_words_in_the_address(page, live_server, login, camille, full):
    login(camille)
    page.goto(live_server.url + "/opportunities/")
    page.get_by_role("searchbox").press_sequentially("chevr")
    expect(page.locator(".board-card")).to_have_count(1)
    expect(page).to_have_url(live_server.url + "/opportunities/?q=chevr")
    expect(page.locator("#found")).to_have_text("1 opportunity")
    page.get_by_label("Stage").select_option("won")
    expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
    page.get_by_role("link", name="Clear filters").first.click()
    expect(page).to_have_url(live_server.url + "/opportunities/")
    page.go_back()
    expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
    assert page.evaluate("localStorage.getItem('htmx-history-cache')") in (None, "[]")


def test_a_request_that_fails_says_so_on_the_page(page, live_server, login, camille, full):
    login(camille)
    page.goto(live_server.url + "/opportunities/")
    answers = iter([429, 500])

    def fail(route):
        status = next(answers, None)
        route.fulfill(status=status) if status else route.abort()

    page.route("**/opportunities/?q=*", fail)
    for said in ("Too many requests", "That did not work", "No answer"):
        with page.expect_console_message(lambda message: message.type == "error"):  # the browser's own line about it
            page.get_by_role("searchbox").press_sequentially("x")
        expect(page.locator("#messages")).to_contain_text(said)
    assert {kind for kind, _text in page.problems} == {"console", "server"}
    page.problems.clear()  # they were wanted


def test_on_a_phone_the_filters_are_folded(page, live_server, login, camille, full):
    login(camille)
    page.goto(live_server.url + "/opportunities/")
    expect(page.get_by_label("Kind")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.get_by_label("Kind")).to_be_hidden()
    page.locator("summary", has_text="Filters").click()
    expect(page.get_by_label("Kind")).to_be_visible()


def test_without_scripts_a_card_still_moves(browser, live_server, client, camille, full):
    from django.conf import settings

    client.force_login(camille)
    name = settings.SESSION_COOKIE_NAME
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    plain = context.new_page()
    plain.goto(live_server.url + "/opportunities/?q=chevreuse")
    plain.locator("summary", has_text="Move").click()
    plain.get_by_role("button", name="Won").click()
    expect(plain.locator("[data-stage=won] .board-card")).to_have_count(1)
    assert plain.url == live_server.url + "/opportunities/?q=chevreuse"
    assert Opportunity.objects.get(pk=full.pk).stage == "won"
    context.close()


def test_the_board_fills_itself_when_a_scan_ends(page, live_server, login, camille):
    run = make_run(camille)
    login(camille)
    page.clock.install()
    page.goto(live_server.url + "/opportunities/")
    settle(page)
    expect(page.get_by_role("heading", name="Your inbox is being read")).to_be_visible()
    opportunity = make_opportunity(camille, company="Atelier Faure")
    run.status, run.counts = run.Status.SUCCEEDED, {"kept": 1}
    run.save()
    page.clock.run_for(2_100)
    expect(page.locator(".board-card")).to_contain_text(opportunity.title)
