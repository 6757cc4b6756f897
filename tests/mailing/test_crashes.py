"""Workers side by side, and workers killed at any moment: nothing is lost, nothing goes out twice, what is in doubt says so."""

import collections
import random
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, connections
from django.utils import timezone

from aaperture.lib.uuid7 import uuid7
from mailing.models import ScheduledEmail
from mailing.sending import batch, claims, marks, preparing
from mailing.sending.smtp import run_apart
from mailing.services import emails
from tests import processes
from tests.accounts.people import make_user
from tests.mailing.post import contacts_named, mail_server, make_template, quick_server, use_server
from tests.studio.trade import studio_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SEND = """
import os
from django.conf import settings
from mailing.sending import batch
settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(os.environ["SMTP"])
settings.EMAIL_USE_SSL = settings.EMAIL_USE_TLS = False
settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
if os.environ.get("GUARD") == "off":
    from mailing.models import ScheduledEmail
    from mailing.sending import marks
    from tests.processes import meet
    ScheduledEmail.objects.select_for_update = lambda **_options: ScheduledEmail.objects.all()
    marks.Marks._begin = lambda self, ids: [(pk,) for pk in ids]
    def look(claim):
        seen = list(ScheduledEmail.objects.filter(status="scheduled").order_by("due_at").values_list("pk", flat=True)[:200])
        meet(os.environ["WHERE"], str(os.getpid()))
        return seen
    batch.claim_due = look
batch.send_due(seconds=float(os.environ.get("SECONDS", "20")))
"""


def mails(count):
    anna = make_user(name="Anna")
    organization = studio_of(anna)
    targets = contacts_named(organization, [f"client{n}" for n in range(count)])
    emails.schedule_emails(organization, template=make_template(organization, anna), targets=targets, actor=anna)


def arrived(told):
    return collections.Counter(to for to, _message in told.taken)


def test_workers_side_by_side_send_each_mail_once():
    mails(400)
    with mail_server() as (told, port):
        processes.outputs(processes.start(SEND, times=3, SMTP=str(port)))
        assert ScheduledEmail.objects.filter(status="sent").count() == 400
        assert set(arrived(told).values()) == {1} and len(told.taken) == 400


def test_without_claims_and_marks_side_by_side_they_would_send_twice(tmp_path):
    mails(60)
    with mail_server() as (told, port):
        processes.outputs(processes.start(SEND, times=2, SMTP=str(port), GUARD="off", WHERE=str(tmp_path), SECONDS="2"))
        assert max(arrived(told).values()) > 1


def test_workers_killed_twenty_times_lose_nothing_and_send_nothing_twice():
    mails(1500)
    chance = random.Random(7)
    with mail_server() as (told, port):
        for _ in range(20):
            [worker] = processes.start(SEND, SMTP=str(port))
            taken = len(told.taken)
            end = time.monotonic() + 20
            while len(told.taken) < taken + chance.randint(1, 90) and worker.poll() is None and time.monotonic() < end:
                time.sleep(0.002)
            worker.kill()
            worker.wait(10)
            ScheduledEmail.objects.filter(claimed_until__gt=timezone.now()).update(claimed_until=timezone.now() - timedelta(seconds=1))
        processes.outputs(processes.start(SEND, SMTP=str(port)))
        batch.give_up_left_behind()
        sent = set(ScheduledEmail.objects.filter(status="sent").values_list("recipient", flat=True))
        doubtful = {row.recipient: row for row in ScheduledEmail.objects.filter(status="unknown")}
        assert len(sent) + len(doubtful) == 1500
        assert set(arrived(told).values()) == {1}
        assert sent <= set(arrived(told)) <= sent | set(doubtful)
        assert len(doubtful) <= 20 * batch.CONNECTIONS and all(row.message_id and row.error == "lost" for row in doubtful.values())


CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND pid NOT IN (%s, pg_backend_pid())"
)


def test_a_lost_connection_to_the_database_ends_the_run_and_the_next_one_sends_nothing_twice():
    mails(200)
    connection.ensure_connection()
    claiming, cut = connection.connection.info.backend_pid, []

    def cut_the_line_of_the_marks():
        if len(told.taken) > 40 and not cut:
            cut.append(True)
            with connections["default"].cursor() as cursor:  # of this thread
                cursor.execute(CUT, [claiming])
            connections["default"].close()

    with mail_server() as (told, port):
        use_server(port)
        told.while_sending = cut_the_line_of_the_marks
        with pytest.raises(OperationalError):
            batch.send_due()
        ScheduledEmail.objects.exclude(status="sent").update(claimed_until=timezone.now() - timedelta(seconds=1))
        batch.send_due()
        assert set(arrived(told).values()) == {1}
    counts = collections.Counter(ScheduledEmail.objects.values_list("status", flat=True))
    assert counts["sent"] + counts["unknown"] == 200 and counts["unknown"] <= 2 * batch.CONNECTIONS


def test_what_is_known_of_mails_is_written_when_the_mark_of_one_of_them_cannot_be(monkeypatch):
    mails(4)
    claims.claim_due(claim := uuid7())
    rows = list(ScheduledEmail.objects.order_by("pk"))
    with marks.Marks(claim) as first:
        assert all(run_apart(first.may_send(row)) for row in rows)
    commit = marks.Marks._commit

    def cannot_write_the_second(self, asked, outcomes):
        if rows[1] in [outcome.email for outcome in outcomes]:
            raise IntegrityError
        return commit(self, asked, outcomes)

    monkeypatch.setattr(marks.Marks, "_commit", cannot_write_the_second)
    second = marks.Marks(claim)
    for row in rows:  # before its thread begins: they are written together
        second.ended(marks.Outcome(row, "sent"))
    with second:
        pass
    assert isinstance(second.failure, IntegrityError)
    assert list(ScheduledEmail.objects.order_by("pk").values_list("status", flat=True)) == ["sent", "sending", "sent", "sent"]


def test_a_database_line_cut_while_a_mail_is_prepared_puts_that_mail_off(monkeypatch):
    mails(3)
    mail, done = preparing.Preparation.mail, []

    def cut_once(self, email, **options):
        if not done:
            done.append(True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return mail(self, email, **options)

    monkeypatch.setattr(preparing.Preparation, "mail", cut_once)
    with quick_server() as (taken, port):
        use_server(port)
        assert batch.send_due() == {"scheduled": 1, "sent": 2}
        assert ScheduledEmail.objects.filter(status="scheduled", attempts=1, error="", claim=None).count() == 1
        ScheduledEmail.objects.update(due_at=timezone.now())
        assert batch.send_due() == {"sent": 1} and len(taken) == len(set(taken)) == 3


def test_ten_thousand_that_are_due_after_an_outage_go_out_once_each():
    mails(10_000)
    with quick_server() as (taken, port):
        processes.outputs(processes.start(SEND, times=2, SMTP=str(port), SECONDS="300"))
    assert ScheduledEmail.objects.filter(status="sent").count() == 10_000
    assert len(taken) == len(set(taken)) == 10_000
