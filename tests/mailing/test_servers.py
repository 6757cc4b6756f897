"""Mail servers as they are: with and without pipelining, out of step, and with few connections to give."""

import asyncio
import ssl
import time

import pytest

from aaperture.lib import safe_http
from mailing.models import ScheduledEmail
from mailing.sending import batch, line, smtp
from mailing.sending.smtp import Connection, NotSent, Server, instance_server, run_apart
from mailing.services import emails, free_text
from tests.accounts.people import make_user
from tests.integrations.feed import certificate
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


class AnswersTooSoon(Quick):
    """Answers a text in its middle, and takes the rest of it for commands."""

    answer = b"552 too much\r\n"

    def data_received(self, data):
        if self.in_message:
            self.in_message = False
            self.transport.write(self.answer)
        super().data_received(data)


class TakesTooSoon(AnswersTooSoon):
    answer = b"250 taken\r\n"


async def hand_over_much(server):
    connection = Connection(server)
    await connection.envelope("anna@studio.example", "first@roux.example")
    try:
        await connection.text(b"x" * 30_000_000, following=("anna@studio.example", "second@roux.example"))
    finally:
        assert not connection.is_open


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_text_whose_end_never_left_leaves_no_doubt(encrypted, tmp_path, monkeypatch):
    context = None
    if encrypted:
        file = certificate(tmp_path)
        monkeypatch.setattr(safe_http, "REACH", safe_http.Reach(loopback=True, authorities=str(file)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
    with quick_server(ReadsNoFurther, ssl_context=context) as (taken, port):
        use_server(port)
        server = Server("127.0.0.1", port, "tls", own=True) if encrypted else instance_server()
        with pytest.raises(NotSent) as refused:
            run_apart(hand_over_much(server))
    assert refused.value.again and taken == []


@pytest.mark.parametrize(("server", "code", "again"), [(AnswersTooSoon, "content", False), (TakesTooSoon, "connect", True)])
def test_a_text_answered_in_its_middle_was_not_taken_and_its_rest_is_nobodys(server, code, again):
    with quick_server(server) as (taken, port):
        use_server(port)
        with pytest.raises(NotSent) as refused:
            run_apart(hand_over_much(instance_server()))
    assert (refused.value.code, refused.value.again) == (code, again) and taken == []


class Leaving(asyncio.WriteTransport):
    """Of what was written, so much is still there each time somebody looks."""

    def __init__(self, sizes):
        self.sizes, self.looks = iter(sizes), 0

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def is_closing(self):
        return False

    def write(self, data):
        pass

    def get_write_buffer_size(self):
        self.looks += 1
        return next(self.sizes)


@pytest.mark.parametrize(("sizes", "looks"), [([9, 6, 3, 0, 0], 5), ([9, 9], 2), ([0, 0], 2), (range(99, 0, -1), line.PATIENCE + 1)])
def test_a_text_that_leaves_slowly_has_time_but_not_for_ever(sizes, looks):
    transport = Leaving(sizes)

    async def wait():
        spoken = line.Line(timeout=0.001)
        spoken.connection_made(transport)
        with pytest.raises(TimeoutError):
            await spoken.answers(1)

    run_apart(wait())
    assert transport.looks == looks


def test_half_an_answer_that_nobody_asked_for_ends_the_understanding_and_a_server_that_goes_is_not_waited_for():
    async def listen():
        spoken = line.Line(timeout=30)
        spoken.connection_made(Leaving([0] * 9))
        spoken.data_received(b"250-not\r\n")
        with pytest.raises(ConnectionError):
            spoken.write(b"text\r\n.\r\n")
        spoken.data_received(b"250 yet\r\n421 away\r\n500 what\r\n")
        assert [code for code, _text in await spoken.answers(4)] == [250, 421, 500]

    run_apart(listen())


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


class ForgetsNothing(Quick):
    """An envelope that came to nothing is still there when the next one comes."""

    begun = False

    def _answer(self, line):
        word = line[:4]
        if word == b"RSET" or (word == b"MAIL" and self.begun):
            return b"503 not now\r\n"
        if b"refused" in line or (word == b"DATA" and not self.to):
            return b"550 nobody\r\n"
        if word in {b"MAIL", b"DATA"}:
            self.begun, self.to = word == b"MAIL", b"" if word == b"MAIL" else self.to
        return super()._answer(line)


def test_a_server_that_does_not_forget_a_refused_recipient_is_called_anew(schedule):
    schedule(["refused", "fine", "well"])
    with quick_server(ForgetsNothing) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"failed": 1, "sent": 2}
    assert arrived(taken) == ["fine", "well"] and status_of("refused") == "failed"


class SaysUnspeakable(Quick):
    def _answer(self, line):
        return b"450 \x00 \x1b[2Jlater\r\n" if b"odd" in line else super()._answer(line)


def test_what_a_server_says_reaches_no_column_that_cannot_hold_it(schedule):
    schedule(["odd", "fine"])
    with quick_server(SaysUnspeakable) as (_taken, port):
        use_server(port)
        assert batch.send_due() == {"scheduled": 1, "sent": 1}
    assert ScheduledEmail.objects.get(status="scheduled").error_reply.split() == ["450", "[2Jlater"]


class Clock:
    """The real one, until the first text comes; then it is a minute later."""

    ahead = 0

    @classmethod
    def monotonic(cls):
        return time.monotonic() + cls.ahead


class IsSlow(TakesItsTime):
    heard = b""

    def _taken(self):
        Clock.ahead = 100
        return super()._taken()

    def _go_on(self):
        IsSlow.heard = self.read_on
        super()._go_on()


def test_what_still_waits_for_a_slow_server_when_a_run_ends_is_given_back(schedule, monkeypatch):
    monkeypatch.setattr(batch, "time", Clock)
    monkeypatch.setattr(batch, "CONNECTIONS", 1)
    monkeypatch.setattr(Clock, "ahead", 0)
    schedule(12)
    with quick_server(IsSlow) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"sent": 1} == {"sent": len(taken)}
        assert set(ScheduledEmail.objects.exclude(status="sent").values_list("status", "claim", "attempts")) == {("scheduled", None, 0)}
        monkeypatch.setattr(IsSlow, "_taken", TakesItsTime._taken)
        assert batch.send_due() == {"sent": 11}
    assert len(set(arrived(taken))) == len(taken) == 12


