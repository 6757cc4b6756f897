"""What a scan reads, keeps and leaves alone, whatever mailbox and Google do (R-013 … R-015, R-075, R-079)."""

import pytest
from django.db import DataError
from django.urls import reverse

from audit.models import Activity
from integrations.models import Connection, Run
from tests.integrations.found import stored_ids
from tests.integrations.scans import after_first_page, calls, fill, scan, wanted_ids

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("simple_classifier")]
MESSAGES = "/gmail/v1/users/me/messages/"


@pytest.fixture
def mailbox(connect) -> Connection:
    """A connected mailbox whose first run has not been executed."""
    row = connect()
    Run.objects.all().delete()
    return row


def test_a_scan_keeps_what_matters_and_opens_nothing_else(sandbox, mailbox):
    fill(sandbox, 90, relevant=0.5)
    run = scan(mailbox)
    wanted = wanted_ids(sandbox)
    opened = sandbox.control("GET", f"/requests?path={MESSAGES}&limit=1000")["requests"]
    assert sorted(entry["path"].removeprefix(MESSAGES) for entry in opened) == wanted and 0 < len(wanted) < 90
    assert stored_ids() == wanted
    assert (run.status, run.stop_reason) == ("succeeded", "")
    counts = run.counts
    assert counts["listed"] == counts["to_read"] == counts["read"] == counts["kept"] == len(wanted)


def test_attachments_are_never_fetched(sandbox, mailbox):
    sandbox.control("POST", "/messages", {"subject": "Your application", "text": "Received.", "attachments": {"cv.pdf": "QUJD"}})
    scan(mailbox)
    assert calls(sandbox)["messages.attachments.get"] == 0
    entry = sandbox.control("GET", f"/requests?path={MESSAGES}")["requests"][0]
    assert entry["query"]["format"] == "full"


def test_nothing_new_costs_one_call_and_reads_nothing(sandbox, mailbox):
    fill(sandbox, 30)
    scan(mailbox)
    sandbox.control("DELETE", "/requests")
    run = scan(mailbox)
    assert (run.status, run.stop_reason, run.counts["read"]) == ("succeeded", "nothing_new", 0)
    assert calls(sandbox) == {"history.list": 1}


@pytest.mark.parametrize("size", [60, 240])
def test_the_calls_for_new_mail_do_not_depend_on_the_size_of_the_mailbox(sandbox, mailbox, size):
    fill(sandbox, size)
    scan(mailbox)
    for number in range(5):
        sandbox.control("POST", "/messages", {"subject": f"Your application {number}", "text": "Received."})
    sandbox.control("DELETE", "/requests")
    run = scan(mailbox)
    assert run.counts["kept"] == 5 and run.counts["known"] >= 1
    assert calls(sandbox) == {"history.list": 1, "messages.list": 1, "messages.get": 5}


def test_a_history_that_google_has_forgotten_is_harmless(sandbox, mailbox):
    fill(sandbox, 20)
    scan(mailbox)
    sandbox.control("POST", "/messages", {"subject": "Interview", "text": "We would like to invite you to an interview."})
    sandbox.control("POST", "/history/forget", {})
    run = scan(mailbox)
    assert (run.status, run.counts["kept"]) == ("succeeded", 1) and stored_ids() == wanted_ids(sandbox)


def test_a_scan_of_everything_again_doubles_nothing(sandbox, mailbox):
    fill(sandbox, 40)
    scan(mailbox)
    mailbox.pipelines.update(cursor={})
    run = scan(mailbox)
    assert (run.counts["known"], run.counts["read"]) == (40, 0) and stored_ids() == wanted_ids(sandbox)


def test_a_broken_mail_is_set_aside_and_the_rest_is_read(sandbox, mailbox, monkeypatch):
    from integrations.connectors import gmail

    fill(sandbox, 12)
    parse, broken = gmail.mail_from_gmail, wanted_ids(sandbox)[5]

    def stumble(resource):
        if resource["id"] == broken:
            raise gmail.UnreadableMail("canary-subject")
        return parse(resource)

    monkeypatch.setattr(gmail, "mail_from_gmail", stumble)
    run = scan(mailbox)
    assert (run.status, run.counts["quarantined"], run.counts["read"]) == ("succeeded", 1, 11)
    event = run.events.get()
    assert event.code == "quarantined" and broken in event.text and "canary" not in event.text


