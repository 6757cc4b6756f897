"""Other processes that work on this test's database, as a server's or Celery's would: there within milliseconds, killed for real."""

import array
import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds, until all stand at the door


class Process:
    """A process with Django set up that runs `code`; used like a `subprocess.Popen` with text pipes."""

    def __init__(self, code: str, *arguments: str, environment: Mapping[str, str] | None = None, door: tuple[int, ...] = ()) -> None:
        self.args = ["-c", *arguments]
        self.returncode: int | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        stdin, ours_in = os.pipe()
        ours_out, stdout = os.pipe()
        self._status, status = os.pipe()
        wanted = {"code": code, "arguments": arguments, "environment": {**os.environ, **(environment or {})}}
        self.pid = _fork(wanted, [stdin, stdout, self._errors.fileno(), *door, status])
        for descriptor in (stdin, stdout, status):
            os.close(descriptor)
        self.stdin, self.stdout = os.fdopen(ours_in, "w", encoding="utf-8"), os.fdopen(ours_out, encoding="utf-8")

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All it prints, on both ways, once it has ended."""
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.append(self.stdout.read()), daemon=True)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        reader.start()
        reader.join(timeout)
        self.wait(timeout)
        reader.join()
        self.stdout.close()
        return printed[0], self.errors

    @property
    def errors(self) -> str:
        """What it has written to its standard error so far."""
        return os.pread(self._errors.fileno(), os.fstat(self._errors.fileno()).st_size, 0).decode(errors="replace")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def start(code: str, *, times: int = 1, each: Sequence[Mapping[str, str]] = (), **environment: str) -> list[Process]:
    """Run `code` in `times` new processes, or in one for each environment of `each`, that begin at the same instant."""
    ready, is_ready = os.pipe()
    door, opens = os.pipe()
    try:
        environments = [environment | dict(own) for own in (each or [{}] * times)]
        started = [Process("import os, sys, time\n" + code, environment=own, door=(is_ready, door)) for own in environments]
        for _ in started:
            assert select.select([ready], [], [], PATIENCE)[0] and os.read(ready, 1), "a process did not come to the door"
        return started
    finally:
        for descriptor in (ready, is_ready, door, opens):  # whoever waits reads the end of the file
            os.close(descriptor)


def meet(where: str, who: str, *, others: int = 1, patience: float = 20) -> None:
    """Called in a process: waits until `others` have come to the folder `where` too, each by its own name, or `patience` seconds."""
    (Path(where) / who).touch()
    end = time.monotonic() + patience
    while len(list(Path(where).iterdir())) <= others and time.monotonic() < end:
        time.sleep(0.001)


def somebody_waits() -> bool:
    """Whether a session at this database waits for a lock that another one holds; those of other tests' databases do not count."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # or a transaction would see what it has seen first
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


def outputs(processes: Sequence[Process]) -> list[str]:
    """What each printed; an ending other than 0 fails the test with its errors."""
    printed = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        printed.append(out.strip())
    return printed


def _fork(wanted: Mapping[str, object], descriptors: Sequence[int]) -> int:
    control = _server()
    control.sendmsg([json.dumps(wanted).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
    pid = control.recv(32)
    assert pid, "the fork server has ended"
    return int(pid)


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "aaperture.settings"}
    server = subprocess.Popen([sys.executable, "-m", "tests.fork_server"], stdin=theirs, cwd=PROJECT, env=environment)
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait(10)

    atexit.register(end)
    return ours


def wait_for_the_dead() -> None:
    """Until PostgreSQL has noticed that killed processes are gone and has given back what they held, mostly within a millisecond."""
    from django.db import connection

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity s LEFT JOIN pg_locks l ON l.pid = s.pid AND locktype = 'advisory'"
                " WHERE datname = current_database() AND s.pid <> pg_backend_pid() AND backend_type = 'client backend'"
                " AND (xact_start IS NOT NULL OR l.pid IS NOT NULL)"
            )
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.01)
    raise TimeoutError("a killed process still holds a lock or a transaction")
