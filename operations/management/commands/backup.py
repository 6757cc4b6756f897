import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from operations.backups import shelf
from operations.backups.frames import BackupDamaged, BackupKeyMissing
from operations.backups.models import Backup
from operations.services import backups, restoring

WIDTH = 30


class Command(BaseCommand):
    help = (
        "Makes an encrypted backup of database and object store in BACKUPS, while everybody works, and removes those older than "
        "BACKUP_DAYS. It may be killed at any time: half a backup is never taken for a whole one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--list", action="store_true", help="the whole backups there are, the oldest first")
        what.add_argument("--verify", nargs="?", const="", metavar="NAME", help="read one to its end (default: the newest), change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        self.drawn = 0.0
        try:
            if options["list"]:
                self._list()
            elif options["verify"] is not None:
                self._verify(options["verify"])
            else:
                self._make()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except (BackupKeyMissing, shelf.NoShelf):
            raise CommandError("Backups are not configured: BACKUPS says where they lie, BACKUP_KEY encrypts them.") from None
        except shelf.FAILURES as error:
            raise CommandError(f"The place of the backups does not answer ({type(error).__name__}).") from None

    def _make(self) -> None:
        try:
            made = backups.carry_out(backups.ask(trigger=Backup.Trigger.COMMAND).pk, progress=lambda *said: self.progress("rows", *said))
        except backups.BusyElsewhere:
            raise CommandError("A backup is being made by another process.") from None
        if made is None or not made.is_whole:
            raise CommandError(f"No backup was made ({made.error if made else 'it is over'}).")
        self.stdout.write(
            self.style.SUCCESS(
                f"{made.name}: {made.rows:,} rows, {made.objects_count:,} objects, {made.size:,} bytes in {shelf.shelf().name}."
            )
        )

    def _list(self) -> None:
        where = shelf.shelf()
        for name in shelf.whole(where):
            try:
                said = shelf.manifest(where, name)
            except BackupDamaged as error:
                self.stdout.write(self.style.ERROR(f"{name}: {error}."))
                continue
            self.stdout.write(f"{name}: {said['rows']:,} rows, {said['objects']:,} objects, {said['size']:,} bytes")

    def _verify(self, name: str) -> None:
        where = shelf.shelf()
        try:
            name = restoring.choose(where, name)
            restoring.check(where, name, progress=self.progress)
        except (restoring.CannotRestore, BackupDamaged) as error:
            raise CommandError(f"{name or 'Backup'}: {error}.") from None
        self.stdout.write(self.style.SUCCESS(f"{name} is whole: every frame and checksum fits."))

    def progress(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self.drawn < 0.1 and done < total):
            return
        self.drawn = now
        filled = WIDTH * min(done, total) // total if total else WIDTH
        self.stderr.write(f"\r{'█' * filled}{'░' * (WIDTH - filled)} {done:,} of {total:,} {what} ", ending="\n" if done >= total else "")
        self.stderr.flush()
