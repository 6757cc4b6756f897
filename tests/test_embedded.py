"""The embedded servers: two roles, unix sockets only, nothing left behind, nothing lost."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from aaperture.lib import embedded
from aaperture.lib.embedded.servers import rotate
from tests.process import alive, descendants, eventually

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _leave_no_cluster(tmp_path: Path) -> Iterator[None]:
    yield
    embedded.forget(tmp_path)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[embedded.State]:
    state = embedded.State(tmp_path / "data", fast=True)
    assert state.try_lock()
    yield state
    state.unlock()


@pytest.fixture
def servers(state: embedded.State) -> Iterator[embedded.Servers]:
    with embedded.Servers(state) as servers:
        yield servers


def test_owner_owns_and_application_only_uses(state: embedded.State, servers: embedded.Servers) -> None:
    application, owner, _ = embedded.urls(state)
    with psycopg.connect(owner) as connection:
        connection.execute("CREATE TABLE thing (id int)")
    rights = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    with psycopg.connect(owner) as connection:
        assert connection.execute(rights).fetchone() == (False, False, True, False)
    with psycopg.connect(application) as connection:
        assert connection.execute(rights).fetchone() == (False, False, False, False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE other (id int)")


def test_passwords_are_needed_and_readable_by_this_user_only(state: embedded.State, servers: embedded.Servers) -> None:
    host = state.sockets / "pg"
    for login in ("user=postgres", "user=aaperture_owner password=wrong"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"host={host} dbname=aaperture {login}")
    with psycopg.connect(embedded.urls(state)[1]) as connection:
        assert connection.execute("SHOW password_encryption").fetchone() == ("scram-sha-256",)
    assert (state.folder / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert state.folder.stat().st_mode & 0o777 == 0o700
    assert state.sockets.stat().st_mode & 0o007 == 0


def test_no_tcp_port_is_opened(state: embedded.State, servers: embedded.Servers) -> None:
    with psycopg.connect(embedded.urls(state)[1]) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        inodes |= {line.split()[9] for line in Path(table).read_text().splitlines()[1:]}
    for process in servers.processes.values():
        links = [str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        assert not {link for link in links if link.removeprefix("socket:[").removesuffix("]") in inodes}


def test_servers_see_nothing_of_our_environment(servers: embedded.Servers) -> None:
    for process in servers.processes.values():
        assert b"SECRET" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_neither_server_runs_as_root(servers: embedded.Servers) -> None:
    for process in servers.processes.values():
        assert Path(f"/proc/{process.pid}").stat().st_uid != 0


def test_data_survive_a_stop_and_a_crash(tmp_path: Path) -> None:
    state = embedded.State(tmp_path / "data")  # not the fast kind, which may lose the last moments
    with embedded.Servers(state), psycopg.connect(embedded.urls(state)[1]) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    crashed = embedded.Servers(state)
    crashed.start()
    with psycopg.connect(embedded.urls(state)[1]) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    for process in crashed.processes.values():
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with embedded.Servers(state), psycopg.connect(embedded.urls(state)[1]) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_a_dead_server_is_named_with_its_log(servers: embedded.Servers) -> None:
    servers.check()
    os.kill(servers.processes["valkey"].pid, signal.SIGKILL)
    assert eventually(lambda: servers.processes["valkey"].poll() is not None, within=60)
    with pytest.raises(embedded.EmbeddedServerError, match=r"valkey ended with status -9[\s\S]*Ready to accept"):
        servers.check()


def test_two_clones_run_beside_each_other(tmp_path: Path) -> None:
    one, two = embedded.State(tmp_path / "one", fast=True), embedded.State(tmp_path / "two", fast=True)
    with embedded.Servers(one), embedded.Servers(two):
        redis.Redis.from_url(embedded.urls(one)[2]).set("name", "one")
        assert redis.Redis.from_url(embedded.urls(two)[2]).get("name") is None
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(embedded.urls(one)[0].replace(str(one.sockets), str(two.sockets)))


def test_somebody_elses_socket_folder_is_refused(state: embedded.State, tmp_path: Path) -> None:
    state.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(embedded.EmbeddedServerError, match="belongs to somebody else"):
            embedded.Servers(state).start()
    finally:
        state.sockets.unlink()


def test_the_servers_are_run_by_one_process_at_a_time(state: embedded.State) -> None:
    other = embedded.State(state.folder)
    assert not other.try_lock()
    assert str(os.getpid()) in other.holder()
    state.unlock()
    assert other.try_lock()
    other.unlock()


USER_OF_SERVERS = """
import sys
from pathlib import Path
import psycopg
from aaperture.lib import embedded
state = embedded.State(Path(sys.argv[1]), fast=True)
url, _, _ = embedded.ensure(state)
print("ready", flush=True)
sys.stdin.readline()
print(psycopg.connect(url).execute("SELECT 'answered'").fetchone()[0], flush=True)
"""


def _use(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER_OF_SERVERS, folder], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_whoever_started_the_servers_waits_for_the_others(tmp_path: Path) -> None:
    first = _use(tmp_path)
    assert first.stdout
    assert first.stdout.readline() == "ready\n"
    second = _use(tmp_path)
    assert second.stdout
    assert second.stdout.readline() == "ready\n"
    assert first.stdin
    first.stdin.write("\n")
    first.stdin.flush()
    assert first.stdout.readline() == "answered\n"
    assert not eventually(lambda: first.poll() is not None, within=0.5)
    assert second.communicate("\n", timeout=60)[0] == "answered\n"
    assert first.wait(60) == 0
    assert not embedded.running(tmp_path)


def test_no_server_outlives_a_killed_process(tmp_path: Path) -> None:
    user = _use(tmp_path)
    assert user.stdout
    user.stdout.readline()
    left = descendants(user.pid)
    assert len([command for command in left.values() if "valkey" in command or "postgres" in command]) >= 2
    user.kill()
    user.wait()
    assert eventually(lambda: not any(alive(pid) for pid in left), within=60), left
    again = _use(tmp_path)
    assert again.communicate("\n", timeout=60)[0] == "ready\nanswered\n"


NOBODY: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
EVERYBODY = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PROJECT}:{Path(psycopg.__file__).parent.parent}", "PYTHONDONTWRITEBYTECODE": "1"}


def _python_for_everybody(*candidates: str) -> str:
    """A Python that another user may run with our packages, or a skip: a clone in a private home is out of reach."""
    for python in candidates:
        try:
            subprocess.run([python, "-c", "import psycopg"], cwd=PROJECT, env=EVERYBODY, check=True, capture_output=True, **NOBODY)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("this clone is out of reach for an ordinary user")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_an_ordinary_user_needs_no_place_outside_the_clone(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"aaperture-user-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    try:
        python = _python_for_everybody(sys.executable, "/usr/bin/python3")
        command = [python, "-c", USER_OF_SERVERS, folder / "data"]
        done = subprocess.run(command, cwd=PROJECT, env=EVERYBODY, input="\n", text=True, capture_output=True, check=False, **NOBODY)
        assert done.stdout == "ready\nanswered\n", done.stderr
        assert (folder / "data/pg18/PG_VERSION").read_text() == "18\n"
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_no_folder_above_the_state_changes_its_permissions(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with embedded.Servers(embedded.State(home / "clone/.data", fast=True)):
        assert home.stat().st_mode & 0o777 == 0o700
        assert home.stat().st_uid == os.geteuid()


def test_a_log_that_has_grown_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    for text in ("first", "second", "third", "fourth"):
        log.write_text(text * 10)
        rotate(log, size=20, kept=2)
    assert not log.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log.1", "web.log.2"]
    assert (tmp_path / "web.log.1").read_text().startswith("fourth")


@pytest.mark.filterwarnings("ignore:A test tried")
def test_tests_may_not_reach_beyond_loopback() -> None:
    with socket.socket() as client, pytest.raises(Exception, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))