def test_a_mail_the_classifier_stumbles_over_is_set_aside(sandbox, mailbox, monkeypatch, web):
    fill(sandbox, 6)
    sandbox.control("POST", "/messages", {"subject": "Your application of doom", "text": "canary-body"})
    from django.conf import settings
    from django.utils.module_loading import import_string

    real = import_string(settings.PIPELINE_CLASSIFIER)

    def stumble(mail):
        if "doom" in mail.subject:
            raise RuntimeError(mail.text)
        return real(mail)

    monkeypatch.setattr(settings.PIPELINE_CLASSIFIER, stumble)
    run = scan(mailbox)
    assert (run.status, run.counts["quarantined"], run.counts["kept"]) == ("succeeded", 1, 6)
    assert "canary" not in str(list(run.events.values()))
    assert "could not be read" in web.get(reverse("integrations:run_detail", args=[run.pk])).content.decode()


def test_what_cannot_be_stored_is_set_aside_and_its_page_is_kept(sandbox, mailbox, monkeypatch):
    from django.conf import settings
    from django.utils.module_loading import import_string

    fill(sandbox, 12)
    poison = wanted_ids(sandbox)[3]
    destination = import_string(settings.PIPELINE_DESTINATIONS["opportunities"])
    store = destination.store_page

    def refuse(self, run, items):
        if any(item.id == poison for item in items):
            raise DataError("canary")
        return store(self, run, items)

    monkeypatch.setattr(destination, "store_page", refuse)
    run = scan(mailbox)
    assert (run.status, run.counts["kept"], run.counts["quarantined"]) == ("succeeded", 11, 1)
    assert stored_ids() == [one for one in wanted_ids(sandbox) if one != poison]


def test_a_mail_deleted_in_the_meantime_is_no_failure(sandbox, mailbox):
    fill(sandbox, 10)
    sandbox.control("POST", "/faults", {"status": 404, "path": MESSAGES + wanted_ids(sandbox)[2]})
    run = scan(mailbox)
    assert (run.status, run.counts["gone"], run.counts["read"]) == ("succeeded", 1, 9)
    assert not run.cursor_after["retry"]


def test_a_fetch_that_keeps_failing_is_reported_and_tried_next_time(sandbox, mailbox, web):
    fill(sandbox, 30)
    failing = wanted_ids(sandbox)[7]
    sandbox.control("POST", "/faults", {"status": 500, "path": MESSAGES + failing})
    run = scan(mailbox)
    assert (run.status, run.stop_reason, run.counts["failed"], run.counts["read"]) == ("partial", "some_failed", 1, 29)
    assert run.cursor_after["retry"] == [failing]
    assert "tried again" in web.get(reverse("integrations:run_detail", args=[run.pk])).content.decode()
    sandbox.control("DELETE", "/faults")
    again = scan(mailbox)
    assert (again.status, again.counts["read"], again.cursor_after["retry"]) == ("succeeded", 1, [])
    assert stored_ids() == wanted_ids(sandbox)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 429, "retry_after": 0},
        {"status": 403, "reason": "userRateLimitExceeded"},
        {"status": 500},
        {"status": 503},
    ],
)
def test_passing_errors_cost_time_only(sandbox, mailbox, fault, settings):
    settings.GMAIL_ATTEMPTS = 12
    fill(sandbox, 60)
    sandbox.control("POST", "/faults", {"path": "/gmail", "count": 60, "after": 3, **fault})
    run = scan(mailbox)
    assert (run.status, run.counts["read"], run.counts["failed"]) == ("succeeded", 60, 0)
    assert stored_ids() == wanted_ids(sandbox)


def test_answers_that_never_come_are_asked_for_again(sandbox, mailbox, settings):
    settings.GMAIL_CALL_TIMEOUT = 0.3
    fill(sandbox, 20)
    slow = wanted_ids(sandbox)[4]
    sandbox.control("POST", "/latency", {"ms": 2000, "path": MESSAGES + slow})
    run = scan(mailbox)
    assert (run.status, run.counts["read"], run.cursor_after["retry"]) == ("partial", 19, [slow])
    sandbox.control("DELETE", "/faults")
    assert scan(mailbox).status == "succeeded" and stored_ids() == wanted_ids(sandbox)


