"""Alerts are opened once and mailed once, whoever looks at the same time and whatever is killed (R-197)."""

import os
import signal
import smtplib
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
import time_machine
from celery import current_app
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail.backends import locmem
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from audit.alerts import mail, services
from audit.alerts.detection import detect
from audit.detectors import Severity
from audit.models import Activity, AlertNote, SecurityAlert
from audit.services import COLUMNS, record
from sandbox.server import SandboxServer
from tests import processes
from tests.accounts.people import make_user
from tests.audit.test_detectors import ATTACKER, failed_sign_ins
from tests.process import eventually

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(db) -> SecurityAlert:
    services.report("chain_broken", severity=Severity.CRITICAL, count=3)
    return SecurityAlert.objects.get()


def state(alert: SecurityAlert) -> str:
    return SecurityAlert.objects.values_list("mail", flat=True).get(pk=alert.pk)


# --- what is mailed, and to whom --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("severity", "mails"), [("low", 0), ("medium", 0), ("high", 1), ("critical", 1)])
def test_only_high_and_critical_alerts_are_mailed(settings, mailoutbox, severity, mails):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    services.report("secrets_overdue", severity=Severity(severity), count=2)
    for _ in range(3):
        mail.send_due()
    assert len(mailoutbox) == mails


def test_the_mail_says_what_when_and_how_many_and_names_nobody(settings, mailoutbox, db):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    anna = make_user(email="anna@example.test")
    failed_sign_ins(60, account=anna.email)
    [alert] = detect()
    assert mail.send_due() == 1
    [message] = mailoutbox
    assert message.to == ["security@example.test"]
    assert message.subject == "Security alert (high): Failed sign-ins from one address"
    assert f"How many: {alert.count}" in message.body and "First seen:" in message.body
    assert f"http://localhost:8000/admin/audit/securityalert/{alert.pk}/change/" in message.body
    text = message.message().as_string()
    assert "anna" not in text and "203.0.113" not in text
    alert.refresh_from_db()
    assert alert.mail == "sent" and alert.mailed_at and alert.notes.filter(what="mailed").count() == 1
    assert Activity.objects.filter(action="alert.mailed", target_id=str(alert.pk)).count() == 1


def test_without_configured_addresses_every_active_administrator_is_told_in_their_language(settings, mailoutbox, alert):
    settings.SECURITY_ALERT_EMAILS = []
    make_user(role=Role.ADMIN, email="one@example.test")
    make_user(role=Role.ADMIN, email="deux@example.test", language="fr")
    make_user(role=Role.ADMIN, email="gone@example.test", is_active=False)
    make_user(role=Role.ADMIN, email="closed@example.test", erasure_requested_at=timezone.now())
    make_user(role=Role.DEVELOPER)
    mail.send_due()
    assert {(message.to[0], message.subject) for message in mailoutbox} == {
        ("one@example.test", "Security alert (critical): The activity log is not what was sealed"),
        ("deux@example.test", "Alerte de sécurité (critique) : Le journal d’activité n’est pas celui qui a été scellé"),
    }


def test_the_ticks_lead_from_the_log_to_the_mail(settings, mailoutbox):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    record("token.reuse_detected", actor=make_user())
    for tick in ("alerts", "alert-mail"):
        current_app.tasks[settings.CELERY_BEAT_SCHEDULE[tick]["task"]].apply(throw=True)
    assert [message.subject for message in mailoutbox] == ["Security alert (high): Stolen refresh token used"]


def test_with_nobody_to_tell_it_stays_due(settings, mailoutbox, alert):
    settings.SECURITY_ALERT_EMAILS = []
    assert mail.send_due() == 0 and state(alert) == "due"
    make_user(role=Role.ADMIN)
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=True):
        assert mail.send_due() == 1


def test_what_becomes_severe_is_mailed_then_and_once(settings, mailoutbox, db):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    failed_sign_ins(10)
    detect()
    mail.send_due()
    assert mailoutbox == []
    for _ in range(2):
        failed_sign_ins(40)
        detect()
        mail.send_due()
    assert len(mailoutbox) == 1


