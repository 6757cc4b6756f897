"""Fetching many messages at once and handing them over in order, while the pages before are being stored."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import datetime
from threading import Thread
from typing import TypeVar

from integrations.connectors import MailConnector
from integrations.errors import AccessWithdrawn, ProviderError, Refused, Unauthorized, Unreadable
from integrations.items import KeptItem
from integrations.steps import Dropped, Transform

PAGE = 50
AHEAD = 2 * PAGE
PULSE = 1.0

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Fetched:
    """What became of one message: its body is gone already. Without a result, `fault` says why."""

    id: str
    result: KeptItem | Dropped | None = None
    received_at: datetime | None = None
    fault: ProviderError | None = None
    used_token: str = ""

    def __repr__(self) -> str:
        return f"<Fetched {self.id}>"


class Enough(Exception):
    """Raised by `pulse` to end the waiting: what has arrived so far is handed over."""


class Fetcher:
    """Threads fetch, and transform, which may ask another service; the engine's thread waits for them.

    Only the engine's thread owns a database connection.

    `renew(refused)` is called in the engine's thread when a token was refused; `pulse()` about once a second
    while waiting, and may raise Enough.
    """

    def __init__(self, connector: MailConnector, transform: Transform, *, renew: Callable[[str], None], pulse: Callable[[], None]) -> None:
        self.connector, self.transform, self.renew, self.pulse = connector, transform, renew, pulse
        self._pool = ThreadPoolExecutor(max_workers=connector.parallel, thread_name_prefix="fetch")

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """One call other than a fetch, its token renewed once if need be; raises what the connector raises."""
        used = self.connector.token.value
        try:
            return self._wait(self._pool.submit(call))
        except Unauthorized:
            self.renew(used)
            return self._wait(self._pool.submit(call))

    def pages(self, ids: list[str]) -> Iterator[list[Fetched]]:
        """Lists of at most `PAGE` results, in the order of `ids`; never more than `AHEAD` messages in memory."""
        waiting: deque[tuple[str, Future[Fetched]]] = deque()
        left = iter(ids)
        page: list[Fetched] = []
        while True:
            while len(waiting) < AHEAD and (message_id := next(left, None)) is not None:
                waiting.append((message_id, self._submit(message_id)))
            if not waiting:
                break
            try:
                page.append(self._receive(*waiting.popleft()))
            except Enough:
                break
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page

    def close(self) -> None:
        """Give up what is under way, and do not wait for it: the threads hold no row and end with their call.

        Their connections are closed after that, by a thread of its own: one that is still read from must not be.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        Thread(target=self._clear_away, name="clear-away", daemon=True).start()

    def _clear_away(self) -> None:
        self._pool.shutdown(wait=True)
        self.connector.close()

    def _submit(self, message_id: str) -> Future[Fetched]:
        return self._pool.submit(self._fetch, message_id)

    def _receive(self, message_id: str, future: "Future[Fetched]") -> Fetched:
        fetched = self._wait(future)
        for _attempt in range(2):
            if not isinstance(fetched.fault, Unauthorized):
                break
            if fetched.used_token == self.connector.token.value:
                self.renew(fetched.used_token)
            fetched = self._wait(self._submit(message_id))
        if isinstance(fetched.fault, Unauthorized):
            raise AccessWithdrawn
        if isinstance(fetched.fault, (AccessWithdrawn, Refused)):
            raise fetched.fault
        return fetched

    def _wait(self, future: "Future[Answer]") -> Answer:
        while True:
            try:
                return future.result(timeout=PULSE)
            except NotYet:
                self.pulse()

    def _fetch(self, message_id: str) -> Fetched:
        used = self.connector.token.value
        try:
            item = self.connector.fetch(message_id)
        except ProviderError as fault:
            return Fetched(message_id, fault=fault, used_token=used)
        try:
            return Fetched(message_id, self.transform(item), item.received_at)
        except Exception as error:  # noqa: BLE001 - a mail the classifier stumbles over must not end the run
            return Fetched(message_id, received_at=item.received_at, fault=Unreadable(detail=type(error).__name__))
