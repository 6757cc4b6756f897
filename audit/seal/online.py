"""Hashing what stands in the table, in groups of seals, by several connections at once and in flat memory."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from hashlib import sha256
from types import TracebackType
from typing import Any, NamedTuple, Self

import psycopg
from django.db import connection

from audit.seal import rows
from audit.seal.chain import Seal
from audit.seal.rows import Mark

GROUP_ROWS, GROUP_SEALS = 20_000, 1_000
TOGETHER = 16  # lines that one call hashes: above 2 KiB hashlib does it beside the other threads
WORKERS = max(2, min(4, os.cpu_count() or 2))


class Place(NamedTuple):
    """A seal, and where its rows begin."""

    seal: Seal
    after: Mark


def connect() -> psycopg.Connection[Any]:
    """A connection of its own, beside Django's, to the same database."""
    parameters = connection.get_connection_params()
    parameters.pop("pool", None)
    return psycopg.connect(**{**parameters, "autocommit": True})


def fits(connection: psycopg.Connection[Any], places: list[Place]) -> bool:
    """Whether the rows of these seals, which follow on each other, are to the byte what was sealed."""
    statement = rows.query(places[0].after, places[-1].seal.last)
    fit = True
    with connection.transaction():
        connection.execute(rows.SESSION)
        with rows.copying(connection, statement) as pgconn:
            get, length = pgconn.get_copy_data, 1
            for place in places:
                digest, left = sha256(), place.seal.count
                while left and length > 0:
                    lines = []
                    for _ in range(min(left, TOGETHER)):
                        length, line = get(0)
                        if length <= 0:
                            break
                        lines.append(line)
                    digest.update(b"".join(lines))
                    left -= len(lines)
                fit = fit and length > 0 and digest.digest() == place.seal.rows_hash
                if length <= 0:
                    return False
            while length > 0:
                length, line = get(0)
                fit = fit and length <= 0
    return fit


class Hasher:
    """Takes seals in their order, and notes those whose rows do not fit."""

    def __init__(self, progress: Callable[[int], None]) -> None:
        self.progress = progress
        self.group: list[Place] = []
        self.rows = 0
        self.bad: list[Place] = []
        self._local = threading.local()
        self._connections: list[psycopg.Connection[Any]] = []
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="hashing", initializer=self._start)
        self._running: set[Future[list[Place]]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)
        for one in self._connections:
            one.close()

    def _start(self) -> None:
        self._local.connection = connect()
        self._connections.append(self._local.connection)

    def add(self, place: Place) -> None:
        if self.group and place.after != self.group[-1].seal.last:
            self.flush()
        self.group.append(place)
        self.rows += place.seal.count
        if self.rows >= GROUP_ROWS or len(self.group) >= GROUP_SEALS:
            self.flush()

    def flush(self) -> None:
        if self.group:
            if len(self._running) >= 2 * WORKERS:
                self._collect(*wait(self._running, return_when=FIRST_COMPLETED))
            self._running.add(self._pool.submit(self._check, self.group))
            self.group, self.rows = [], 0

    def finish(self) -> list[Place]:
        """The seals whose rows do not fit, in order."""
        self.flush()
        self._collect(*wait(self._running))
        return sorted(self.bad, key=lambda place: place.seal.number)

    def _collect(self, done: set[Future[list[Place]]], running: set[Future[list[Place]]]) -> None:
        for future in done:
            self.bad += future.result()
        self._running = set(running)

    def _check(self, group: list[Place]) -> list[Place]:
        connection = self._local.connection
        bad = [] if fits(connection, group) else [place for place in group if not fits(connection, [place])]
        self.progress(sum(place.seal.count for place in group))
        return bad
