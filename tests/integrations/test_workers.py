"""Several workers, killed workers, big mailboxes, and what all of them leave behind."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from audit.models import Activity
from integrations import engine
from integrations.models import Connection, Run
from integrations.services import pipelines
from tests import processes
from tests.integrations import leaks
from tests.integrations.found import stored_ids
from tests.integrations.scans import calls, fill, scan, wanted_ids

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("simple_classifier")]
CANARY = "Zanzibar-7f3a91-körper"

FAST = """
from django.conf import settings
settings.GMAIL_UNITS_PER_SECOND, settings.GMAIL_FIRST_WAIT = 0, 0.02
settings.PIPELINE_CLASSIFIER = "tests.integrations.simple.classify"
"""
EXECUTE = (
    FAST
    + """
from uuid import UUID
from integrations import engine
engine.execute(UUID(os.environ["RUN"]))
"""
)
# Stands still once a page is kept: before the next one, or with the next one stored and not committed.
STILL = """
from integrations.engine.ledger import Ledger
commit, store, kept, stood = Ledger.commit, Ledger._store, [], []
def stand(where):
    if where == os.environ["WHERE"] and kept and not stood:
        stood.append(True)
        print("there", flush=True)
        sys.stdin.readline()
def commit_one(self, page):
    commit(self, page)
    kept.append(page)
    stand("between")
def store_one(self, *given):
    stored = store(self, *given)
    stand("within")
    return stored
Ledger.commit, Ledger._store = commit_one, store_one
"""
START = """
from integrations.models import Pipeline, Run
from integrations.services import pipelines
pipeline = Pipeline.objects.select_related("connection__owner").get()
print(pipelines.start_run(pipeline, actor=pipeline.connection.owner, trigger=Run.Trigger.MANUAL).pk)
"""
TICK = """
from integrations.services import pipelines
print(len(pipelines.tick()))
"""


@pytest.fixture
def mailbox(connect) -> Connection:
    row = connect()
    Run.objects.all().delete()
    return row


def queued(mailbox: Connection) -> Run:
    return pipelines.queue_run(mailbox.pipelines.get(), trigger=Run.Trigger.MANUAL)[0]


def working(run: Run, where: str = "between") -> processes.Process:
    """A worker that executes `run`, has committed fifty messages and stands still `where` it is until its input ends."""
    (worker,) = processes.start(STILL + EXECUTE, RUN=str(run.pk), WHERE=where)
    assert worker.stdout.readline() == "there\n", worker.errors
    assert Run.objects.get(pk=run.pk).counts["read"] == 50
    return worker


def kill(worker: processes.Process) -> str:
    """kill -9; what it had written to its log."""
    worker.kill()
    log = "".join(worker.communicate(timeout=60))
    processes.wait_for_the_dead()
    return log


def fall_silent(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=91))


def test_four_workers_that_start_at_once_make_one_run(sandbox, mailbox):
    assert len(set(processes.outputs(processes.start(START, times=4)))) == 1 and Run.objects.count() == 1


def test_three_workers_with_one_run_read_every_message_once(sandbox, mailbox):
    fill(sandbox, 80)
    run = queued(mailbox)
    sandbox.control("DELETE", "/requests")
    processes.outputs(processes.start(EXECUTE, times=3, RUN=str(run.pk)))
    assert calls(sandbox)["messages.get"] == 80 and stored_ids() == wanted_ids(sandbox)


def test_ticks_side_by_side_queue_a_due_pipeline_once(sandbox, mailbox):
    mailbox.pipelines.update(next_run_at=timezone.now())
    processes.outputs(processes.start(TICK, times=3))
    assert Run.objects.get().trigger == "schedule" and mailbox.pipelines.get().next_run_at > timezone.now()


def test_a_killed_worker_loses_and_doubles_nothing(sandbox, mailbox):
    fill(sandbox, 400)
    run = queued(mailbox)
    kill(working(run, "within"))
    kept = len(stored_ids())
    assert kept == 50 and Run.objects.get().status == "running"
    assert pipelines.tick() == [], "a worker that fell silent a moment ago may still be there"
    fall_silent(run)
    (follower,) = pipelines.tick()
    run.refresh_from_db()
    assert (run.status, run.stop_reason) == ("failed", "worker_lost") and run.events.get().code == "worker_lost"
    engine.execute(follower)
    last = Run.objects.get(pk=follower)
    assert (last.status, last.trigger) == ("succeeded", "continuation") and stored_ids() == wanted_ids(sandbox)
    assert last.counts["read"] <= 400 - kept + 10, "only the overlap is read again"
    assert Activity.objects.filter(action="run.reaped").count() == 1


def test_a_worker_that_was_only_asleep_commits_nothing_after_it_was_replaced(sandbox, mailbox):
    fill(sandbox, 400)
    run = queued(mailbox)
    worker = working(run)
    fall_silent(run)
    (follower,) = pipelines.tick()
    engine.execute(follower)
    _out, log = worker.communicate(timeout=60)
    assert worker.returncode == 0 and "run was taken away" in log
    run.refresh_from_db()
    assert run.status == "failed" and stored_ids() == wanted_ids(sandbox)
    assert mailbox.pipelines.get().cursor == Run.objects.get(pk=follower).cursor_after


def test_a_pipeline_that_keeps_losing_its_worker_is_not_started_for_ever(sandbox, mailbox):
    run = queued(mailbox)
    for _ in range(10):
        Run.objects.filter(pk=run.pk).update(status="running", heartbeat_at=timezone.now() - timedelta(seconds=91))
        if not (waiting := pipelines.tick()):
            break
        run = Run.objects.get(pk=waiting[0])
    assert Run.objects.count() == 3 and not Run.objects.live().exists()


def test_three_thousand_messages_are_read_once_each(sandbox, mailbox):
    fill(sandbox, 3_000, relevant=0.8)
    run = scan(mailbox)
    wanted = wanted_ids(sandbox)
    assert run.status == "succeeded" and run.counts["read"] == len(wanted) > 2_000
    assert len(stored_ids()) == len(set(stored_ids())) == run.counts["kept"]
    assert set(stored_ids()) <= set(wanted)


@pytest.fixture
def secrets(mailbox) -> list[str]:
    """What may be found nowhere: the body's canary and every token."""
    return [CANARY, mailbox.access_token, mailbox.refresh_token]


