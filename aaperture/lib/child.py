"""Child processes that never outlive the one that started them (Linux)."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Have the kernel send `number` to this process when `parent` dies, by kill -9 too; leave at once if it is dead already."""
    _libc.prctl(PR_SET_PDEATHSIG, int(number))
    if os.getppid() != parent:
        os._exit(1)


def start(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    output: IO[bytes] | int,
    cwd: Path | str = "/",
    identity: int | None = None,
    on_parent_death: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, as user and group `identity` if given, with both outputs to `output`.

    The session keeps the terminal's Ctrl-C from the child: its parent stops it, in the right order.
    """
    parent = os.getpid()
    return subprocess.Popen(
        [str(part) for part in command],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=identity,
        group=identity,
        extra_groups=None if identity is None else [],
        # After the change of user, which would clear the request to the kernel.
        preexec_fn=lambda: die_with_parent(parent, on_parent_death),  # noqa: PLW1509 - there is no other way to ask the kernel; only system calls run between fork and exec
    )


def stop(process: subprocess.Popen[bytes], *, first: signal.Signals = signal.SIGTERM, patience: float = 15) -> None:
    """Ask `process` to end, wait, and kill its whole group if it does not."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
