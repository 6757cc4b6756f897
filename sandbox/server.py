"""Runs the sandbox as a process of its own, for tests and benchmarks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from http.client import HTTPConnection
from json import dumps, loads
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox import refuse_production

ROOT = Path(__file__).parent.parent
READY = re.compile(r"Sandbox ready on (http://[\d.:]+) \(mail on [\d.]+:(\d+), Stripe on (http://[\d.:]+)\)")
PATIENCE = 30


class SandboxServer:
    """`with SandboxServer() as sandbox:` gives `.url`, `.smtp_port`, `.stripe_url` and `.control(method, path, json)`.

    Port 0 takes any free ports. The process ends with this one (on Linux also after kill -9); start it from a thread
    that lives as long as the server is needed.
    """

    def __init__(self, port: int = 0, *, smtp_port: int | None = None, demo: bool = True) -> None:
        self.port, self.demo = port, demo
        self.wanted_smtp_port = smtp_port if smtp_port is not None else (0 if port == 0 else port + 1)
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.smtp_port = 0
        self.stripe_url = ""

    def start(self) -> Self:
        refuse_production()
        command = [sys.executable, "-m", "sandbox", "--die-with-parent", f"--port={self.port}"]
        command += [f"--smtp-port={self.wanted_smtp_port}", *([] if self.demo else ["--no-demo"])]
        command += ["--stripe-port=0"] if self.port == 0 else []
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ.copy()
        )
        timer = threading.Timer(PATIENCE, self.process.kill)
        timer.start()
        try:
            self.read_ready_line(self.process)
        finally:
            timer.cancel()
        return self

    def read_ready_line(self, process: subprocess.Popen[str]) -> None:
        said = ""
        for line in process.stdout or ():
            ready = READY.search(line)
            if ready:
                self.url, self.smtp_port, self.stripe_url = ready[1], int(ready[2]), ready[3]
                threading.Thread(target=drain, args=(process,), daemon=True).start()
                return
            said += line
        raise RuntimeError(f"The sandbox did not start: {said.strip() or 'no output'}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Call `/_control/<path>` and return the answer's JSON; raises RuntimeError with the sandbox's words."""
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=120)
        target = f"/_control/{path.removeprefix('/_control/').lstrip('/')}"
        body = None if json is None else dumps(json)
        try:
            connection.request(method, target, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer.decode()}")
        return loads(answer)


def drain(process: subprocess.Popen[str]) -> None:
    """Read on and forget: a full pipe would stop the sandbox."""
    for _ in process.stdout or ():
        pass
