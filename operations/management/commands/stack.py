"""`manage.py stack`: everything Aaperture needs to be used on this machine, as one foreground process tree."""

import hashlib
import http.client
import os
import shutil
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from aaperture.lib import child, embedded
from aaperture.lib.process_tree import ChildEndedError, ProcessTree, say, tail

CLIENT_ID, CLIENT_SECRET = "sandbox-client.apps.example", "sandbox-secret"  # the sandbox accepts no other
STRIPE_KEY, STRIPE_SIGNING_SECRET = "sk_test_sandbox", "whsec_sandbox"
START_PATIENCE = 60


class StopAskedError(Exception):
    """Ctrl-C, or the signal TERM or HUP."""


class Command(BaseCommand):
    help = "Start database, cache, sandbox, web server, worker and clock; Ctrl-C stops everything."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="web server (default 8000)")
        parser.add_argument("--sandbox-port", type=int, default=8010, help="sandbox; mail and Stripe take the next two (default 8010)")
        parser.add_argument("--no-demo", action="store_true", help="no sandbox: use the configured Google and mail server")
        parser.add_argument("--reload", action="store_true", help="restart the web server when a source file changes")
        parser.add_argument("--end-with", type=int, metavar="PID", help="stop when this parent process is gone")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT not in {"development", "test"}:
            raise CommandError("`stack` is for development; in production see docs/deployment.md.")
        os.umask(0o077)
        self._take_signals()
        if options["end_with"]:
            child.die_with_parent(options["end_with"], signal.SIGTERM)
        self.began = time.monotonic()
        self.port, self.sandbox_port, self.demo = options["port"], options["sandbox_port"], not options["no_demo"]
        self.state = embedded.State(embedded.DEFAULT_FOLDER)
        self.servers = embedded.Servers(self.state, **self._wanted_servers())
        self.tree = ProcessTree(self.state.logs, cwd=settings.BASE_DIR)
        self._check_free()
        try:
            self._start(reload=options["reload"])
            self._watch()
        except StopAskedError:
            say("\nStopping …")
        except (ChildEndedError, embedded.EmbeddedServerError) as error:
            raise CommandError(str(error)) from error
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut this short
            orphaned = options["end_with"] and os.getppid() != options["end_with"]
            self.tree.stop(("web", "worker", "runs", "clock"), ("sandbox",), patience=2 if orphaned else 10)
            self.servers.stop()
            self.state.unlock()
        say("Stopped.")

    def _take_signals(self) -> None:
        """INT explicitly too: a script's `make run &` starts with it ignored."""

        def stop(*_args: object) -> NoReturn:
            raise StopAskedError

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, stop)

    def _wanted_servers(self) -> dict[str, bool]:
        def configured(name: str) -> bool:
            return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))

        return {"postgres": not configured("DATABASE_URL"), "valkey": not configured("REDIS_URL")}

    def _check_free(self) -> None:
        if not self.state.try_lock():
            raise CommandError(f"Aaperture already runs in this folder: {self.state.holder()}. Stop it first, or use another clone.")
        wanted = [(self.port, "PORT", "--port", 1)]
        if self.demo:
            wanted += [(self.sandbox_port + offset, "SANDBOX_PORT", "--sandbox-port", 10) for offset in (0, 1, 2)]
        for port, variable, option, step in wanted:
            if not is_free(port):
                other = (self.port if variable == "PORT" else self.sandbox_port) + step
                raise CommandError(
                    f"Port {port} is in use. Choose another one: `make run {variable}={other}` (or `manage.py stack {option} {other}`)."
                )

    def _start(self, *, reload: bool) -> None:
        say("Starting the database …")
        self.servers.start()
        call_command("migrate", verbosity=0, interactive=False)
        connections.close_all()
        collect_static_files()
        env = self._environment()
        python = sys.executable
        if self.demo:
            webhook = f"http://127.0.0.1:{self.port}/stripe/webhook"
            self.tree.start("sandbox", [python, "-m", "sandbox", "--port", str(self.sandbox_port), "--stripe-webhook", webhook], env)
        self.tree.start("web", [python, "-m", *self._web_server(reload=reload)], env)
        self._wait_for("web", self._web_answers)
        if self.demo:
            self._wait_for("sandbox", lambda: not is_free(self.sandbox_port))
        celery = [python, "-m", "celery", "--quiet", "--app", "aaperture"]
        quiet = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"} if os.geteuid() == 0 else {}
        worker = [*celery, "worker", "--loglevel", "warning", "--concurrency", "2"]
        self.tree.start("worker", [*worker, "--queues", "celery"], env | quiet)
        self.tree.start("runs", [*worker, "--queues", "runs"], env | quiet)
        self.tree.start("clock", [*celery, "beat", "--loglevel", "warning", "--pidfile="], env)
        self._greet()

    def _web_server(self, *, reload: bool) -> list[str]:
        options = ["--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "4", "--graceful-timeout", "5"]
        options += ["--log-level", "warning", "--no-control-socket", "--reload" if reload else "--preload"]
        return ["gunicorn", "aaperture.wsgi", *options]

    def _environment(self) -> dict[str, str]:
        env = {"PUBLIC_URL": f"http://localhost:{self.port}", **os.environ, "PYTHONUNBUFFERED": "1"}
        if self.demo:
            sandbox = f"http://127.0.0.1:{self.sandbox_port}"
            env |= {
                "GOOGLE_ISSUER": sandbox,
                "GOOGLE_API_ROOT": sandbox,
                "GOOGLE_CLIENT_ID": CLIENT_ID,
                "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
                "EMAIL_URL": f"smtp://127.0.0.1:{self.sandbox_port + 1}",
                "STRIPE_API_BASE": f"http://127.0.0.1:{self.sandbox_port + 2}",
                "STRIPE_SECRET_KEY": STRIPE_KEY,
                "STRIPE_WEBHOOK_SECRET": STRIPE_SIGNING_SECRET,
            }
        return env

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + START_PATIENCE
        while not ready():
            self.tree.check()
            if time.monotonic() > end:
                end_of_log = tail(self.state.logs / f"{name}.log")
                raise ChildEndedError(f"{name} did not answer within {START_PATIENCE} s. The end of its log:\n{end_of_log}")
            time.sleep(0.05)

    def _web_answers(self) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request("GET", "/health/live", headers={"Host": "localhost"})
            return client.getresponse().status == 200
        except OSError:
            return False
        finally:
            client.close()

    def _greet(self) -> None:
        address = f"http://localhost:{self.port}"
        lines = [f"\nAaperture runs at {address}   ({time.monotonic() - self.began:.1f} s)"]
        if self.demo:
            lines += [
                "",
                f"  Open {address} and choose *Continue with Google*.",
                "  The sandbox account is Camille Morel <camille@example.test>.",
                f"  Its mailbox, and mail sent to anybody: http://127.0.0.1:{self.sandbox_port}",
                f"  Payments to be renewed, refunded or disputed: http://127.0.0.1:{self.sandbox_port + 2}",
            ]
        lines += ["", f"Logs: {self.state.logs}", "Ctrl-C stops everything."]
        say("\n".join(lines))

    def _watch(self) -> None:
        while True:
            self.tree.check()
            self.servers.check()
            time.sleep(0.3)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def collect_static_files() -> None:
    """Run `collectstatic` when a static file was added, changed or removed since the last time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    root = Path(settings.STATIC_ROOT)
    stamp = root.with_name(f"{root.name}.digest")
    if root.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    shutil.rmtree(root, ignore_errors=True)
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(digest.hexdigest())
