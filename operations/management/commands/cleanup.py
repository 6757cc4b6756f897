from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from operations.maintenance.cleanups import ALL, CLEANUPS, dry_run
from operations.maintenance.models import CleanupRun
from operations.services import maintenance


class Command(BaseCommand):
    help = "Runs one of the cleanups, or all, now; each is on record with its counts. It may be killed and started again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default=ALL, help=f"one of {', '.join(CLEANUPS)} (default: all)")
        parser.add_argument("--dry-run", action="store_true", help="count what would go, change nothing")
        parser.add_argument("--list", action="store_true", help="the cleanups, and when each runs next")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        if options["list"]:
            for job, row in maintenance.jobs().items():
                when = f"{row.next_run_at:%Y-%m-%d %H:%M} UTC" if row.next_run_at else "only by hand"
                self.stdout.write(f"{job}: {when}")
            return
        if name not in CLEANUPS:
            raise CommandError(f"There is no cleanup {name}; there are {', '.join(CLEANUPS)}.")
        if options["dry_run"]:
            self._tell(name, dry_run(name))
        else:
            self._clean(name)

    def _clean(self, name: str) -> None:
        asked = maintenance.ask(name, trigger=CleanupRun.Trigger.COMMAND)
        try:
            done = maintenance.carry_out(asked.pk)
        except maintenance.BusyElsewhere:
            raise CommandError("A cleanup is under way in another process; this one is done after it.") from None
        if done is not None:
            self._tell(name, done.counts)
            if done.status != CleanupRun.Status.DONE:
                raise CommandError("Not everything could be cleaned up: the log says what.", returncode=1)

    def _tell(self, name: str, counts: dict[str, int]) -> None:
        for key, (words, _sweep) in CLEANUPS[name].sweeps.items():
            if key in counts:
                self.stdout.write(f"{words}: {counts[key]:,}")