def flood(times: int, *, address: str = "address_hash", account: str = "account_hash") -> None:
    """The newest row so many times more; `address` and `account` are SQL."""
    number = Activity.objects.count()
    failed_sign_ins(
        1,
        account="anna@example.test" if account == "account_hash" else f"a{number}@example.test",
        address=f"198.51.100.{number // 500}" if address == SOMEBODY_ELSE else ATTACKER,
    )
    columns = [name for name in COLUMNS if name not in {"id", "recorded_at", "address_hash", "account_hash"}]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO audit_activity (id, recorded_at, address_hash, account_hash, {', '.join(columns)})"
            f" SELECT gen_random_uuid(), clock_timestamp(), {address}, {account}, {', '.join(columns)}"
            " FROM (SELECT * FROM audit_activity WHERE action = 'user.login.failed' ORDER BY recorded_at DESC LIMIT 1) AS newest,"
            " generate_series(1, %s) AS n",
            [times - 1],
        )


SOMEBODY_ELSE = "sha256(gen_random_uuid()::text::bytea)"


def test_ten_thousand_failed_sign_ins_open_one_alert_and_send_one_mail(settings, mailoutbox):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    for round_ in range(20):
        flood(500, account=SOMEBODY_ELSE if round_ % 2 else "account_hash")
        detect()
        mail.send_due()
    alert = SecurityAlert.objects.get()
    assert (alert.kind, alert.count, alert.severity) == ("failed_logins_address", 10_000, "high")
    assert len(mailoutbox) == 1
    assert Activity.objects.filter(action="alert.opened").count() == 1


def test_ten_thousand_failed_sign_ins_to_one_account_open_one_alert(settings, mailoutbox):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    for _ in range(20):
        flood(500, address=SOMEBODY_ELSE)
        detect()
        mail.send_due()
    alert = SecurityAlert.objects.get()
    assert (alert.kind, alert.count, alert.severity) == ("failed_logins_account", 10_000, "high")
    assert len(mailoutbox) == 1


def test_ten_thousand_failed_sign_ins_from_everywhere_open_one_alert_too(settings, mailoutbox):
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    for _ in range(20):
        flood(500, address=SOMEBODY_ELSE, account=SOMEBODY_ELSE)
        detect()
        mail.send_due()
    alert = SecurityAlert.objects.get()
    assert (alert.kind, alert.count, alert.severity) == ("failed_logins_everywhere", 10_000, "critical")
    assert len(mailoutbox) == 1


def test_what_comes_while_the_detector_looks_is_counted_once(monkeypatch):
    failed_sign_ins(10)
    detect()
    failed_sign_ins(5)
    latest, come = services.latest, iter([3])

    def meanwhile(kind: str, subject: str) -> SecurityAlert | None:
        failed_sign_ins(next(come, 0))
        return latest(kind, subject)

    with monkeypatch.context() as patch:
        patch.setattr(services, "latest", meanwhile)
        detect()
    detect()
    assert [alert.count for alert in SecurityAlert.objects.all()] == [18]


def repeated(times: int, since: datetime) -> None:
    """What has been refused since then, so many times more."""
    columns = ", ".join(name for name in COLUMNS if name not in {"id", "recorded_at"})
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO audit_activity (id, recorded_at, {columns})"
            f" SELECT gen_random_uuid(), recorded_at + n * interval '1 ms', {columns} FROM audit_activity, generate_series(1, %s) AS n"
            " WHERE recorded_at >= %s AND action IN ('user.login.failed', 'rate_limit.exceeded')",
            [times, since],
        )


@pytest.mark.slow
def test_a_flood_of_sign_ins_that_meets_every_limit_is_one_alert_and_one_mail_for_twenty_minutes(settings, mailoutbox):
    """Each minute twenty real requests, at the page and at the API, as far as limits and locks let them, and each 24 times more."""
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    anna, flooder = make_user(email="anna@example.test"), Client(REMOTE_ADDR=ATTACKER)
    for minute in range(20):
        with time_machine.travel(timezone.now() + timedelta(minutes=minute), tick=True):
            since = timezone.now()
            caches["limits"].clear()  # Valkey's clock does not travel
            for turn in range(10):
                name = anna.email if turn % 2 else f"nobody{minute}-{turn}@example.test"
                assert flooder.post("/accounts/login/", {"login": name, "password": "Wrong-Horse-7"}).status_code in {200, 429}
                body = {"email": name, "password": "Wrong-Horse-7"}
                assert flooder.post("/api/auth/login", body, content_type="application/json").status_code in {401, 429}
            repeated(24, since)
            detect()
            mail.send_due()
    actions = Activity.objects.filter(action__in=["user.login.failed", "rate_limit.exceeded"])
    assert actions.count() == 10_000 and actions.filter(action="user.login.failed").count() > 1_000
    alert = SecurityAlert.objects.get()
    assert alert.severity == "high" and alert.notes.filter(what="mailed").count() == len(mailoutbox) == 1


