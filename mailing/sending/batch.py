"""Hands a claimed batch over: mails prepared one after the other here, sent on several connections side by side."""

import logging
import queue
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from mailing.mime import MailRefused, as_bytes
from mailing.models import ScheduledEmail
from mailing.sending.claims import claim_due, give_up_left_behind
from mailing.sending.marks import Marks, Outcome
from mailing.sending.preparing import CannotPrepare, NotNeeded, Preparation, load
from mailing.sending.smtp import Connection, InDoubt, NotSent, Server

logger = logging.getLogger(__name__)
CONNECTIONS = 16  # to the instance's server
OWN_CONNECTIONS = 2  # to a studio's own
READY = 64  # prepared mails that wait for a connection
Status = ScheduledEmail.Status


class Ready(NamedTuple):
    email: ScheduledEmail
    sender: str
    message: bytes

    def __repr__(self) -> str:
        return f"<Ready {self.email.pk}>"


def send_due(*, seconds: float = 45.0) -> dict[str, int]:
    """Send until nothing is due, or for about so many seconds; how many got which status."""
    give_up_left_behind()
    counts: dict[str, int] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        claim, ids = claim_due()
        if not ids:
            break
        with Marks(claim) as marks:
            _deliver(Preparation(load(ids)), marks)
        for status, count in marks.counts.items():
            counts[status] = counts.get(status, 0) + count
        if marks.failure:
            raise marks.failure
    return counts


def _deliver(preparation: Preparation, marks: Marks) -> None:
    """Each server has its queue and its connections; a queue ends with None for each of them."""
    queues: dict[Server, queue.Queue[Ready | None]] = {}
    threads: list[threading.Thread] = []
    try:
        for server, ready in _prepared(preparation, marks):
            if server not in queues:
                queues[server] = queue.Queue(READY)
                threads += _connections(server, queues[server], marks, len(preparation.emails))
            queues[server].put(ready)
    finally:
        for server, waiting in queues.items():
            for _ in range(_how_many(server, len(preparation.emails))):
                waiting.put(None)
        for thread in threads:
            thread.join()


def _how_many(server: Server, mails: int) -> int:
    return min(OWN_CONNECTIONS if server.own else CONNECTIONS, max(1, mails // 4))


def _connections(server: Server, waiting: "queue.Queue[Ready | None]", marks: Marks, mails: int) -> list[threading.Thread]:
    count = _how_many(server, mails)
    threads = [threading.Thread(target=_send_all, args=(server, waiting, marks), name=f"mail-{place}") for place in range(count)]
    for thread in threads:
        thread.start()
    return threads


def _prepared(preparation: Preparation, marks: Marks) -> Iterator[tuple[Server, Ready]]:
    for email in preparation.emails:
        try:
            sender = preparation.sender_of(email)
            yield sender.server, Ready(email, sender.address.email, as_bytes(preparation.mail(email)))
        except NotNeeded:
            marks.ended(Outcome(email, Status.SKIPPED))
        except CannotPrepare as fault:
            marks.ended(Outcome(email, Status.SCHEDULED if fault.again else Status.FAILED, fault.code, again=fault.again))
        except MailRefused:
            marks.ended(Outcome(email, Status.FAILED, "unwritable"))
        except Exception as error:  # noqa: BLE001 - one mail that meets a fault of ours must not hold up the others
            logger.error("mail not prepared", extra={"email": str(email.pk), "error": type(error).__name__})
            marks.ended(Outcome(email, Status.FAILED, "document"))


def _send_all(server: Server, waiting: "queue.Queue[Ready | None]", marks: Marks) -> None:
    connection = Connection(server)
    fault: NotSent | None = None  # of the server itself: nothing more is tried on this connection
    while (ready := waiting.get()) is not None:
        try:
            if fault is None:
                outcome, fault = send_one(connection, ready, marks)
            else:
                outcome = _of_fault(ready.email, fault)
            if outcome:
                marks.ended(outcome)
        except Exception as error:  # noqa: BLE001 - the row keeps its lease; a thread that ends would leave its queue full
            logger.error("mail connection failed", extra={"email": str(ready.email.pk), "error": type(error).__name__})
            connection.close()
    connection.quit()


def send_one(connection: Connection, ready: Ready, marks: Marks) -> tuple[Outcome | None, NotSent | None]:
    """What became of one mail (None: it was not ours any more), and a fault of the server that the others will meet too."""
    email = ready.email
    try:
        _envelope(connection, ready)
        if not marks.may_send(email):
            connection.close()
            return None, None
        connection.data(ready.message)
    except InDoubt:
        return Outcome(email, Status.UNKNOWN, "dropped"), None
    except NotSent as fault:
        return _of_fault(email, fault), fault if fault.broken and fault.code != "greeting" else None
    return Outcome(email, Status.SENT), None


def _envelope(connection: Connection, ready: Ready) -> None:
    """Servers end connections after so many mails or so long; that is no fault, so a kept one is opened anew once."""
    kept = connection.is_open
    try:
        connection.envelope(ready.sender, ready.email.recipient)
    except NotSent as fault:
        if not (kept and fault.broken):
            raise
        connection.envelope(ready.sender, ready.email.recipient)


def _of_fault(email: ScheduledEmail, fault: NotSent) -> Outcome:
    if fault.code in {"auth", "address_refused"}:  # the studio corrects its account and releases what waits
        return Outcome(email, Status.HELD, fault.code, fault.reply)
    if fault.again:
        return Outcome(email, Status.SCHEDULED, fault.code, fault.reply, again=True)
    return Outcome(email, Status.FAILED, fault.code, fault.reply)
