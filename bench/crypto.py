"""Sealing and opening 200 bytes: ours beside raw AESGCM, in turn, in one run. Goal: at most 3x.

Prints one JSON line per figure (bench, case, value, unit, goal, ok) and a table.
"""

import os
import secrets
import statistics
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

from bench.report import Report

ROUNDS, TIMES = 15, 5_000
GOAL = 3.0


def microseconds(function: object, arguments: list[tuple]) -> float:
    """Process CPU time of one call, in microseconds."""
    start = time.process_time()
    for argument in arguments:
        function(*argument)
    return (time.process_time() - start) / len(arguments) * 1e6


def main() -> int:
    from aaperture.lib import embedded

    embedded.ensure()
    import django

    django.setup()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from django.core.management import call_command

    from vault.services import open_sealed, person, seal

    call_command("migrate", verbosity=0)
    owner, place, text = person(uuid.uuid4()), "integrations_connection|refresh_token|1", os.urandom(200)
    raw = AESGCM(secrets.token_bytes(32))
    associated = place.encode()
    figures: dict[str, list[float]] = {"raw seal": [], "raw open": [], "seal": [], "open": []}

    def raw_seal() -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + raw.encrypt(nonce, text, associated)

    for _ in range(ROUNDS):
        ours = [(seal(text, owner, place), owner, place) for _ in range(TIMES)]
        theirs = [(value[:12], value[12:], associated) for value in (raw_seal() for _ in range(TIMES))]
        figures["raw seal"].append(microseconds(raw_seal, [()] * TIMES))
        figures["seal"].append(microseconds(seal, [(text, owner, place)] * TIMES))
        figures["raw open"].append(microseconds(raw.decrypt, theirs))
        figures["open"].append(microseconds(open_sealed, ours))
    median = {name: statistics.median(values) for name, values in figures.items()}
    report = Report("crypto")
    for name, value in median.items():
        report.add(name, value, "us CPU")
    for name in ("seal", "open"):
        report.add(f"{name} / raw", median[name] / median[f"raw {name}"], "x", goal=GOAL, at_most=True)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
