"""`manage.py security_check`: the production checklist, as far as a program can look."""

import json
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations.security_check import CHECKS, Outcome, run

MARKS = {Outcome.OK: "SUCCESS", Outcome.FAILED: "ERROR", Outcome.NOT_APPLICABLE: "NOTICE", Outcome.BY_HAND: "WARNING"}


class Command(BaseCommand):
    help = "Go through the production checklist; ends with 1 when something failed. Names and counts only, never a value."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("checks", nargs="*", metavar="ID", help="only these (default: all)")
        parser.add_argument("--json", action="store_true", help="one JSON document for a program")
        parser.add_argument("--failed", action="store_true", help="show only what failed")

    def handle(self, *_args: Any, **options: Any) -> None:
        if unknown := set(options["checks"]) - CHECKS.keys():
            raise CommandError(f"no such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}", returncode=2)
        found = list(run(options["checks"]))
        counts = Counter(finding.outcome for _check, finding in found)
        shown = [(one, finding) for one, finding in found if not options["failed"] or finding.outcome is Outcome.FAILED]
        if options["json"]:
            lines = [
                {"id": one.id, "what": one.what, "how": one.how, "outcome": finding.outcome, "note": finding.note} for one, finding in shown
            ]
            self.stdout.write(json.dumps({"checks": lines, "failed": counts[Outcome.FAILED]}, indent=2, ensure_ascii=False))
        else:
            for one, finding in shown:
                outcome = getattr(self.style, MARKS[finding.outcome])(f"{finding.outcome:<15}")
                self.stdout.write(f"{outcome} {one.id:<18} {one.what}")
                if finding.note:
                    self.stdout.write(f"{'':<35}{finding.note}")
            self.stdout.write(", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome))
        if counts[Outcome.FAILED]:
            raise SystemExit(1)
