"""What mails are sent to: Postfix's smtp-sink, which takes anything as fast as C can, and a relay that answers after 20 ms."""

import asyncio
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LATENCY = 0.02  # seconds before the relay answers a message


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def sink_command() -> str:
    return os.environ.get("SMTP_SINK") or shutil.which("smtp-sink") or ""


@contextmanager
def sink() -> Iterator[int]:
    port = _free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running([sink_command(), *user, f"127.0.0.1:{port}", "200"], port):
        yield port


@contextmanager
def relay() -> Iterator[int]:
    port = _free_port()
    with running([sys.executable, __file__, str(port)], port):
        yield port


class Relay(asyncio.Protocol):
    """Answers in the order it is spoken to: what is said behind a text waits with it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.waiting, self.in_message, self.taking = transport, b"", False, False
        self._say(b"220 relay\r\n")

    def _say(self, line: bytes) -> None:
        self.transport.write(line)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while not self.taking:
            piece, end, rest = self.waiting.partition(b"\r\n.\r\n" if self.in_message else b"\r\n")
            if not end:
                return
            self.waiting, word = rest, piece[:4].upper()
            if self.in_message:
                self.in_message, self.taking = False, True
                asyncio.get_running_loop().call_later(LATENCY, self._taken)
            elif word == b"EHLO":
                self._say(b"250-relay\r\n250 PIPELINING\r\n")
            elif word == b"DATA":
                self.in_message = True
                self._say(b"354 go on\r\n")
            else:
                self._say(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")

    def _taken(self) -> None:
        self.taking = False
        self._say(b"250 taken\r\n")
        self.data_received(b"")


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Relay, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    # epoll wakes on whole milliseconds, the next one: 20 would be 20.5 to 21
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    loop.run_until_complete(serve(int(sys.argv[1])))
