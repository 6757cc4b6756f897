"""Hands over what is due: mails claimed and prepared one after the other here, sent on several connections side by side."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.db import connection as database

from aaperture.lib.uuid7 import uuid7
from mailing.mime import MailRefused, as_bytes
from mailing.models import ScheduledEmail
from mailing.sending.claims import claim_due, give_back, give_up_left_behind
from mailing.sending.marks import Marks, Outcome
from mailing.sending.preparing import CannotPrepare, NotNeeded, Preparation, load
from mailing.sending.smtp import Connection, Envelope, InDoubt, NotSent, Server

logger = logging.getLogger(__name__)
CONNECTIONS = 16  # to the instance's server
OWN_CONNECTIONS = 2  # to a studio's own
READY = 64  # prepared mails that wait for a connection
OWN_READY = 16
OVERTIME = 15.0  # seconds after a run for what waits for a connection; what then still waits is given back
OWN_WAIT = 5.0  # seconds that all wait for a studio's own server to have room; then its mails wait until nobody else's are due
Status = ScheduledEmail.Status


class Ready(NamedTuple):
    email: ScheduledEmail
    sender: str
    message: bytes

    @property
    def envelope(self) -> Envelope:
        return self.sender, self.email.recipient

    def __repr__(self) -> str:
        return f"<Ready {self.email.pk}>"


def send_due(*, seconds: float = 45.0) -> dict[str, int]:
    """Send until nothing is due, or for about so many seconds; how many got which status."""
    give_up_left_behind()
    claim, end = uuid7(), time.monotonic() + seconds
    left: list[UUID] = []  # for later: there is no time, or their studio's server is slow
    with Marks(claim) as marks, Post(marks, end + OVERTIME) as post:
        while time.monotonic() < end and not marks.failure and ((ids := claim_due(claim)) or left):
            if not ids:
                give_back(claim, left)
                left.clear()
                post.wait_again()
                continue
            preparation = Preparation(load(ids))
            for email in preparation.emails:
                if time.monotonic() > end or marks.failure:
                    left.append(email.pk)
                    continue
                try:
                    if ready := _prepared(email, preparation, marks, post):
                        post.put(preparation.sender_of(email).server, ready)
                except NoRoom:
                    left.append(email.pk)
        give_back(claim, left)  # before the slowest servers have answered
    give_back(claim, post.left)
    if marks.failure:
        raise marks.failure
    return marks.counts


def _prepared(email: ScheduledEmail, preparation: Preparation, marks: Marks, post: "Post") -> Ready | None:
    """None when it will not go out, which is marked. Raises NoRoom."""
    try:
        sender = preparation.sender_of(email)
        post.wait_for_room(sender.server)
        return Ready(email, sender.address.email, as_bytes(preparation.mail(email)))
    except NoRoom:
        raise
    except NotNeeded:
        marks.ended(Outcome(email, Status.SKIPPED))
    except CannotPrepare as fault:
        marks.ended(Outcome(email, Status.SCHEDULED if fault.again else Status.FAILED, fault.code, again=fault.again))
    except MailRefused:
        marks.ended(Outcome(email, Status.FAILED, "unwritable"))
    except (OperationalError, InterfaceError):  # of our database, not of this mail
        database.close_if_unusable_or_obsolete()
        marks.ended(Outcome(email, Status.SCHEDULED, again=True))
    except Exception as error:  # noqa: BLE001 - one mail that meets a fault of ours must not hold up the others
        logger.error("mail not prepared", extra={"email": str(email.pk), "error": type(error).__name__})
        marks.ended(Outcome(email, Status.FAILED, "document"))
    return None


class NoRoom(Exception):
    """Too many wait for a studio's own server, and have for long."""


class Post:
    """Context manager: an event loop, in a thread of its own, and in it the connections of one run.

    Once it is left, all has been tried that was put, or is in `left` because a server was too slow.
    """

    def __init__(self, marks: Marks, end: float) -> None:
        self._marks, self._end_of_time = marks, end
        self.left: list[UUID] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail-post")
        self._rooms: dict[Server, threading.Semaphore] = {}
        self._waits: dict[Server, float] = {}  # seconds left
        self._counters: dict[Server, Counter] = {}

    def __enter__(self) -> "Post":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait_for_room(self, server: Server) -> None:
        """While too many wait for this server. Raises NoRoom: a studio's own may be slow without holding up the others."""
        room = self._rooms.setdefault(server, threading.Semaphore(OWN_READY if server.own else READY))
        begun, wait = time.monotonic(), self._waits.get(server, OWN_WAIT) if server.own else None
        if not room.acquire(timeout=wait):
            self._waits[server] = 0.0
            raise NoRoom
        room.release()  # until it is put there
        if wait is not None:
            self._waits[server] = max(0.0, wait - (time.monotonic() - begun))

    def wait_again(self) -> None:
        self._waits.clear()

    def put(self, server: Server, ready: Ready) -> None:
        self._rooms[server].acquire()
        self._loop.call_soon_threadsafe(self._take, server, ready)

    def _take(self, server: Server, ready: Ready) -> None:
        if server not in self._counters:
            self._counters[server] = Counter(server, self._marks, self._rooms[server], self._end_of_time, self.left)
        self._counters[server].put(ready)

    async def _end(self) -> None:
        await asyncio.gather(*(counter.end() for counter in self._counters.values()))
        await self._loop.shutdown_default_executor()