class RefusesAndGoes(Quick):
    def _answer(self, line):
        if not line.startswith(b"RCPT"):
            return super()._answer(line)
        self.transport.write(b"550 no such mailbox\r\n")
        self.transport.close()
        return b""


def test_a_server_that_refuses_and_goes_has_refused(schedule):
    schedule(["gone"])
    with quick_server(RefusesAndGoes) as (_taken, port):
        use_server(port)
        assert batch.send_due() == {"failed": 1}
    assert ScheduledEmail.objects.values_list("error", flat=True).get() == "recipient"


class BreaksOverOne(Quick):
    def _answer(self, line):
        if b"client0" in line:
            self.transport.abort()
        return super()._answer(line)


def test_one_mail_over_which_the_line_breaks_does_not_hold_up_those_behind_it(schedule):
    schedule(4)  # one connection's
    with quick_server(BreaksOverOne) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"scheduled": 1, "sent": 3}
    assert arrived(taken) == ["client1", "client2", "client3"]


class FallsSilent(Quick):
    """With a text."""

    def _taken(self):
        super()._taken()
        self.waiting = b""
        self.transport.pause_reading()
        return b""


class Patience:
    """Of whoever waits for a message written by hand; it ends when a server says so."""

    @classmethod
    def timeout(cls, seconds):
        assert seconds == free_text.WHOLE
        cls.loop, cls.limit = asyncio.get_running_loop(), asyncio.timeout(None)
        return cls.limit

    @classmethod
    def end(cls):
        cls.loop.call_soon_threadsafe(cls.limit.reschedule, 0)


class NeverGreets(Quick):
    def connection_made(self, transport):
        Patience.end()


class NeverAnswersAText(FallsSilent):
    def _taken(self):
        Patience.end()
        return super()._taken()


@pytest.mark.parametrize(("server", "row"), [(NeverGreets, ("failed", "connect")), (NeverAnswersAText, ("unknown", "dropped"))])
def test_whoever_writes_by_hand_waits_so_long_and_no_longer(server, row, settings, monkeypatch):
    monkeypatch.setattr(free_text, "asyncio", Patience)
    anna = make_user(name="Anna")
    [contact] = contacts_named(studio_of(anna), ["client"])
    with quick_server(server) as (_taken, port):
        use_server(port)
        sent = free_text.send_now(contact.organization, free_text.Written("Bonjour", "un mot"), contact=contact, actor=anna)
    assert (sent.status, sent.error) == row and "keep trying" not in sent.trouble


class DoesNotSayGoodbye(Quick):
    def _answer(self, line):
        return b"" if line == b"QUIT" else super()._answer(line)


def test_a_server_that_takes_texts_and_never_answers_gets_no_more_than_two(schedule, monkeypatch):
    monkeypatch.setattr(smtp, "TIMEOUT", 0.5)
    monkeypatch.setattr(batch, "CONNECTIONS", 1)
    schedule(12)
    with quick_server(FallsSilent) as (taken, port):
        use_server(port)
        assert batch.send_due() == {"unknown": len(taken), "scheduled": 12 - len(taken)}
    assert len(taken) <= 2


def test_nobody_waits_for_the_answer_to_a_farewell(schedule, monkeypatch):
    monkeypatch.setattr(smtp, "FAREWELL", 0.05)
    schedule(["one"])
    begun = time.monotonic()
    with quick_server(DoesNotSayGoodbye) as (_taken, port):
        use_server(port)
        assert batch.send_due() == {"sent": 1} and time.monotonic() - begun < smtp.TIMEOUT / 2


class DeafBehindTheFirst(Quick):
    """Throws away the envelope that comes behind its first text."""

    deaf = False

    def data_received(self, data):
        if self.deaf:
            self.waiting += data
            if self.waiting.endswith(b"DATA\r\n"):
                self.deaf, self.waiting = False, b""
                self.transport.write(b"250 taken\r\n")
        else:
            super().data_received(data)

    def _taken(self):
        answer = super()._taken()
        if len(self.taken) > 1:
            return answer
        rest, self.waiting, self.deaf = self.waiting, b"", True
        asyncio.get_running_loop().call_soon(self.data_received, rest)
        return b""


def test_a_server_that_does_not_hear_what_is_said_behind_a_text_is_told_later():
    first, second, third = (("anna@studio.example", f"{name}@roux.example") for name in ("first", "second", "third"))

    async def hand_over():
        connection = Connection(instance_server())
        await connection.envelope(*first)
        await connection.text(b"First\r\n", following=second)
        connection._line.timeout = 0.05  # for what will not come
        with pytest.raises(NotSent):
            await connection.envelope(*second)
        await connection.envelope(*second)
        await connection.text(b"Second\r\n", following=third)
        assert connection._ahead is None
        await connection.envelope(*third)
        await connection.text(b"Third\r\n")
        await connection.quit()

    with quick_server(DeafBehindTheFirst) as (taken, port):
        use_server(port)
        run_apart(hand_over())
    assert arrived(taken) == ["first", "second", "third"]