# --- mail servers that fail ---------------------------------------------------------------------------------------------------


def refusing(error: Exception):
    class Backend(locmem.EmailBackend):
        def send_messages(self, messages):
            raise error

    return Backend


@pytest.fixture
def told(settings, alert) -> SecurityAlert:
    settings.SECURITY_ALERT_EMAILS = ["security@example.test"]
    return alert


def test_a_server_that_says_no_is_asked_again_later(monkeypatch, mailoutbox, told):
    with monkeypatch.context() as patch:
        patch.setattr(mail, "get_connection", refusing(smtplib.SMTPDataError(451, b"later")))
        assert mail.send_due() == 0
    assert state(told) == "due" and mail.send_due() == 0  # not before its time
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=True):
        assert mail.send_due() == 1
    assert len(mailoutbox) == 1


def test_a_server_that_is_not_there_is_asked_again_later(settings, mailoutbox, told):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    assert mail.send_due() == 0 and state(told) == "due"


def test_a_line_that_breaks_while_sending_is_not_tried_twice(monkeypatch, mailoutbox, told):
    with monkeypatch.context() as patch:
        patch.setattr(mail, "get_connection", refusing(smtplib.SMTPServerDisconnected("gone")))
        mail.send_due()
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=True):
        mail.send_due()
    assert state(told) == "unknown" and mailoutbox == []


# --- processes of their own ----------------------------------------------------------------------------------------------------

SET_UP = """
import os, signal
from audit.alerts import mail
from audit.alerts.detection import detect

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
"""


# over and over, until it is mailed and once more
UNTIL_SENT = """
from audit.models import SecurityAlert
print("up", flush=True)
end, sent = time.monotonic() + 60, False
while not sent and time.monotonic() < end:
    sent = SecurityAlert.objects.get().mail == "sent"
    mail.send_due()
"""


def start(code: str, **environment: str) -> processes.Process:
    (process,) = processes.start(SET_UP + code, SECURITY_ALERT_EMAILS="security@example.test", **environment)
    return process


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(demo=False) as server:
        yield server


@pytest.fixture
def post(sandbox) -> str:
    """The address of a mail server, emptied."""
    sandbox.control("DELETE", "/mail")
    return f"smtp://127.0.0.1:{sandbox.smtp_port}"


def sent(sandbox: SandboxServer) -> int:
    return len(sandbox.control("GET", "/mail")["mail"])