class Counter:
    """Where mails wait for a server's connections: one more for every four mails, kept until the end of the run."""

    def __init__(self, server: Server, marks: Marks, room: threading.Semaphore, end: float, left: list[UUID]) -> None:
        self.server = server
        self._marks, self._room, self._end_of_time, self._left = marks, room, end, left
        self._most = OWN_CONNECTIONS if server.own else CONNECTIONS
        self._waiting: asyncio.Queue[Ready | None] = asyncio.Queue()
        self._connections: list[asyncio.Task[None]] = []
        self._put = 0
        self._sound = 0  # connections without a fault

    def put(self, ready: Ready) -> None:
        if len(self._connections) < min(self._most, self._put // 4 + 1):
            self._sound += 1
            self._connections.append(asyncio.create_task(self._send_all()))
        self._put += 1
        self._waiting.put_nowait(ready)

    async def end(self) -> None:
        self._waiting.put_nowait(None)
        await asyncio.gather(*self._connections)

    async def _send_all(self) -> None:
        connection = Connection(self.server)
        fault: NotSent | None = None  # of the server itself: nothing more is tried on this connection
        met: NotSent | None = None  # by the mail before
        following: Ready | None = None

        def take_following() -> Ready | None:
            nonlocal following
            following = self._at_hand()
            return following

        while (ready := following or await self._next()) is not None:
            following = None
            if time.monotonic() > self._end_of_time:
                connection.close()  # which may wait for its text
                self._left.append(ready.email.pk)
                continue
            try:
                if fault is None:
                    before = met
                    outcome, met = await send_one(connection, ready, self._marks, take_following)
                    if met and (met.lasting or (met.late and before and before.late)):  # one mail may wait for reasons of its own
                        fault = met
                else:
                    outcome = _of_fault(ready.email, fault)
                if outcome:
                    self._marks.ended(outcome)
            except Exception as error:  # noqa: BLE001 - the row keeps its lease; a connection that ends would leave its mails
                logger.error("mail connection failed", extra={"email": str(ready.email.pk), "error": type(error).__name__})
                connection.close()
            if fault and not following and self._sound > 1:  # others go on; the last one stays, and the fault meets all that come
                self._sound -= 1
                return
        await connection.quit()

    async def _next(self) -> Ready | None:
        """None at the end."""
        return self._taken(await self._waiting.get())

    def _at_hand(self) -> Ready | None:
        """The next mail, when it waits already."""
        return None if self._waiting.empty() else self._taken(self._waiting.get_nowait())

    def _taken(self, ready: Ready | None) -> Ready | None:
        if ready is None:
            self._waiting.put_nowait(None)  # for the other connections
        else:
            self._room.release()
        return ready


async def send_one(
    connection: Connection, ready: Ready, marks: Marks, take_following: Callable[[], Ready | None] = lambda: None
) -> tuple[Outcome | None, NotSent | None]:
    """What became of one mail (None: it was not ours any more), and what hindered it when that was not an answer.

    `take_following` says which mail is next on this connection: its envelope goes with this one's text.
    """
    email, begun = ready.email, False
    try:
        await _envelope(connection, ready)
        if not await marks.may_send(email):
            connection.close()  # which waits for the text
            return None, None
        begun, following = True, take_following()
        await connection.text(ready.message, following=following.envelope if following else None)
    except InDoubt as doubt:
        return Outcome(email, Status.UNKNOWN, "dropped", begun=True), NotSent("connect", again=True, broken=True, late=doubt.late)
    except NotSent as fault:
        return _of_fault(email, fault, begun=begun), fault if fault.broken else None
    return Outcome(email, Status.SENT), None


async def _envelope(connection: Connection, ready: Ready) -> None:
    """Servers end connections after so many mails or so long; that is no fault, so a kept one is opened anew once."""
    kept = connection.is_open
    try:
        await connection.envelope(*ready.envelope)
    except NotSent as fault:
        if not (kept and fault.broken):
            raise
        await connection.envelope(*ready.envelope)


def _of_fault(email: ScheduledEmail, fault: NotSent, *, begun: bool = False) -> Outcome:
    if fault.code in {"auth", "address_refused"}:  # the studio corrects its account and releases what waits
        return Outcome(email, Status.HELD, fault.code, fault.reply)
    if fault.again:
        return Outcome(email, Status.SCHEDULED, fault.code, fault.reply, again=True, begun=begun)
    return Outcome(email, Status.FAILED, fault.code, fault.reply, begun=begun)
