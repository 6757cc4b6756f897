"""`manage.py classify [FILE.eml …]`: one JSON line per mail, nothing stored, no database."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from aaperture.lib.mime import UnreadableMail, mail_from_bytes
from tracker.classify import classify

STDIN = "-"
PROGRESS_FROM = 50


class Command(BaseCommand):
    help = "Classify raw mails (RFC 5322 files, or one on standard input) and print one JSON line for each. Stores nothing."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", metavar="FILE.eml", help='mails to read; "-" or none reads standard input')

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        names = files or [STDIN]
        failed = 0
        for number, line in enumerate(self._lines(names), start=1):
            failed += "error" in line
            self.stdout.write(json.dumps(line, ensure_ascii=False))
            self._progress(number, len(names))
        if failed:
            sys.exit(1)

    def _lines(self, names: list[str]) -> Iterator[dict[str, Any]]:
        for name in names:
            try:
                raw = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
                found = classify(mail_from_bytes(raw))
            except (OSError, UnreadableMail) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                yield {"file": name, "label": None, "confidence": 0.0, "company": "", "role": "", "reasons": [], "error": reason}
                continue
            yield {
                "file": name,
                "label": found.label,
                "confidence": round(found.confidence, 2),
                "company": found.company,
                "role": found.role,
                "reasons": list(found.reasons),
            }

    def _progress(self, done: int, total: int) -> None:
        if total >= PROGRESS_FROM and sys.stderr.isatty():
            end = "\n" if done == total else ""
            print(f"\r{done}/{total}", end=end, file=sys.stderr, flush=True)  # noqa: T201 - a command tells how far it is
