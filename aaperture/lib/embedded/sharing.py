"""One process starts the servers, others of the same clone use them."""

import atexit
import contextlib
import sys
import time
from pathlib import Path

from .servers import Servers, accepts
from .state import DEFAULT_FOLDER, EmbeddedServerError, State, as_state, urls


def running(folder: State | Path = DEFAULT_FOLDER, *, postgres: bool = True, valkey: bool = True) -> bool:
    """Whether the servers of a state (those asked for) accept connections."""
    sockets = as_state(folder).sockets
    return (not postgres or accepts(sockets / "pg" / ".s.PGSQL.5432")) and (not valkey or accepts(sockets / "valkey" / "valkey.sock"))


def ensure(
    folder: State | Path = DEFAULT_FOLDER, *, postgres: bool = True, valkey: bool = True, patience: float = 60
) -> tuple[str, str, str]:
    """Use the running servers of a state, or start the wanted ones until this process ends; returns its `urls()`."""
    state = as_state(folder)
    end = time.monotonic() + patience
    while True:
        if state.try_lock():
            servers = Servers(state, postgres=postgres, valkey=valkey)
            servers.start()
            state.join_users()
            atexit.register(_stop_when_unused, servers)
            return urls(state)
        state.join_users()  # first: it waits while those servers are being stopped
        if running(state, postgres=postgres, valkey=valkey):
            return urls(state)
        state.leave_users()
        if time.monotonic() > end:
            raise EmbeddedServerError(f"{state.holder()} holds {state.folder}, but its servers do not answer.")
        time.sleep(0.1)


def _stop_when_unused(servers: Servers) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        servers.state.wait_for_users(
            say=lambda: sys.stderr.write("Waiting for another command that uses the embedded database (Ctrl-C stops it now).\n")
        )
    servers.stop()
    servers.state.leave_users()
    servers.state.unlock()
