"""Other processes that work on this test's database, as Celery's workers would."""

import os
import subprocess
import sys
import time

PREAMBLE = """
import os, sys, time
import django
django.setup()
while time.time() < float(sys.argv[1]):
    time.sleep(0.001)
"""
START_UP = 2.5  # seconds until the slowest of them is ready


def start(code: str, *, times: int = 1, wait: float = START_UP, **environment: str) -> list[subprocess.Popen[str]]:
    """Run `code` in `times` new processes that begin at the same instant, with Django set up."""
    at = str(time.time() + wait)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "aaperture.settings", **environment}
    return [
        subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code, at],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(times)
    ]  # fmt: skip


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each printed; an ending other than 0 fails the test with its errors."""
    printed = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        printed.append(out.strip())
    return printed
