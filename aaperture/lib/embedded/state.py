"""What a set of embedded servers is known by: its folder, its secrets, its sockets and its lock."""

import fcntl
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from aaperture.lib.local_secrets import STATE

DATABASE, OWNER, APPLICATION, SUPERUSER = "aaperture", "aaperture_owner", "aaperture_app", "postgres"

# Not `tempfile.gettempdir()`: every process must find the same sockets whatever its TMPDIR, and a path has 107 bytes.
# The folder made below it is ours alone, and checked.
SOCKETS = Path("/tmp")  # nosec B108 - folders of one's own are made there, 0700: a socket's path must be short

DEFAULT_FOLDER = STATE


class EmbeddedServerError(Exception):
    """The embedded servers cannot be used; the text says why and what to do."""


class State:
    """The state folder `folder`; with `fast`, a cluster that may be lost in a power cut (tests)."""

    def __init__(self, folder: Path, *, fast: bool = False) -> None:
        self.folder = folder.resolve()
        self.fast = fast
        self._running: IO[str] | None = None
        self._using: IO[str] | None = None

    @property
    def key(self) -> str:
        """Names this state wherever something of it lies outside its folder."""
        return hashlib.sha256(f"{self.folder}:{os.geteuid()}".encode()).hexdigest()[:12]

    @property
    def sockets(self) -> Path:
        return SOCKETS / f"aap-{self.key}"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def prepare(self) -> None:
        """Make the private folders; raises EmbeddedServerError when somebody else's stand in their place."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def prepare_sockets(self) -> None:
        try:
            self.sockets.mkdir(mode=0o700)
        except FileExistsError:
            found = self.sockets.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o027:
                raise EmbeddedServerError(f"{self.sockets} belongs to somebody else; remove it and start again.") from None

    def passwords(self) -> dict[str, str]:
        """The generated passwords, made once and readable by this user only."""
        path = self.folder / "passwords.json"
        if not path.exists():
            self.prepare()
            generated = {name: secrets.token_urlsafe(24) for name in ("superuser", "owner", "application", "cluster")}
            draft = path.with_name(f"passwords.{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(generated, file, indent=1)
            try:
                os.link(draft, path)  # never over a file that another process made in the meantime
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return dict(json.loads(path.read_text()))

    def try_lock(self) -> bool:
        """Take the right to run the servers; the kernel gives it back when this process ends, however it ends."""
        self.prepare()
        lock = (self.folder / "servers.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        lock.truncate(0)
        lock.write(f"{os.getpid()} {' '.join(sys.argv[:3])}")
        lock.flush()
        self._running = lock
        return True

    def unlock(self) -> None:
        if self._running:
            self._running.close()
            self._running = None

    def holder(self) -> str:
        """The process that runs the servers, in words."""
        try:
            pid, _, command = (self.folder / "servers.lock").read_text().partition(" ")
        except OSError:
            return "another process"
        return f"process {pid} ({command})" if pid else "another process"

    def join_users(self) -> None:
        """Say that this process uses the servers, so that whoever started them for one command waits for it."""
        self._using = (self.folder / "users.lock").open("a+")
        fcntl.flock(self._using, fcntl.LOCK_SH)

    def leave_users(self) -> None:
        if self._using:
            self._using.close()
            self._using = None

    def wait_for_users(self, *, say: Callable[[], object]) -> None:
        """Return once no other process uses the servers, keeping new ones out; calls `say` if it has to wait."""
        self.leave_users()
        self._using = (self.folder / "users.lock").open("a+")
        try:
            fcntl.flock(self._using, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say()
            fcntl.flock(self._using, fcntl.LOCK_EX)


def urls(folder: State | Path = DEFAULT_FOLDER, *, database: str = DATABASE, cache: int = 0) -> tuple[str, str, str]:
    """The addresses (DATABASE_URL, MIGRATION_DATABASE_URL, REDIS_URL) of a state, whether it runs or not."""
    state = as_state(folder)
    passwords = state.passwords()
    host = state.sockets / "pg"
    return (
        f"postgresql://{APPLICATION}:{passwords['application']}@/{database}?host={host}",
        f"postgresql://{OWNER}:{passwords['owner']}@/{database}?host={host}",
        f"unix://{state.sockets}/valkey/valkey.sock?db={cache}",
    )


def as_state(folder: State | Path) -> State:
    return folder if isinstance(folder, State) else State(folder)
