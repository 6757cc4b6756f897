"""Several programs as one foreground process tree: logs with rotation, ordered stop, nothing left behind."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from aaperture.lib import child

LOG_SIZE, LOGS_KEPT = 5_000_000, 3
QUIET_LEVELS = {"debug", "info"}
EXPECTED = {"worker: Warm shutdown (MainProcess)"}

# The kernel ends our children when we are killed, but not theirs (a worker's pool). This reads the number of each process
# group from a pipe; when the pipe closes because we are gone, it ends those groups.
GUARDIAN = """
trap '' INT TERM HUP
groups=
while read -r group; do groups="$groups -$group"; done
[ -z "$groups" ] || { kill -TERM -- $groups; sleep 2; kill -KILL -- $groups; } 2>/dev/null
"""


class ChildEndedError(Exception):
    """A program of the tree ended by itself; the text names it and shows the end of its log."""


@dataclass
class Program:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    reader: threading.Thread


class ProcessTree:
    """Programs started by this process; `logs` is the folder of their logs."""

    def __init__(self, logs: Path, *, cwd: Path) -> None:
        self.logs = logs
        self.cwd = cwd
        self.programs: list[Program] = []
        self._guardian: subprocess.Popen[bytes] | None = None

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> None:
        """Start a program; its output goes to its log, and what matters to the terminal."""
        process = child.start(command, env=env, output=subprocess.PIPE, cwd=self.cwd)
        self._tell_guardian(process.pid)
        log = self.logs / f"{name}.log"
        reader = threading.Thread(target=self._copy_output, args=(name, process, log), daemon=True)
        reader.start()
        self.programs.append(Program(name, process, log, reader))

    def check(self) -> None:
        """Raise ChildEndedError if a program has ended."""
        for program in self.programs:
            status = program.process.poll()
            if status is not None:
                program.reader.join(2)
                raise ChildEndedError(f"{program.name} ended with status {status}. The end of {program.log.name}:\n{tail(program.log)}")

    def stop(self, *groups: Iterable[str], patience: float = 10) -> None:
        """Stop the named programs, group after group; those of one group together."""
        for group in groups:
            members = [program for program in self.programs if program.name in group]
            for program in members:
                if program.process.poll() is None:
                    program.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + patience
            for program in members:
                child.stop(program.process, patience=max(0.1, end - time.monotonic()))
                program.reader.join(1)
        self.programs = [program for program in self.programs if program.process.poll() is None]
        if self._guardian and not self.programs:
            self._guardian.kill()
            self._guardian.wait()
            self._guardian = None

    def _tell_guardian(self, group: int) -> None:
        if self._guardian is None:
            self._guardian = subprocess.Popen(
                ["/bin/sh", "-c", GUARDIAN],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        assert self._guardian.stdin is not None
        self._guardian.stdin.write(b"%d\n" % group)
        self._guardian.stdin.flush()

    def _copy_output(self, name: str, process: subprocess.Popen[bytes], path: Path) -> None:
        handler = RotatingFileHandler(path, maxBytes=LOG_SIZE, backupCount=LOGS_KEPT, encoding="utf-8")
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            handler.emit(logging.LogRecord(name, logging.INFO, "", 0, line, None, None))
            if shown := for_terminal(line):
                say(f"{name}: {shown}")
        handler.close()


def for_terminal(line: str) -> str:
    """What of a log line a person at the terminal should see: warnings and worse, and what is not a log line at all."""
    if not line.startswith("{"):
        return "" if line in EXPECTED else line
    try:
        entry = json.loads(line)
        level, event = str(entry.get("level", "")).lower(), str(entry.get("event") or entry.get("message") or line)
    except (ValueError, AttributeError):
        return line
    return "" if level in QUIET_LEVELS else f"{level} {event}"


def say(text: str) -> None:
    """Print, even when the terminal is gone: that must not keep the tree from being stopped."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
