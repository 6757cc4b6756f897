"""`manage.py stack`: one process tree that starts, refuses, stops and never leaves anything behind."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from aaperture.lib import embedded
from aaperture.lib.embedded import place
from aaperture.lib.process_tree import ChildEndedError, ProcessTree, for_terminal
from tests.process import alive, command_line, descendants, eventually

PROJECT = Path(__file__).resolve().parent.parent
# What a newcomer's shell does not have: everything the tests configure.
WORDS = "DATABASE|MIGRATION|REDIS|SECRET|ENCRYPTION|PUBLIC|EMAIL|DEFAULT_FROM|GOOGLE|STRIPE|DJANGO|ENVIRONMENT|PYTEST|COV"
CONFIGURED = re.compile(rf"^({WORDS})")


def newcomers_environment(folder: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not CONFIGURED.match(name)}
    return env | {"AAPERTURE_STATE": str(folder)}


class Stack:
    """A running `manage.py stack` with a state folder and ports of its own."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        port: int,
        sandbox_port: int,
        ignore_interrupts: bool = False,
        below_a_parent: bool = False,
        configured: dict[str, str] | None = None,
    ) -> None:
        self.port, self.sandbox_port, self.folder = port, sandbox_port, folder
        env = newcomers_environment(folder) | (configured or {})
        command = [sys.executable, "manage.py", "stack", "--port", str(port), "--sandbox-port", str(sandbox_port), *options]
        if ignore_interrupts:  # as a shell starts `make run &` in a script
            command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        if below_a_parent:  # as make is
            command = ["/bin/sh", "-c", '"$@" --end-with $$; true', "sh", *command]
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []

    def wait_until_ready(self) -> "Stack":
        assert self.process.stdout
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith("Ctrl-C"):
                return self
        raise AssertionError(f"did not start: {''.join(self.output)}")

    def wait_until_ended(self) -> int:
        text, _ = self.process.communicate(timeout=120)
        self.output.append(text)
        return self.process.returncode

    def child(self, word: str) -> int:
        return next(pid for pid, command in descendants(self.process.pid).items() if word in command)

    @property
    def said(self) -> str:
        return "".join(self.output)


