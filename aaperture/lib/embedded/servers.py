"""Starts and stops the two servers as children of this process."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from aaperture.lib import child

from . import place
from .state import APPLICATION, DATABASE, OWNER, SUPERUSER, EmbeddedServerError, State

LOG_SIZE, LOGS_KEPT = 2_000_000, 3
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
# A failing statement is logged without its text and values: rows hold personal data, and logs outlive them.
DISCREET = {"log_min_error_statement": "panic", "log_error_verbosity": "terse", "log_parameter_max_length_on_error": "0"}
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
}


class Servers:
    """The embedded servers of one state, or one of them; the caller holds the state's lock."""

    def __init__(self, state: State, *, postgres: bool = True, valkey: bool = True) -> None:
        self.state = state
        self.wanted = {"valkey": valkey, "postgres": postgres}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start them and return when they answer; raises EmbeddedServerError, with the log's end, when one does not."""
        self.state.prepare()
        if not any(self.wanted.values()):
            return
        self.state.prepare_sockets()
        self.place = place.find(self.state)
        for name in ("pg", "valkey"):
            self._give(self.state.sockets / name)
        if self.place.identity is not None:
            os.chown(self.state.sockets, 0, self.place.identity)
            self.state.sockets.chmod(0o710)
        try:
            if self.wanted["valkey"]:
                self._start_valkey()
            if self.wanted["postgres"]:
                self._start_postgres()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop Valkey, then PostgreSQL (a fast shutdown: it does not wait for clients)."""
        for name, number in (("valkey", signal.SIGTERM), ("postgres", signal.SIGINT)):
            if name in self.processes:
                child.stop(self.processes[name], first=number)
        self.processes.clear()
        shutil.rmtree(self.state.sockets, ignore_errors=True)

    def check(self) -> None:
        """Raise EmbeddedServerError if a server has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise EmbeddedServerError(f"{name} ended with status {process.returncode}. The end of its log:\n{self._tail(name)}")

    def _start_valkey(self) -> None:
        folder = self.state.sockets / "valkey"
        path = folder / "valkey.sock"
        options: dict[str, str | Path] = {
            "port": "0",
            "unixsocket": path,
            "unixsocketperm": "700",
            "dir": folder,
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "databases": "64",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "notice",
        }
        command: list[str | Path] = [self.place.valkey]
        for name, value in options.items():
            command += [f"--{name}", value]
        self._spawn("valkey", command)
        self._wait_for("valkey", lambda: accepts(path))

    def _start_postgres(self) -> None:
        data = self.place.cluster
        self._recover(data)
        if not (data / "PG_VERSION").exists():
            self._make_cluster(data)
        options = {"listen_addresses": "", "unix_socket_permissions": "0700", "timezone": "UTC", "log_timezone": "UTC", **DISCREET}
        if self.state.fast:
            options |= FAST
        command: list[str | Path] = [self.place.postgres / "postgres", "-D", data, "-k", self.state.sockets / "pg"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._spawn("postgres", command, on_parent_death=signal.SIGINT)
        self._wait_for("postgres", self._connects)
        self._make_roles()

    def _recover(self, data: Path) -> None:
        """After a kill -9: wait for the last of the old server to go, then drop the pid file that it left.

        PostgreSQL would refuse to start if another process had been given that number since.
        """
        stale = data / "postmaster.pid"
        end = time.monotonic() + 20
        while stale.exists() and _someone_works_in(data):
            if time.monotonic() > end:
                raise EmbeddedServerError(f"A PostgreSQL server still uses {data}; stop process {stale.read_text().split()[0]}.")
            time.sleep(0.1)
        stale.unlink(missing_ok=True)

    def _make_cluster(self, data: Path) -> None:
        """Run initdb beside the final place, so that a half-made cluster is never taken for one."""
        if data.exists() and any(data.iterdir()):
            raise EmbeddedServerError(f"{data} is not a complete cluster; remove it and start again.")
        draft = data.with_name("pg18.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = self.state.sockets / "pg" / "password"
        password.touch(mode=0o600)
        password.write_text(self.state.passwords()["superuser"])
        drop: dict[str, Any] = {}
        if self.place.identity is not None:
            drop = {"user": place.passing_user(), "group": self.place.identity, "extra_groups": []}
            for path in (draft, password, password.parent):
                os.chown(path, place.passing_user(), self.place.identity)
        command: list[str | Path] = [
            self.place.postgres / "initdb",
            "-D",
            draft,
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--auth=scram-sha-256",
        ]
        command += [*LOCALE, "--no-instructions", *(["--no-sync"] if self.state.fast else [])]
        try:
            done = subprocess.run(command, env=_environment(), cwd="/", capture_output=True, text=True, check=False, **drop)
        finally:
            password.unlink()
            self._give(password.parent)
        if done.returncode:
            raise EmbeddedServerError(f"initdb failed:\n{done.stdout}{done.stderr}")
        if self.place.identity is not None:
            for folder, _, files in os.walk(draft):
                for path in (Path(folder), *(Path(folder, name) for name in files)):
                    os.chown(path, self.place.identity, self.place.identity, follow_symlinks=False)
        draft.rename(data)

    def _make_roles(self) -> None:
        """The owner may make databases and owns ours; the application's role may do neither."""
        passwords = self.state.passwords()
        with psycopg.connect(self._superuser(), autocommit=True) as connection:
            for role, password, rights in ((OWNER, "owner", "CREATEDB"), (APPLICATION, "application", "NOCREATEDB")):
                found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                connection.execute(
                    sql.SQL("{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE " + rights + " PASSWORD {password}").format(
                        verb=sql.SQL("ALTER" if found else "CREATE"), role=sql.Identifier(role), password=sql.Literal(passwords[password])
                    )
                )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))

    def _superuser(self) -> str:
        password = self.state.passwords()["superuser"]
        return f"host={self.state.sockets / 'pg'} user={SUPERUSER} password={password} dbname=postgres connect_timeout=5"

    def _connects(self) -> bool:
        if not (self.state.sockets / "pg" / ".s.PGSQL.5432").exists():
            return False
        try:
            psycopg.connect(self._superuser()).close()
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                raise EmbeddedServerError(
                    f"The passwords of the embedded database are gone; remove {self.state.folder} to begin anew."
                ) from error
            return False
        return True

    def _give(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.place.identity is not None:
            os.chown(folder, self.place.identity, self.place.identity)

    def _spawn(self, name: str, command: list[str | Path], *, on_parent_death: signal.Signals = signal.SIGTERM) -> None:
        log = self.state.logs / f"{name}.log"
        rotate(log)
        with log.open("ab") as output:
            self.processes[name] = child.start(
                command, env=_environment(), output=output, identity=self.place.identity, on_parent_death=on_parent_death
            )

    def _wait_for(self, name: str, answers: Callable[[], bool], patience: float = 60) -> None:
        end = time.monotonic() + patience
        while not answers():
            if self.processes[name].poll() is not None or time.monotonic() > end:
                raise EmbeddedServerError(f"{name} did not start. The end of its log:\n{self._tail(name)}")
            time.sleep(0.02)

    def _tail(self, name: str) -> str:
        return "\n".join((self.state.logs / f"{name}.log").read_text(errors="replace").splitlines()[-12:])


def accepts(path: Path) -> bool:
    """Whether something listens on the unix socket `path`."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    except OSError:
        return False
    return True


def rotate(log: Path, *, size: int = LOG_SIZE, kept: int = LOGS_KEPT) -> None:
    """Put a log that has grown over `size` bytes aside as .1, .2 … and keep `kept` of them."""
    if log.exists() and log.stat().st_size > size:
        for number in range(kept, 1, -1):
            older = log.with_name(f"{log.name}.{number - 1}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number}"))
        log.replace(log.with_name(f"{log.name}.1"))


def _environment() -> dict[str, str]:
    """What the servers see: nothing of ours, so that no secret of the application is in their environment."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _someone_works_in(folder: Path) -> bool:
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == folder:
                return True
        except OSError:  # ended in the meantime, or another user's
            continue
    return False
