from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from operations.backups import shelf, target
from operations.backups.frames import BackupDamaged, BackupKeyMissing
from operations.management.commands.backup import Command as Backup
from operations.services import restoring
from operations.services.restoring import Restored


class Command(Backup):
    help = (
        "Restores a backup into an empty instance, on this host only, with everything stopped. The backup is verified before anything is "
        "written; erasures of the ledger are done once more before the instance opens. If it is killed, start it again: it goes on."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", default="", help="which backup (default: the newest)")
        parser.add_argument("--without-ledger", action="store_true", help="restore although no ledger of erasures is configured")
        parser.add_argument("--without-objects", action="store_true", help="restore the database only")

    def handle(self, *args: Any, **options: Any) -> None:
        self.drawn = 0.0
        try:
            where = shelf.shelf()
            name = restoring.choose(where, options["name"])
            self.stdout.write(f"Restoring {name} from {where.name} …")
            done = restoring.restore(
                where, name, without_ledger=options["without_ledger"], without_objects=options["without_objects"], progress=self.progress
            )
        except restoring.CannotRestore as error:
            raise CommandError(str(error)) from None
        except (target.NotLoaded, target.AlreadyFilled) as error:
            reason = str(error) or "another restore was first"
            raise CommandError(f"The database took nothing: {reason}. It is as empty as before.") from None
        except BackupDamaged as error:
            raise CommandError(f"This backup is not whole: {error}. Nothing was written; take an older one (backup --list).") from None
        except (BackupKeyMissing, shelf.NoShelf):
            raise CommandError("Name the place of the backups by BACKUPS, and the key they were made with by BACKUP_KEY.") from None
        except shelf.FAILURES as error:
            raise CommandError(f"A place does not answer ({type(error).__name__}). Start restore again: it goes on.") from None
        self._tell(done)

    def _tell(self, done: Restored) -> None:
        say = self.stdout.write
        say(f"Loaded {done.rows:,} rows and {done.objects:,} objects of {done.name}.")
        say(f"Erased once more, by the ledger: {done.erased:,} accounts.")
        say(f"E-mails that may have gone out since, and wait for somebody who knows: {done.doubtful:,}.")
        say(f"Data keys that open: {done.opened_keys:,}; sealed fields opened as a proof: {done.proofs}.")
        for line in done.report.restores:
            say(self.style.WARNING(line))
        for finding in done.report.findings:
            say(self.style.ERROR(str(finding)))
        say(f"Activity log: {done.report.rows:,} rows in {done.report.seals:,} seals verified.")
        say(
            "Everybody signs in again. What was decided after this backup is forgotten: look through blocked accounts, revoked keys and"
            " changed roles (docs/operations.md)."
        )
        if done.unopened_keys:
            raise CommandError(f"{done.unopened_keys:,} data keys do not open: see `rotate_keys --check`.")
        if not done.report.is_intact:
            raise CommandError("The activity log is not what was sealed: see the findings above.", returncode=1)
        say(self.style.SUCCESS("The instance is open. Start it."))
