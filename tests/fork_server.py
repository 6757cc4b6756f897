"""A process that has set Django up and forks for every test that wants another one: a second of work less each time.

What it forks is a process like any other, with an environment, connections and an end of its own. tests/processes.py
runs it with a socket for its standard input. A request is JSON and descriptors: what shall be standard input, output
and error; where to tell that it is ready, and the door to wait at, if there is one; where to tell how it ended.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import Any

MOST = 1 << 18


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    data, rest, _flags, _address = control.recvmsg(MOST, socket.CMSG_SPACE(6 * array.array("i").itemsize))
    descriptors = array.array("i")
    for _level, _kind, sent in rest:
        descriptors.frombytes(sent)
    return (json.loads(data) if data else {}), list(descriptors)


def reap(told: dict[int, int]) -> None:
    """Tell how those ended that did."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            where = told.pop(ended[0])
            with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(where, str(os.waitstatus_to_exitcode(ended[1])).encode())
            os.close(where)


def serve(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Returns in each forked process, with what it is to do; here only when the tests have ended."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    told: dict[int, int] = {}  # of each living one: where to tell how it ended
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            reap(told)
        if control not in ready:
            continue
        wanted, descriptors = receive(control)
        if not wanted:
            return None
        if pid := os.fork():
            told[pid] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            control.send(str(pid).encode())
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for descriptor in (descriptors.pop(), *told.values(), woken, wake):
            os.close(descriptor)
        return wanted, descriptors


def settle(environment: dict[str, str], descriptors: list[int]) -> None:
    """Take on an environment and the settings that follow from it; then wait at the door, where there is one."""
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
        os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        number = getattr(sys, name).fileno()
        setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    module = importlib.reload(sys.modules["aaperture.settings"])
    from django.conf import settings

    for name in filter(str.isupper, dir(module)):  # into the same object: packages have added defaults of theirs
        setattr(settings, name, getattr(module, name))
    if door := descriptors[3:]:
        os.write(door[0], b".")
        os.close(door[0])
        os.read(door[1], 1)
        os.close(door[1])


if __name__ == "__main__":
    import django

    django.setup()
    from django.urls import get_resolver

    _ = get_resolver().url_patterns  # loads every view
    gc.collect()
    gc.freeze()
    if work := serve(socket.socket(fileno=os.dup(0))):
        settle(work[0]["environment"], work[1])
        sys.argv = ["-c", *work[0]["arguments"]]
        exec(compile(work[0]["code"], "<a process of a test>", "exec"), {"__name__": "__main__"})