def free_ports() -> tuple[int, int]:
    """A port, and the first of three neighbours, that nothing listens on."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three, socket.socket() as four:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            try:
                three.bind(("127.0.0.1", two.getsockname()[1] + 1))
                four.bind(("127.0.0.1", two.getsockname()[1] + 2))
            except (OSError, OverflowError):
                continue
            return one.getsockname()[1], two.getsockname()[1]


COLLECT = """
import django
django.setup()
from operations.management.commands.stack import collect_static_files
collect_static_files()
"""


def manage(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = newcomers_environment(folder)
    return subprocess.run([sys.executable, "manage.py", *command], cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def used_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.State]:
    """A state whose database and files were made; nearly all tests start from a copy, which takes seconds less than beginning anew."""
    state = embedded.State(tmp_path_factory.mktemp("used") / "data")
    migrated = manage(state.folder, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    env = newcomers_environment(state.folder) | {"DJANGO_SETTINGS_MODULE": "aaperture.settings"}
    subprocess.run([sys.executable, "-c", COLLECT], cwd=PROJECT, env=env, check=True)
    yield state
    embedded.forget(state.folder)


def copy(used: embedded.State, folder: Path) -> None:
    shutil.copytree(used.folder, folder, ignore=shutil.ignore_patterns("logs", "*.lock", "pg18"))
    old, new = place.find(used), place.find(embedded.State(folder))
    shutil.copytree(old.cluster, new.cluster)
    if new.identity is not None:
        for found in (new.cluster, *new.cluster.rglob("*")):
            os.chown(found, new.identity, new.identity, follow_symlinks=False)


@pytest.fixture(autouse=True)
def _leave_no_cluster(tmp_path: Path) -> Iterator[None]:
    yield
    embedded.forget(tmp_path)


@pytest.fixture
def launch(tmp_path: Path, used_before: embedded.State) -> Iterator[Callable[..., Stack]]:
    """Start a stack, by default where one ran before; whatever the test does, its processes are gone afterwards."""
    started: list[Stack] = []

    def start(*options: str, folder: str = "data", ports: tuple[int, int] | None = None, new: bool = False, **more: Any) -> Stack:
        port, sandbox_port = ports or free_ports()
        if not new and not (tmp_path / folder).exists():
            copy(used_before, tmp_path / folder)
        stack = Stack(tmp_path / folder, *options, port=port, sandbox_port=sandbox_port, **more)
        started.append(stack)
        return stack

    yield start
    for stack in started:
        if stack.process.poll() is None:
            left = descendants(stack.process.pid)
            stack.process.kill()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            eventually(lambda left=left: not any(alive(pid) for pid in left), within=60)


def get(address: str) -> int:
    with urllib.request.urlopen(address, timeout=60) as response:
        return int(response.status)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "new"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_it_starts_answers_and_stops_cleanly(launch: Callable[..., Stack], number: signal.Signals, new: bool) -> None:
    stack = launch(ignore_interrupts=True, new=new).wait_until_ready()
    assert f"http://localhost:{stack.port}" in stack.said
    assert "Camille Morel <camille@example.test>" in stack.said
    assert f"http://127.0.0.1:{stack.sandbox_port}" in stack.said
    assert get(f"http://127.0.0.1:{stack.port}/health/live") == 200
    left = descendants(stack.process.pid)
    programs = ("postgres", "valkey", "sandbox", "gunicorn", "queues celery", "queues runs", "aaperture beat")
    assert not [word for word in programs if not any(word in command for command in left.values())]
    stack.process.send_signal(number)
    assert stack.wait_until_ended() == 0, stack.said
    assert stack.said.endswith("Stopped.\n")
    assert not [command_line(pid) for pid in left if alive(pid)]
    assert (stack.folder / "secrets").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_nothing_outlives_a_killed_stack_and_the_next_one_starts(launch: Callable[..., Stack]) -> None:
    stack = launch().wait_until_ready()
    left = descendants(stack.process.pid)
    assert len(left) > 10
    stack.process.kill()
    assert eventually(lambda: not any(alive(pid) for pid in left), within=60), [command_line(pid) for pid in left if alive(pid)]
    again = launch(ports=(stack.port, stack.sandbox_port)).wait_until_ready()
    assert get(f"http://127.0.0.1:{again.port}/health/live") == 200


@pytest.mark.slow
def test_nothing_outlives_a_killed_parent(launch: Callable[..., Stack]) -> None:
    stack = launch(below_a_parent=True).wait_until_ready()
    left = descendants(stack.process.pid)
    stack.process.kill()
    assert eventually(lambda: not any(alive(pid) for pid in left), within=60), [command_line(pid) for pid in left if alive(pid)]


@pytest.mark.slow
def test_the_end_of_one_program_ends_all_and_is_named(launch: Callable[..., Stack]) -> None:
    stack = launch().wait_until_ready()
    left = descendants(stack.process.pid)
    os.kill(stack.child("aaperture beat"), signal.SIGKILL)
    assert stack.wait_until_ended() == 1
    assert "clock ended with status -9. The end of clock.log:" in stack.said
    assert not [command_line(pid) for pid in left if alive(pid)]


@pytest.mark.slow
def test_a_second_stack_in_the_same_folder_and_a_busy_port_are_refused(launch: Callable[..., Stack]) -> None:
    stack = launch().wait_until_ready()
    second = launch()
    assert second.wait_until_ended() == 1
    assert re.search(rf"Aaperture already runs in this folder: process {stack.process.pid} ", second.said)
    other_port, other_sandbox_port = free_ports()
    busy = launch(folder="other", ports=(stack.port, other_sandbox_port))
    assert busy.wait_until_ended() == 1
    assert f"Port {stack.port} is in use. Choose another one: `make run PORT={stack.port + 1}`" in busy.said
    mail_busy = launch(folder="other", ports=(other_port, stack.sandbox_port - 1))
    assert mail_busy.wait_until_ended() == 1
    assert f"Port {stack.sandbox_port} is in use. Choose another one: `make run SANDBOX_PORT=" in mail_busy.said
    beside = launch("--no-demo", folder="other", ports=(other_port, stack.sandbox_port)).wait_until_ready()
    assert "sandbox" not in beside.said.lower()
    assert get(f"http://127.0.0.1:{beside.port}/health/live") == 200
    assert get(f"http://127.0.0.1:{stack.port}/health/live") == 200


@pytest.mark.slow
def test_configured_servers_are_used_instead(launch: Callable[..., Stack], tmp_path: Path) -> None:
    elsewhere = embedded.State(tmp_path / "elsewhere", fast=True)
    with embedded.Servers(elsewhere):
        configured = dict(zip(("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL"), embedded.urls(elsewhere), strict=True))
        stack = launch("--no-demo", configured=configured).wait_until_ready()
        assert get(f"http://127.0.0.1:{stack.port}/health/ready") == 200
        assert not [command for command in descendants(stack.process.pid).values() if "postgres" in command or "valkey" in command]
        with psycopg.connect(configured["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT count(*) > 10 FROM django_migrations").fetchone() == (True,)
        stack.process.terminate()
        assert stack.wait_until_ended() == 0


@pytest.mark.slow
def test_a_command_starts_the_database_for_itself(used_before: embedded.State, tmp_path: Path) -> None:
    assert manage(tmp_path / "data", "check").returncode == 0
    assert not (tmp_path / "data/servers.lock").exists()  # that one needs none
    listed = manage(used_before.folder, "showmigrations", "audit")
    assert "[X] 0001" in listed.stdout, listed.stderr
    assert not embedded.running(used_before.folder)


def test_a_program_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    tree = ProcessTree(tmp_path, cwd=tmp_path)
    tree.start("web", ["/bin/sh", "-c", "echo cannot bind; exit 3"], dict(os.environ))
    tree.programs[0].process.wait(60)
    with pytest.raises(ChildEndedError, match=r"web ended with status 3[\s\S]*cannot bind"):
        tree.check()
    tree.stop(("web",))


def test_a_program_that_ignores_its_signal_is_killed_with_its_children(tmp_path: Path) -> None:
    tree = ProcessTree(tmp_path, cwd=tmp_path)
    tree.start("worker", ["/bin/sh", "-c", "trap '' TERM; sleep 300 & wait; sleep 300"], dict(os.environ))
    pid = tree.programs[0].process.pid
    assert eventually(lambda: descendants(pid), within=60)
    left = [pid, *descendants(pid)]
    tree.stop(("worker",), patience=0.3)
    assert eventually(lambda: not any(alive(pid) for pid in left), within=60)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level": "info", "event": "request"}', ""),
        ('{"level": "error", "event": "it broke"}', "error it broke"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("{not json", "{not json"),
    ],
)
def test_the_terminal_shows_what_matters(line: str, shown: str) -> None:
    assert for_terminal(line) == shown
