"""The pages of connections and scans, in a browser: sound in every look, and alive while a scan runs."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from integrations import engine
from integrations.models import Connection, Run, RunEvent
from integrations.services.pipelines import ensure_pipeline
from tests.accounts.people import make_user
from tests.pages.look import LANGUAGES, look_at, settle

COUNTS = {
    "listed": 140, "known": 12, "to_read": 128, "read": 96, "kept": 31, "failed": 2, "quarantined": 1,
    "not_kept": {"not_relevant": 65}, "reasons": {"a newsletter, a promotion or an event for many": 40, "an advert": 25},
    "found": {"client_enquiry": 20, "quote_follow_up": 11},
}  # fmt: skip


@pytest.fixture
def camille(transactional_db):
    return make_user(email="camille@studio.example")


def mailbox(owner, address: str, status: str = "active", **fields) -> Connection:
    row = Connection.objects.create(owner=owner, provider="gmail", provider_subject=address, account_email=address, status=status, **fields)
    ensure_pipeline(row)
    return row


@pytest.fixture
def busy(camille) -> list[str]:
    """Mailboxes in every state and runs with every ending; the paths of their pages."""
    now = timezone.now()
    first = mailbox(camille, "camille@example.test", last_synced_at=now - timedelta(minutes=7))
    mailbox(camille, "a-rather-long-address-of-a-studio@photographers.example.test", "needs_reauth")
    mailbox(camille, "old@example.test", "revoked")
    mailbox(camille, "paused@example.test", "paused")
    pipeline = first.pipelines.get()
    ended = [("succeeded", ""), ("partial", "some_failed"), ("failed", "google_unavailable"), ("cancelled", "cancelled")]
    for hours, (status, reason) in enumerate(ended, start=1):
        at = now - timedelta(hours=hours)
        Run.objects.create(
            pipeline=pipeline,
            status=status,
            stop_reason=reason,
            counts=COUNTS,
            queued_at=at,
            started_at=at,
            finished_at=at + timedelta(seconds=40),
        )
    live = Run.objects.create(pipeline=pipeline, status="running", counts=COUNTS, heartbeat_at=now, started_at=now)
    RunEvent.objects.create(run=live, level="warning", code="quarantined", text="18c2f: UnreadableMail")
    detail = [reverse("integrations:run_detail", args=[run.pk]) for run in Run.objects.filter(status__in=["running", "partial"])]
    return [
        reverse("integrations:connections"),
        reverse("integrations:run_list"),
        *detail,
        reverse("integrations:disconnect", args=[first.pk]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_full_pages_are_sound_in_every_look(page, axe, live_server, login, camille, busy, language):
    camille.language = language
    camille.save(update_fields=["language"])
    login(camille)
    assert [fault for path in busy for fault in look_at(page, axe, live_server.url + path)] == []


@pytest.mark.slow
def test_empty_pages_are_sound_in_every_look(page, axe, live_server, login, camille):
    login(camille)
    paths = [reverse(f"integrations:{name}") for name in ("connections", "gmail_connect", "run_list", "processing_status")]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path)] == []


def look_again(page):
    """Two seconds pass; what the panel asked for is there."""
    with page.expect_response("**watch"):
        page.clock.run_for(2_100)
    settle(page)


def test_the_panel_follows_a_scan_to_its_end(page, live_server, login, camille, busy):
    login(camille)
    page.clock.install()
    page.goto(live_server.url + reverse("integrations:connections"))
    expect(page.get_by_text("99 of 128 messages")).to_be_visible()
    stop = page.get_by_role("button", name="Stop and keep what was found")
    stop.focus()
    look_again(page)
    expect(stop).to_be_focused()
    stop.hover()
    page.mouse.down()
    look_again(page)  # in the middle of a click
    page.mouse.up()
    expect(page.get_by_text("Stopping…")).to_be_visible()
    Run.objects.filter(status="running").update(status="cancelled", stop_reason="cancelled", finished_at=timezone.now())
    page.clock.run_for(2_100)
    expect(page.get_by_text("You stopped it.").first).to_be_visible()
    expect(page.get_by_role("link", name="See your board")).to_be_visible()


def test_a_scan_starts_from_its_button_without_leaving_the_page(page, live_server, login, camille, busy):
    Run.objects.filter(status="running").update(status="succeeded")
    login(camille)
    page.clock.install()
    page.goto(live_server.url + reverse("integrations:connections"))
    page.get_by_role("button", name="Scan my inbox").click()
    expect(page.get_by_text("About to start…")).to_be_visible()
    assert engine.claim(Run.objects.live().get().pk)
    page.clock.run_for(2_100)
    expect(page.get_by_text("Looking for messages…")).to_be_visible()
