"""Monitoring: what is wrong is seen, said with what to do, and told to nobody who may not know (R-149, R-197)."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from celery.signals import after_task_publish, beat_init, heartbeat_sent, worker_shutdown
from django.db import DatabaseError, OperationalError, ProgrammingError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis.exceptions import ConnectionError as ValkeyGone

from aaperture import celery as celery_app
from aaperture.lib import heartbeats
from aaperture.lib.limits import Limit, limit_of
from accounts.roles import ROLE_PERMISSIONS, Role
from accounts.services import studios
from audit.alerts import services as alerts
from audit.detectors import Severity
from audit.models import Activity
from audit.services import record
from integrations.models import Connection, Run
from mailing.models import ScheduledEmail
from operations.models import Backup, DataExport
from operations.monitoring import processes, snapshot, trust, work
from operations.monitoring.gauges import GAUGES, State, Unit, reading
from tests.accounts.people import make_user
from tests.audit.sealed import seal_all
from tests.tracker.mailboxes import make_run

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
PAGE, FRAGMENT = "/admin/operations/monitoring/", "/console/monitoring"
CANARY = "canary.person@example.test"


@pytest.fixture(autouse=True)
def nobody_has_said_anything():
    heartbeats._said.clear()


def readings() -> dict[tuple[str, str], float | None]:
    return {(one.gauge.name, one.part): one.value for one in snapshot.take()}


def states() -> dict[str, State]:
    found: dict[str, State] = {}
    for one in snapshot.take():
        found[one.gauge.name] = max(one.state, found.get(one.gauge.name, State.OK))
    return found


def trouble() -> None:
    """One of everything that can wait, fail or be too old."""
    now = timezone.now()
    owner = make_user(email=CANARY)
    run = make_run(owner, email=CANARY)
    Run.objects.filter(pk=run.pk).update(status="running", heartbeat_at=now - timedelta(minutes=5))
    run.pipeline.next_run_at = now - timedelta(hours=2)
    run.pipeline.save()
    Connection.objects.update(status="error")
    DataExport.objects.create(user=owner, requested_at=now - timedelta(minutes=30))
    email = {"organization": studios.current_organization(owner), "kind": "message", "recipient": CANARY, "send_at": now}
    ScheduledEmail.objects.create(**email, due_at=now - timedelta(minutes=20), message_id="<1@example.test>")
    lost = {"status": "sending", "claimed_until": now - timedelta(minutes=1)}
    ScheduledEmail.objects.create(**email, **lost, due_at=now, message_id="<2@example.test>")
    ScheduledEmail.objects.create(**email, status="unknown", due_at=now, message_id="<3@example.test>")
    for number in range(10):
        ScheduledEmail.objects.create(**email, status="failed", due_at=now, message_id=f"<failed{number}@example.test>")
    alerts.report("secrets_overdue", severity=Severity.HIGH)
    record("settings.changed")
    Run.objects.bulk_create(Run(pipeline=run.pipeline, status="failed", queued_at=now - timedelta(minutes=n)) for n in range(6))


def test_what_is_wrong_is_measured_and_judged():
    quiet = states()
    assert {name for name, state in quiet.items() if state is not State.OK} <= {
        "workers_alive", "clock_silent_seconds", "head_places", "disk_free_share", "backups_configured", "backups_whole",
        "database_dead_share",  # what tests before this one deleted
    }  # fmt: skip
    trouble()
    told, judged = readings(), states()
    assert told["work_waiting", "pipelines"] == 1 and 7_190 < told["work_oldest_seconds", "pipelines"] < 7_400
    assert told["work_waiting", "exports"] == 1 and 1_790 < told["work_oldest_seconds", "exports"] < 2_000
    assert told["work_waiting", "emails"] == 1 and told["emails_left_behind", ""] == told["emails_in_doubt", ""] == 1
    assert told["runs_running", ""] == 1 and told["runs_lost", ""] == 1 and told["runs_failed_last_hour", ""] == 6
    assert told["connections", "error"] == 1 and told["alerts_open", "high"] == 1 and told["alert_mails_waiting", ""] == 1
    assert 0 < told["seal_lag_seconds", ""] < 60
    for name, state in {
        "work_oldest_seconds": State.BAD, "runs_lost": State.WARN, "runs_failed_last_hour": State.WARN, "connections_failing": State.WARN,
        "alerts_severe_open": State.BAD, "emails_in_doubt": State.WARN, "emails_failed_last_day": State.WARN,
    }.items():  # fmt: skip
        assert judged[name] is state, name
    later = {one.part: one.value for one in work.queues(timezone.now() + timedelta(hours=1))}
    assert later["pipelines"] > 10_000


@pytest.mark.django_db(transaction=True)
def test_a_seal_ends_the_lag():
    record("settings.changed")
    later = timezone.now() + timedelta(minutes=15)
    (lag,) = trust.seals(later)
    assert 890 < lag.value < 1_000 and lag.state is State.BAD
    seal_all()
    (lag,) = trust.seals(later)
    assert lag.value == 0
    log = next(trust.anchors(later))
    assert (log.part, log.state) == ("log", State.WARN) and log.value > 800, "nobody has told the heads yet"


def test_backups_are_looked_after():
    now = timezone.now()
    Backup.objects.create(status="failed", asked_at=now - timedelta(days=9))
    assert {one.gauge.name: one.value for one in trust.backups(now)} == {"backups_configured": 0, "backups_whole": 0, "backups_failed": 1}
    Backup.objects.create(name="old", status="done", asked_at=now - timedelta(days=4), finished_at=now - timedelta(days=4), size=7)
    Backup.objects.create(status="failed", asked_at=now - timedelta(days=1))
    told = {one.gauge.name: one for one in trust.backups(now)}
    assert told["backup_age_seconds"].state is State.BAD and told["backup_size_bytes"].value == 7
    assert told["backups_failed"].value == 1 and told["backups_whole"].state is State.OK


def test_workers_and_clock_are_heard_until_they_fall_silent():
    now = timezone.now()
    heartbeats.say("worker", "celery@a", ("runs",), now=now.timestamp() - 90)
    heartbeats.say("worker", "celery@b", ("celery",), now=now.timestamp() - 5)
    heartbeats.say("clock", "c", now=now.timestamp() - 40)
    heartbeats.say("worker", "celery@old", ("runs",), now=now.timestamp() - 90_000)
    heartbeats.say("worker", "celery@b", ("celery",), now=now.timestamp())  # too soon: not told again
    told = {(one.gauge.name, one.part): one for one in processes.processes(now)}
    assert told["workers_alive", "runs"].state is State.BAD and told["workers_alive", "celery"].value == 1
    assert told["worker_silent_seconds", "celery@a (runs)"].state is State.WARN
    assert 4.9 < told["worker_silent_seconds", "celery@b (celery)"].value < 5.1
    assert told["clock_silent_seconds", ""].state is State.WARN
    heartbeats.say("worker", "celery@new", (), now=now.timestamp())
    assert "celery@old" not in {one.name for one in heartbeats.heard()}, "after a day nobody misses it"
    heartbeats.end("worker", "celery@b", ("celery",))
    assert "celery@b" not in {one.name for one in heartbeats.heard()}


def test_celerys_own_signals_are_what_says_so():
    """As a worker and a clock send them."""

    class Worker:
        hostname = "celery@here"

    worker = Worker()
    worker.eventer = worker
    heartbeat_sent.send(sender=worker)
    (heard,) = heartbeats.heard()
    assert (heard.kind, heard.name, heard.queues) == ("worker", "celery@here", ("celery",))
    worker_shutdown.send(sender=worker)
    after_task_publish.send(sender="some.task")
    assert heartbeats.heard() == [], "not every process that sends a task is the clock"
    beat_init.send(sender=None)
    try:
        after_task_publish.send(sender="some.task")
        assert [one.kind for one in heartbeats.heard()] == ["clock"]
    finally:
        after_task_publish.disconnect(celery_app._tell_that_the_clock_ticks)


def test_a_part_that_cannot_be_measured_hides_no_other(monkeypatch):
    def gone(*_args, **_kwargs):
        raise ValkeyGone("10.1.2.3 refused")

    monkeypatch.setattr(heartbeats, "heard", gone)
    monkeypatch.setattr(processes, "_broker", gone)
    told = states()
    for name in ("workers_alive", "clock_silent_seconds", "broker_messages", "cache_memory_share"):
        assert told[name] is State.UNKNOWN, name
    assert told["database_connections_share"] is State.OK and told["runs_lost"] is State.OK


def test_a_database_that_is_gone_is_waited_for_once(monkeypatch):
    asked = []

    def gone(_now):
        asked.append("database")
        raise OperationalError("timeout expired")
        yield

    def refused(_now):
        raise ProgrammingError
        yield

    measures = snapshot.MEASURES
    monkeypatch.setattr(
        snapshot, "MEASURES", {**measures, "work": ((gone, ("work_waiting",)),), "mail": ((gone, ("alert_mails_waiting",)),)}
    )
    told = states()
    assert asked == ["database"] and told["alert_mails_waiting"] is told["runs_lost"] is told["seal_lag_seconds"] is State.UNKNOWN
    assert told["cache_memory_share"] is State.OK, "Valkey and the disks are asked all the same"
    monkeypatch.setattr(snapshot, "MEASURES", {**measures, "work": ((refused, ("work_waiting",)),)})
    assert states()["runs_lost"] is State.OK, "what else goes wrong says nothing about the others"


def test_every_measure_says_beforehand_what_it_measures():
    """So that a failing one is missed by name: what `snapshot` lists is what comes."""
    heartbeats.say("worker", "w", ("runs",))
    for measures in snapshot.MEASURES.values():
        for measure, names in measures:
            came = {one.gauge.name for one in measure(timezone.now())}
            assert set(names) <= came, measure.__name__
    Backup.objects.create(name="one", status="done", finished_at=timezone.now(), size=5)
    assert {one.gauge.name for one in snapshot.take()} == set(GAUGES)


def test_every_gauge_that_can_be_bad_says_what_to_do():
    for gauge in GAUGES.values():
        judged = gauge.warn is not None or gauge.bad is not None
        assert bool(gauge.advice) == judged, gauge.name
        if gauge.warn is not None and gauge.bad is not None:
            assert (gauge.bad < gauge.warn) == gauge.low, gauge.name
        assert gauge.unit is not Unit.SHARE or gauge.name.endswith("_share"), gauge.name
    low = reading("disk_free_share", 0.1)
    assert low.state is State.WARN and reading("disk_free_share", 0.05).state is State.BAD


# --- the page ------------------------------------------------------------------------------------------------------------


def test_the_page_says_what_to_do_and_polls_without_keeping_anybody_signed_in(client):
    client.force_login(make_user(role=Role.EXECUTOR))
    trouble()
    text = client.get(PAGE).content.decode()
    assert 'hx-get="/console/monitoring"' in text and "What to do now" in text
    to_do = text[: text.index("Work that waits")]
    assert "Severe alerts not resolved: 1" in to_do and "acknowledge, contain" in to_do
    assert 'href="/admin/audit/securityalert/"' in to_do, "the page that the advice names, for those who have it"
    assert "operations/backups/" not in to_do and "BACKUP_KEY" in to_do
    assert re.search(r"Pipelines that are due: 1, the oldest for 2 h", text)
    assert "Runs per hour" in text and "Largest tables" in text and "Alerts per day" in text
    assert CANARY not in text and "10 min" in text, "thresholds stand beside what to do"
    session = client.session
    session["seen_at"] -= 600
    session.save()
    fragment = client.get(FRAGMENT, headers={"HX-Request": "true"}).content.decode()
    assert client.session["seen_at"] == session["seen_at"]
    assert fragment.startswith("<div hx-get") and "Pipelines that are due: 1" in fragment and "<html" not in fragment


def test_who_may_see_it():
    for role in (Role.EXECUTOR, Role.EXECUTIVE, Role.MEMBER):
        browser = Client()
        browser.force_login(make_user(role=role))
        may = "pages.monitoring" in ROLE_PERMISSIONS[role]
        assert [browser.get(path).status_code for path in (PAGE, FRAGMENT)] == ([200, 200] if may else [403, 403]), role


def test_the_number_of_queries_does_not_depend_on_what_there_is(client):
    client.force_login(make_user(role=Role.EXECUTOR))
    trouble()
    client.get(FRAGMENT)
    with CaptureQueriesContext(connection) as few:
        client.get(FRAGMENT)
    pipeline = Run.objects.first().pipeline
    Run.objects.bulk_create(Run(pipeline=pipeline, status="failed") for _ in range(50))
    for number in range(20):
        record("settings.changed", number=number)
        alerts.report("mass_export", severity=Severity.MEDIUM, subject=str(number))
    with CaptureQueriesContext(connection) as many:
        client.get(FRAGMENT)
    assert len(many) == len(few) <= 40


# --- /health/ready and /metrics -------------------------------------------------------------------------------------------


def test_ready_tells_details_to_those_who_may_see_monitoring_only():
    for role in (Role.MEMBER, Role.VIEWER, Role.EXECUTIVE):
        browser = Client()
        browser.force_login(make_user(role=role))
        assert browser.get("/health/ready").json() == {"status": "ok"}, role
    browser.force_login(make_user(role=Role.ADMIN, second_factor=False))
    assert browser.get("/health/ready").json() == {"status": "ok"}, "who must have a second factor and has none may nothing"
    browser.force_login(make_user(role=Role.EXECUTOR))
    told = browser.get("/health/ready").json()
    assert told["status"] == "ok" and set(told["milliseconds"]) == {"database", "cache"}
    assert {"name": "runs_lost", "value": 0, "state": "ok"} in told["figures"]


def test_ready_says_503_when_the_cache_is_gone(client, monkeypatch):
    def gone():
        raise ValkeyGone("10.1.2.3")

    monkeypatch.setattr("operations.monitoring.health._ask_cache", gone)
    answer = client.get("/health/ready")
    assert answer.status_code == 503 and answer.json() == {"status": "unavailable"}


def test_metrics_are_for_the_token_only(client, settings):
    bearer = {"authorization": "Bearer metrics-of-a-test"}
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers=bearer).status_code == 404
    settings.METRICS_TOKEN = "metrics-of-a-test"
    for wrong in ("", "metrics-of-a-test", "Bearer", "Bearer ", "Bearer metrics-of-a-tes", "Bearer metrics-of-a-test2", "Bearer é"):
        answer = client.get("/metrics", headers={"authorization": wrong})
        assert answer.status_code == 401 and b"aaperture_" not in answer.content, wrong
    assert Activity.objects.filter(action="permission.denied", details__view="metrics").count() == 7
    trouble()
    answer = client.get("/metrics", headers=bearer)
    text = answer.content.decode()
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=")
    assert 'aaperture_work_waiting{queue="pipelines"} 1.0' in text and "aaperture_runs_lost 1.0" in text
    assert "aaperture_measured 0.0" in text, "no clock has been heard of"
    assert CANARY not in text and not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|@|\d+\.\d+\.\d+\.\d+", text)
    assert limit_of("metrics") == Limit(60), "its own, far above what one scraper asks"


def test_metrics_go_on_when_something_cannot_be_measured(client, settings, monkeypatch):
    def gone(_now):
        raise DatabaseError
        yield

    settings.METRICS_TOKEN = "metrics-of-a-test"
    measures = snapshot.MEASURES | {"runs": ((gone, ("runs_lost",)),)}
    monkeypatch.setattr(snapshot, "MEASURES", measures)
    text = client.get("/metrics", headers={"authorization": "Bearer metrics-of-a-test"}).content.decode()
    assert "aaperture_measured 0.0" in text and "\naaperture_runs_lost " not in text and "\naaperture_database_size_bytes " in text


def test_the_example_of_alerting_rules_asks_for_what_there_is():
    rules = [rule for group in yaml.safe_load((ROOT / "deploy/prometheus_rules.yaml").read_text())["groups"] for rule in group["rules"]]
    assert len(rules) >= 10
    known = {f"aaperture_{name}" for name in GAUGES} | {"aaperture_measured"}
    for rule in rules:
        named = set(re.findall(r"\baaperture_\w+", rule["expr"]))
        assert named and named <= known, rule["alert"]
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in {"warning", "critical"}
    used = " ".join(rule["expr"] for rule in rules)
    for name, gauge in GAUGES.items():
        if gauge.bad is not None:
            assert f"aaperture_{name}" in used, f"{name} can be bad, and nobody would be woken"