def test_an_outage_ends_the_run_and_loses_nothing(sandbox, mailbox, settings):
    settings.GMAIL_ATTEMPTS = 2
    fill(sandbox, 220)
    sandbox.control("POST", "/faults", {"status": 503, "path": MESSAGES, "after": 120})
    run = scan(mailbox)
    assert (run.status, run.stop_reason) == ("partial", "google_unavailable") and 0 < run.counts["read"] <= 120
    assert mailbox.pipelines.get().next_run_at < run.finished_at + type(run.finished_at - run.started_at)(minutes=16)
    sandbox.control("DELETE", "/faults")
    assert scan(mailbox).status == "succeeded" and stored_ids() == wanted_ids(sandbox)


def test_a_google_that_is_down_from_the_start_fails_the_run_and_keeps_the_grant(sandbox, mailbox, settings):
    settings.GMAIL_ATTEMPTS = 2
    sandbox.control("POST", "/faults", {"status": 500, "path": "/gmail"})
    run = scan(mailbox)
    mailbox.refresh_from_db()
    assert (run.status, run.stop_reason, mailbox.status) == ("failed", "google_unavailable", "active")


def test_a_refusal_of_google_is_told_and_keeps_the_grant(sandbox, mailbox, web):
    fill(sandbox, 5)
    sandbox.control("POST", "/faults", {"status": 403, "path": "/gmail", "reason": "accessNotConfigured"})
    run = scan(mailbox)
    mailbox.refresh_from_db()
    assert (run.status, run.stop_reason, mailbox.status, mailbox.error_code) == ("failed", "google_refused", "active", "google_refused")
    assert "Google refused to be read" in web.get(reverse("integrations:connections")).content.decode()
    sandbox.control("DELETE", "/faults")
    scan(mailbox)
    mailbox.refresh_from_db()
    assert mailbox.error_code == ""


def test_a_token_that_expires_on_the_way_is_renewed_once(sandbox, mailbox, monkeypatch):
    fill(sandbox, 160)
    after_first_page(monkeypatch, lambda: sandbox.control("POST", "/tokens/expire", {}))
    run = scan(mailbox)
    assert (run.status, run.counts["read"]) == ("succeeded", 160) and stored_ids() == wanted_ids(sandbox)
    assert sandbox.control("GET", "/requests")["counts"]["oauth.token.refresh_token"] == 1


def test_a_grant_withdrawn_on_the_way_keeps_what_was_found(
    sandbox, mailbox, monkeypatch, mailoutbox, django_capture_on_commit_callbacks, connect
):
    fill(sandbox, 260)
    after_first_page(monkeypatch, lambda: sandbox.control("POST", "/tokens/revoke", {}))
    with django_capture_on_commit_callbacks(execute=True):
        run = scan(mailbox)
    mailbox.refresh_from_db()
    assert (run.status, run.stop_reason, mailbox.status) == ("partial", "needs_reauth", "needs_reauth")
    assert 50 <= run.counts["read"] < 260 and len(stored_ids()) == run.counts["kept"] and len(mailoutbox) == 1
    connect()
    Run.objects.live().delete()
    assert scan(mailbox).status == "succeeded" and stored_ids() == wanted_ids(sandbox)


def test_stopping_keeps_what_was_found_and_the_next_scan_goes_on(sandbox, mailbox, monkeypatch, web):
    fill(sandbox, 260)
    after_first_page(monkeypatch, lambda: web.post(reverse("integrations:run_cancel", args=[Run.objects.live().get().pk])))
    run = scan(mailbox)
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")
    assert 0 < run.counts["read"] < 260 and len(stored_ids()) == run.counts["kept"]
    monkeypatch.undo()
    assert "run.cancelled" in set(Activity.objects.values_list("action", flat=True))


def test_a_waiting_run_is_stopped_at_once(sandbox, connect, web):
    connect()
    run = Run.objects.get()
    response = web.post(reverse("integrations:run_cancel", args=[run.pk]), HTTP_HX_REQUEST="true")
    run.refresh_from_db()
    assert response.status_code == 200 and run.status == "cancelled"


def test_stopping_does_not_wait_for_calls_that_hang(sandbox, mailbox, monkeypatch, web):
    fill(sandbox, 160)

    def hang_and_stop():
        sandbox.control("POST", "/latency", {"ms": 8_000, "path": "/gmail"})
        web.post(reverse("integrations:run_cancel", args=[Run.objects.live().get().pk]))

    after_first_page(monkeypatch, hang_and_stop)
    run = scan(mailbox)
    assert run.status == "cancelled" and (run.finished_at - run.started_at).total_seconds() < 6


