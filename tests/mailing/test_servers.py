"""Mail servers as they are: with and without pipelining, out of step, and with few connections to give."""

import asyncio

import pytest

from mailing.models import ScheduledEmail
from mailing.sending import batch
from mailing.sending.smtp import Connection, NotSent, instance_server, run_apart
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


class TakesItsTime(Quick):
    """Answers a text after 20 ms, and only then reads on."""

    read_on = b""
    said_ahead = 0
    goes_away = False  # after each mail

    def connection_made(self, transport):
        self.taking, self.texts = False, []
        super().connection_made(transport)

    def data_received(self, data):
        if self.taking:
            self.read_on += data
        else:
            super().data_received(data)

    def _taken(self):
        self.taking, self.read_on, self.waiting = True, self.waiting, b""
        asyncio.get_running_loop().call_later(0.02, self._go_on)
        super()._taken()
        return b""

    def _go_on(self):
        self.taking, read = False, self.read_on
        TakesItsTime.said_ahead += read.startswith(b"MAIL")
        if self.goes_away:
            self.transport.write(b"250 taken\r\n421 enough\r\n")
            self.transport.close()
        else:
            self.transport.write(b"250 taken\r\n")
            self.data_received(read)


class HasEnough(TakesItsTime):
    goes_away = True


@pytest.mark.parametrize("server", [TakesItsTime, HasEnough])
def test_the_next_mail_is_announced_with_a_text_and_each_goes_out_once(schedule, server):
    TakesItsTime.said_ahead = 0
    schedule(120)
    with quick_server(server) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"sent": 120}
    assert TakesItsTime.said_ahead > 60 and len(set(arrived(taken))) == len(taken) == 120


def test_a_text_never_follows_the_envelope_of_another_mail():
    async def hand_over():
        connection = Connection(instance_server())
        await connection.envelope("anna@studio.example", "first@roux.example")
        await connection.text(b"First\r\n", following=("anna@studio.example", "second@roux.example"))
        await connection.envelope("anna@studio.example", "third@roux.example")
        await connection.text(b"Third\r\n")
        await connection.quit()

    with quick_server() as (taken, port):
        use_server(port)
        run_apart(hand_over())
    assert arrived(taken) == ["first", "third"]


class ReadsNoFurther(Quick):
    """Than DATA, and then ends the connection."""

    def _answer(self, line):
        if line == b"DATA":
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.2, self.transport.abort)
        return super()._answer(line)


def test_a_text_whose_end_never_left_leaves_no_doubt():
    async def hand_over():
        connection = Connection(instance_server())
        await connection.envelope("anna@studio.example", "first@roux.example")
        await connection.text(b"x" * 30_000_000, following=("anna@studio.example", "second@roux.example"))

    with quick_server(ReadsNoFurther) as (taken, port):
        use_server(port)
        with pytest.raises(NotSent) as refused:
            run_apart(hand_over())
    assert refused.value.again and taken == []


@pytest.mark.parametrize(
    ("answer", "status", "error"), [("251 Gladly", "sent", ""), ("354 What?", "unknown", "dropped"), ("soon", "unknown", "dropped")]
)
def test_the_first_figure_of_an_answer_says_whether_a_mail_was_taken(schedule, answer, status, error):
    schedule(["odd", "fine"])
    with mail_server() as (told, port):
        use_server(port)
        told.contents["odd"] = answer
        batch.send_due()
    assert list(ScheduledEmail.objects.order_by("recipient").values_list("status", "error")) == [("sent", ""), (status, error)]


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
