"""As many requests as a server answers: kept connections, one thread each, nothing parsed but the length of the answer."""

import re
import socket
import statistics
import sys
import threading
import time
from typing import NamedTuple

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Load(NamedTuple):
    per_second: float
    median_ms: float
    worst_ms: float  # of 99 in a hundred


def load(port: int, path: str, cookie: str, *, seconds: float, connections: int) -> Load:
    """Ask `path` again and again. Raises SystemExit at an answer other than 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nAccept: text/html\r\n\r\n".encode()
    taken: list[float] = []
    wrong: list[bytes] = []
    end = time.perf_counter() + seconds

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (before := time.perf_counter()) < end and not wrong:
                connection.sendall(request)
                status = answer(connection)
                if status != b"200":
                    wrong.append(status)
                taken.append(time.perf_counter() - before)

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(f"{path} answered {wrong[0].decode()}")
    took = time.perf_counter() - began
    return Load(len(taken) / took, statistics.median(taken) * 1000, sorted(taken)[int(len(taken) * 0.99)] * 1000)


def answer(connection: socket.socket) -> bytes:
    """The status of one answer, read to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or sys.exit("the server hung up")
    head, _, body = data.partition(b"\r\n\r\n")
    found = LENGTH.search(head)
    left = (int(found[1]) if found else 0) - len(body)
    while left > 0:
        left -= len(connection.recv(65536) or sys.exit("the server hung up"))
    return head[9:12]