def detect_in_two_processes() -> int:
    """Both have seen the attack and wait to insert when the door is opened; how many alerts there are then."""
    failed_sign_ins(60)
    with psycopg.connect(os.environ["MIGRATION_DATABASE_URL"]) as owner:
        owner.execute("LOCK TABLE audit_securityalert IN SHARE ROW EXCLUSIVE MODE")
        detecting = [start("detect()") for _ in range(2)]
        waiting = (
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND datname = current_database()"
            " WHERE NOT granted AND relation = 'audit_securityalert'::regclass"
        )
        assert eventually(lambda: owner.execute(waiting).fetchone()[0] == 2, within=60)
        owner.rollback()
    assert [process.wait(60) for process in detecting] == [0, 0]
    return SecurityAlert.objects.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_two_processes_that_detect_at_once_open_one_alert():
    assert detect_in_two_processes() == 1
    assert Activity.objects.filter(action="alert.opened").count() == AlertNote.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_without_the_index_they_open_two():
    """The proof that the index is what decides."""
    with psycopg.connect(os.environ["MIGRATION_DATABASE_URL"], autocommit=True) as owner:
        made = owner.execute("SELECT pg_get_indexdef('audit_alert_once'::regclass)").fetchone()[0]
        owner.execute("DROP INDEX audit_alert_once")
        try:
            assert detect_in_two_processes() == 2
        finally:
            owner.execute("TRUNCATE audit_securityalert, audit_alertnote")
            owner.execute(made)


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_two_workers_mail_an_alert_once(sandbox, post):
    services.report("chain_broken", severity=Severity.CRITICAL)
    with transaction.atomic():
        row = SecurityAlert.objects.select_for_update().get()  # neither gets it yet
        workers = [start("mail.send_due()\n" + UNTIL_SENT, EMAIL_URL=post) for _ in range(2)]
        assert [worker.stdout.readline() for worker in workers] == ["up\n", "up\n"]
    assert [worker.wait(120) for worker in workers] == [0, 0], [worker.errors for worker in workers]
    assert sent(sandbox) == 1 and state(row) == "sent"


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize(("where", "after", "mails"), [("_message", "sent", 1), ("_sent", "unknown", 1)])
def test_a_worker_killed_while_mailing_leads_to_no_second_mail(sandbox, post, where, after, mails):
    """Before anything went out, the next worker sends it; after it went out, nobody sends it again."""
    services.report("chain_broken", severity=Severity.CRITICAL)
    alert = SecurityAlert.objects.get()
    assert start(f"mail.{where} = die\nmail.send_due()", EMAIL_URL=post).wait(60) == -signal.SIGKILL
    assert start("mail.send_due()", EMAIL_URL=post).wait(60) == 0
    assert sent(sandbox) == (0 if where == "_message" else 1)  # its claim still stands
    SecurityAlert.objects.update(mail_until=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        assert start("mail.send_due()", EMAIL_URL=post).wait(60) == 0
    assert (sent(sandbox), state(alert)) == (mails, after)


# --- what people do -----------------------------------------------------------------------------------------------------------


def test_an_alert_is_acknowledged_assigned_noted_and_resolved(alert):
    admin, executor = make_user(role=Role.ADMIN), make_user(role=Role.EXECUTOR)
    services.acknowledge(alert, actor=admin)
    services.assign(alert, executor, actor=admin)
    services.add_note(alert, "Seen in the backup too.", actor=executor)
    services.resolve(alert, note="A disk was restored by hand.", actor=executor)
    alert.refresh_from_db()
    assert (alert.state, alert.assigned_to, alert.acknowledged_by, alert.resolved_by) == ("resolved", executor.pk, admin.pk, executor.pk)
    history = ["opened", "acknowledged", "assigned", "note", "resolved"]
    assert [note.what for note in alert.notes.order_by("written_at")] == history
    actions = Activity.objects.filter(target_id=str(alert.pk)).order_by("recorded_at").values_list("action", flat=True)
    assert list(actions) == ["alert.opened", "alert.acknowledged", "alert.assigned", "alert.noted", "alert.resolved"]
    with pytest.raises(ValidationError):
        services.resolve(alert, note="Again.", actor=admin)
    services.add_note(alert, "Learnt afterwards.", actor=admin)


def test_only_who_handles_alerts_can_be_given_one_or_act(alert):
    admin, viewer = make_user(role=Role.ADMIN), make_user(role=Role.VIEWER)
    closed = make_user(role=Role.ADMIN, erasure_requested_at=timezone.now())
    for nobody in (viewer, closed):
        with pytest.raises(ValidationError):
            services.assign(alert, nobody, actor=admin)
    for act in (services.acknowledge, lambda *a, **k: services.resolve(*a, note="x", **k), lambda *a, **k: services.add_note(*a, "x", **k)):
        with pytest.raises(PermissionDenied):
            act(alert, actor=viewer)


def test_history_can_be_added_to_and_not_changed(alert):
    note = alert.notes.get()
    for change in (lambda: AlertNote.objects.filter(pk=note.pk).update(text="x"), note.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_resolving_needs_a_note(alert):
    with pytest.raises(ValidationError):
        services.resolve(alert, note="  ", actor=make_user(role=Role.ADMIN))


def test_looking_stays_on_indexes():
    """A look reads by action and instant: PostgreSQL chooses the index once the table is large."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT address_hash, count(*) FROM audit_activity WHERE action IN ('user.login.failed')"
            " AND recorded_at >= now() - interval '15 minutes' GROUP BY 1"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "action" in plan and "Index" in plan and "Seq Scan" not in plan
