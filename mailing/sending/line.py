"""A line to a mail server: commands out, answers in, and what has left when it breaks."""

import asyncio
import socket
import ssl
from collections import deque
from typing import cast

GOING_AWAY = 421
LONGEST_LINE, MOST_LINES, MOST_ANSWERS = 4096, 100, 10
Answer = tuple[int, bytes]  # code and text; the code is 0 when it is none


class Line(asyncio.Protocol):
    """Broken or closed, it raises OSError whatever is asked of it."""

    def __init__(self, *, timeout: float) -> None:
        self.timeout = timeout  # seconds, for the next answer
        self.held_back = False  # true: part of what was written has not left
        self._transport: asyncio.WriteTransport | None = None
        self._unread = b""
        self._texts: list[bytes] = []  # of an answer that has further lines
        self._answers: deque[Answer] = deque()
        self._waiting: tuple[int, asyncio.Future[None]] | None = None  # for so many answers

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def ask(self, octets: bytes, *, answers: int = 1) -> list[Answer]:
        """Say it and wait for so many answers, fewer only when the server goes away."""
        self.write(octets)
        return await self.answers(answers)

    def write(self, octets: bytes) -> None:
        """Raises OSError when nothing of it has left. An answer that nobody asked for ends the understanding, too."""
        if self._transport is None or self._transport.is_closing() or self._answers or self._unread:
            raise ConnectionError
        self._transport.write(octets)
        if self._transport.is_closing():
            raise ConnectionError

    async def answers(self, count: int) -> list[Answer]:
        if self._transport is None and not self._answers:
            raise ConnectionError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        late = loop.call_later(self.timeout, _fail, future, TimeoutError)
        self._waiting = count, future
        self._wake()
        try:
            await future
        finally:
            late.cancel()
            self._waiting = None
        return [self._answers.popleft() for _ in range(min(count, len(self._answers)))]

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """From here on. What was said in clear beside the answer to STARTTLS would be taken for what comes encrypted."""
        if self._transport is None or self._answers or self._unread:
            raise ConnectionError
        plain = cast("asyncio.Transport", self._transport)
        encrypted = await asyncio.get_running_loop().start_tls(plain, self, context, server_hostname=host)
        if encrypted is None:
            raise ConnectionError
        self.connection_made(encrypted)

    def acknowledge(self) -> None:
        """What has come, now. A server may hold back its next small piece until then, and the kernel takes 40 ms over it."""
        if self._transport and hasattr(socket, "TCP_QUICKACK"):  # Linux
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def close(self) -> None:
        if self._transport:
            self._transport.abort()
        self._transport = None

    def _wake(self) -> None:
        if self._waiting and self._answers:
            count, future = self._waiting
            if (len(self._answers) >= count or self._answers[-1][0] == GOING_AWAY) and not future.done():
                future.set_result(None)

    # --- what asyncio calls ----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also of the one that encrypts it."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(1, 0)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._waiting:
            _fail(self._waiting[1], ConnectionResetError)

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._texts.append(line[4:].strip())
            if line[3:4] != b"-":
                self._answers.append((int(line[:3]) if line[:3].isdigit() else 0, b"\n".join(self._texts)))
                self._texts = []
        if len(self._unread) > LONGEST_LINE or len(self._texts) > MOST_LINES or len(self._answers) > MOST_ANSWERS:
            self.close()
            self.connection_lost(None)
        self._wake()

    def pause_writing(self) -> None:
        self.held_back = True

    def resume_writing(self) -> None:
        self.held_back = False


def _fail(future: "asyncio.Future[None]", error: type[OSError]) -> None:
    if not future.done():
        future.set_exception(error())
