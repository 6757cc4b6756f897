"""A line to a mail server: commands out, answers in, and what has left when it breaks."""

import asyncio
import socket
import ssl
from collections import deque
from functools import partial
from typing import cast

GOING_AWAY = 421
LONGEST_LINE, MOST_LINES, MOST_ANSWERS = 4096, 100, 10
AT_ONCE = 16384  # octets that the kernel takes at once from whoever owes it nothing
LAST = 5  # octets: the line that ends a text, and the line end before it
PATIENCE = 10  # times `timeout`, for what leaves slowly
Answer = tuple[int, bytes]  # code and text; the code is 0 when it is none


class Line(asyncio.Protocol):
    """Broken or closed, it raises OSError whatever is asked of it."""

    def __init__(self, *, timeout: float) -> None:
        self.timeout = timeout  # seconds, for the next answer
        self.held_back = False  # true: part of what was written has not left
        self._transport: asyncio.WriteTransport | None = None
        self._transports: list[asyncio.WriteTransport] = []  # that one, and below it the one that it encrypts
        self._unread = b""
        self._texts: list[bytes] = []  # of an answer that has further lines
        self._answers: deque[Answer] = deque()
        self._waiting: tuple[int, asyncio.Future[None]] | None = None  # for so many answers
        self._timer: asyncio.TimerHandle

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    async def ask(self, octets: bytes, *, answers: int = 1) -> list[Answer]:
        """Say it and wait for so many answers, fewer only when the server says that it goes away, or goes."""
        self.write(octets)
        return await self.answers(answers)

    def write(self, octets: bytes) -> None:
        """Raises OSError when nothing of it has left. An answer that nobody asked for ends the understanding, too."""
        if self._transport is None or self._transport.is_closing() or self._answers or self._unread or self._texts:
            raise ConnectionError
        if len(octets) > AT_ONCE:  # its end apart: what is encrypted learns of what waits below it only when more is written
            self._transport.write(octets[:-LAST])
            octets = octets[-LAST:]
        self._transport.write(octets)
        if self._transport.is_closing():
            raise ConnectionError

    async def answers(self, count: int) -> list[Answer]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = count, future
        self._wake()
        self._give_time(future)
        try:
            await future
        finally:
            self._timer.cancel()
            self._waiting = None
        return [self._answers.popleft() for _ in range(min(count, len(self._answers)))]

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """From here on. What was said in clear before would be taken for what comes encrypted."""
        if self._answers or self._unread or self._texts:
            raise ssl.SSLError
        if self._transport is None:
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
        if not self._waiting:
            return
        count, future = self._waiting
        ended = self._transport is None or any(code == GOING_AWAY for code, _text in self._answers)
        if future.done() or (len(self._answers) < count and not ended):
            return
        if self._answers:
            future.set_result(None)
        else:
            future.set_exception(ConnectionResetError())

    def _give_time(self, future: "asyncio.Future[None]", *, unsent: int | None = None, times: int = PATIENCE) -> None:
        """For the next answer, and anew as long as what was written is leaving."""
        still = sum(transport.get_write_buffer_size() for transport in self._transports)
        if unsent is None or (still < unsent and times):
            again = partial(self._give_time, future, unsent=still, times=times - 1)
            self._timer = asyncio.get_running_loop().call_later(self.timeout, again)
        elif not future.done():
            future.set_exception(TimeoutError())

    # --- what asyncio calls ----------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also of the one that encrypts it."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transports.append(self._transport)
        self._transport.set_write_buffer_limits(1, 0)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._wake()

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._texts.append(line[4:].strip())
            if line[3:4] != b"-":
                self._answers.append((int(line[:3]) if line[:3].isdigit() else 0, b"\n".join(self._texts)))
                self._texts = []
        if len(self._unread) > LONGEST_LINE or len(self._texts) > MOST_LINES or len(self._answers) > MOST_ANSWERS:
            self.close()
        self._wake()

    def pause_writing(self) -> None:
        self.held_back = True

    def resume_writing(self) -> None:
        self.held_back = False