def test_the_search_for_leaks_finds_what_is_there(sandbox, mailbox, secrets):
    cache.set("note", f"x{CANARY}")
    Connection.objects.update(error_code=secrets[1][:60])
    assert {place.split()[0] for place in leaks.found(CANARY, secrets[1][:60])} == {"table", "valkey"}


@pytest.mark.parametrize("story", ["success", "cancel", "kill", "storm", "expiry", "revocation", "stumble"])
def test_no_body_and_no_token_is_left_behind(sandbox, mailbox, secrets, web, story):
    fill(sandbox, 160, canary=CANARY)
    sandbox.control("POST", "/latency", {"ms": 30, "path": "/gmail"})
    run, log = queued(mailbox), ""
    if story == "storm":
        sandbox.control("POST", "/faults", {"status": 429, "path": "/gmail", "count": 40, "after": 60})
        sandbox.control("POST", "/faults", {"status": 500, "path": "/gmail", "count": 300, "after": 60})
    worker = working(run, "within" if story == "kill" else "between")
    if story == "kill":
        log = kill(worker)
    if story == "cancel":
        web.post(reverse("integrations:run_cancel", args=[run.pk]))
    if story == "expiry":
        sandbox.control("POST", "/tokens/expire", {})
    if story == "revocation":
        sandbox.control("POST", "/tokens/revoke", {})
    if story == "stumble":
        worker.terminate()
    log += "".join(worker.communicate(timeout=60)) if story != "kill" else ""
    assert len(stored_ids()) >= 30
    assert leaks.found(*secrets, also={"log": log}) == []
