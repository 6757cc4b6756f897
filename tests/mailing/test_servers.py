"""Mail servers as they are: with and without pipelining, out of step, and with few connections to give."""

import pytest

from mailing.models import ScheduledEmail
from mailing.sending import batch
from mailing.services import emails
from tests.accounts.people import make_user
from tests.mailing.post import Quick, contacts_named, mail_server, make_template, quick_server, status_of, use_server
from tests.studio.trade import studio_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def schedule(settings):
    """Mails to so many clients, or to those of these names."""
    anna = make_user(name="Anna")
    organization = studio_of(anna)

    def mails(names):
        targets = contacts_named(organization, [f"client{n}" for n in range(names)] if isinstance(names, int) else names)
        emails.schedule_emails(organization, template=make_template(organization, anna), targets=targets, actor=anna)

    return mails


def arrived(taken):
    return sorted(line.partition(b"<")[2].partition(b"@")[0].decode() for line in taken)


@pytest.mark.parametrize("pipelining", [False, True])
def test_a_refused_recipient_or_text_does_not_disturb_the_next_mail(schedule, pipelining):
    schedule(["refused", "later", "spam", "fine", "well", "good"])
    with mail_server() as (told, port):
        use_server(port)
        told.pipelining = pipelining
        told.recipients |= {"refused": "550 No such mailbox", "later": "451 Greylisted"}
        told.contents["spam"] = "554 Spam"
        assert batch.send_due() == {"sent": 3, "failed": 2, "scheduled": 1}
        assert told.pipelined == pipelining and len(told.taken) == 3
    assert [status_of(name) for name in ("refused", "later", "spam")] == ["failed", "scheduled", "failed"]
    assert set(ScheduledEmail.objects.exclude(error="").values_list("error", flat=True)) == {"recipient", "recipient_later", "content"}


class WaitsAllTheSame(Quick):
    """Refuses recipients, and then takes a text for nobody."""

    heard = b""

    def data_received(self, data):
        if self.in_message and b"refused" in self.to:
            WaitsAllTheSame.heard += data
        super().data_received(data)

    def _answer(self, line):
        answer = super()._answer(line)
        return b"550 no\r\n" if line.startswith(b"RCPT") and b"refused" in line else answer


class SaysItTwice(Quick):
    def _taken(self):
        return super()._taken() * 2


class HasTwo(Quick):
    """Connections to give, and closes all others."""

    open = 0

    def connection_made(self, transport):
        HasTwo.open += 1
        if HasTwo.open > 2:
            transport.abort()
        else:
            super().connection_made(transport)

    def connection_lost(self, error):
        HasTwo.open -= 1


def test_a_server_that_waits_for_a_text_without_recipient_gets_none(schedule):
    schedule(["refused", "fine", "well"])
    with quick_server(WaitsAllTheSame) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"failed": 1, "sent": 2}
    assert arrived(taken) == ["fine", "well"] and WaitsAllTheSame.heard == b""


def test_a_server_that_answers_more_than_it_was_asked_is_called_anew(schedule):
    schedule(12)
    with quick_server(SaysItTwice) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"sent": 12}
    assert len(arrived(taken)) == len(set(arrived(taken))) == 12


def test_connections_that_a_server_does_not_give_leave_the_mails_to_the_others(schedule):
    schedule(120)
    with quick_server(HasTwo) as (taken, port):
        use_server(port)
        counts = batch.send_due()
    assert counts["sent"] == len(taken) >= 120 - batch.CONNECTIONS and sum(counts.values()) == 120
    assert set(ScheduledEmail.objects.exclude(status="sent").values_list("status", "error")) <= {("scheduled", "connect")}
