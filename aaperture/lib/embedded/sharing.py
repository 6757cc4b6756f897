"""One process starts the servers, others of the same clone use them."""

import atexit
import sys
import time
from pathlib import Path

from .servers import Servers, accepts
from .state import DEFAULT_FOLDER, EmbeddedServerError, State, as_state, urls


def running(folder: State | Path = DEFAULT_FOLDER) -> bool:
    """Whether both servers of a state accept connections."""
    sockets = as_state(folder).sockets
    return accepts(sockets / "pg" / ".s.PGSQL.5432") and accepts(sockets / "valkey" / "valkey.sock")


def ensure(folder: State | Path = DEFAULT_FOLDER, *, patience: float = 60) -> tuple[str, str, str]:
    """Use the running servers of a state, or start them until this process ends; returns its `urls()`."""
    state = as_state(folder)
    end = time.monotonic() + patience
    while True:
        if state.try_lock():
            servers = Servers(state)
            servers.start()
            state.join_users()
            atexit.register(_stop_when_unused, servers)
            return urls(state)
        state.join_users()  # first: it waits while those servers are being stopped
        if running(state):
            return urls(state)
        state.leave_users()
        if time.monotonic() > end:
            raise EmbeddedServerError(f"{state.holder()} holds {state.folder}, but its servers do not answer.")
        time.sleep(0.1)


def _stop_when_unused(servers: Servers) -> None:
    try:
        servers.state.wait_for_users(
            say=lambda: sys.stderr.write("Waiting for another command that uses the embedded database (Ctrl-C stops it now).\n")
        )
    except KeyboardInterrupt:
        pass
    servers.stop()
    servers.state.leave_users()
    servers.state.unlock()