def test_disconnecting_on_the_way_stores_nothing_more(sandbox, mailbox, monkeypatch, web):
    fill(sandbox, 260)
    after_first_page(monkeypatch, lambda: web.post(reverse("integrations:disconnect", args=[mailbox.pk])))
    run = scan(mailbox)
    mailbox.refresh_from_db()
    assert (run.status, run.stop_reason, mailbox.status) == ("cancelled", "disconnected", "revoked")
    assert len(stored_ids()) == 50 and mailbox.access_token is None


@pytest.mark.parametrize(("cap", "reason"), [({"max_messages": 70}, "message_cap"), ({"max_seconds": 0}, "time_cap")])
def test_a_cap_ends_the_run_and_another_follows_by_itself(sandbox, mailbox, cap, reason):
    from integrations import engine

    fill(sandbox, 180)
    mailbox.pipelines.update(**cap)
    run = scan(mailbox)
    assert (run.status, run.stop_reason) == ("partial", reason) and 0 < run.counts["read"] < 180
    followers = 0
    while waiting := Run.objects.filter(status="queued").first():
        assert waiting.trigger == "continuation"
        engine.execute(waiting.pk)
        followers += 1
    assert followers in (2, 3) and stored_ids() == wanted_ids(sandbox)


def test_oldest_mail_comes_first(sandbox, mailbox, monkeypatch):
    fill(sandbox, 120)
    mailbox.pipelines.update(max_messages=50)
    scan(mailbox)
    from urllib.parse import quote

    from integrations.connectors.gmail_query import narrow_query

    newest_first = sandbox.control("GET", f"/mailbox?limit=1000&q={quote(narrow_query())}")["messages"]
    assert stored_ids() == sorted(message["id"] for message in newest_first[-50:])


def test_the_status_is_told_to_machines_and_to_the_page(sandbox, mailbox, web):
    path = reverse("integrations:processing_status")
    assert web.get(path, HTTP_ACCEPT="application/json").json() == {"running": False, "runs": []}
    fill(sandbox, 30)
    started = web.post(reverse("integrations:processing_start"), HTTP_ACCEPT="application/json")
    assert started.status_code == 202 and web.get(path, HTTP_ACCEPT="application/json").json()["running"]
    panel = web.get(path + "?watch", HTTP_HX_REQUEST="true")
    assert 'hx-trigger="every 2s"' in panel.content.decode() and "HX-Trigger" not in panel
    from integrations import engine

    engine.execute(Run.objects.get().pk)
    panel = web.get(path + "?watch", HTTP_HX_REQUEST="true")
    assert "every 2s" not in panel.content.decode() and panel["HX-Trigger"] == "processing-ended"
    answer = web.get(path, HTTP_ACCEPT="application/json").json()
    assert answer["running"] is False and answer["runs"][0]["counts"]["kept"] == 30 and answer["runs"][0]["percent"] == 100


def test_a_second_start_joins_the_run_under_way(sandbox, mailbox, web):
    path = reverse("integrations:processing_start")
    first, second = (web.post(path, HTTP_ACCEPT="application/json").json()["runs"][0]["run"] for _ in range(2))
    assert first == second and Run.objects.count() == 1


def test_starting_is_limited_to_five_a_minute(sandbox, mailbox, web):
    answers = [web.post(reverse("integrations:processing_start"), HTTP_ACCEPT="application/json").status_code for _ in range(6)]
    assert answers == [202] * 5 + [429]


def test_starting_without_a_mailbox_leads_to_connecting_one(web, sandbox):
    path = reverse("integrations:processing_start")
    assert web.post(path)["Location"] == reverse("integrations:gmail_connect")
    answer = web.post(path, HTTP_ACCEPT="application/json")
    assert answer.status_code == 409 and answer.json()["code"] == "not_connected"
    assert web.get(path).status_code == 405


def test_the_pages_show_what_was_read_kept_and_left_alone(sandbox, mailbox, web):
    fill(sandbox, 20)
    run = scan(mailbox)
    detail = web.get(reverse("integrations:run_detail", args=[run.pk])).content.decode()
    for words in ("Everything new was read", "The search found 20 messages", "Not kept, and why"):
        assert words in detail
    assert "Last read" in web.get(reverse("integrations:connections")).content.decode()
    assert str(run.pk) in web.get(reverse("integrations:run_list")).content.decode()
