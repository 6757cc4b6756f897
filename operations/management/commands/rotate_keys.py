import base64
import secrets
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from operations import key_usage
from operations.services import key_rotation
from vault import ring, rotation
from vault.models import KeyRotation

WIDTH = 30


class Command(BaseCommand):
    help = (
        "Wraps every data key by the first key of ENCRYPTION_KEYS, so that older ones may go. It may be stopped and started again at "
        "any time, while everybody works. With --check it proves whether the older keys may go, and ends with 1 if they may not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="open every data key, count what depends on which key, change nothing")
        what.add_argument("--dry-run", action="store_true", help="say what a rotation would do, change nothing")
        what.add_argument("--new-key", action="store_true", help="print a new entry for ENCRYPTION_KEYS, to put in front of the others")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(f"k{timezone.now():%Y%m%d}:{base64.b64encode(secrets.token_bytes(32)).decode()}")
        elif options["check"]:
            self._check()
        elif options["dry_run"]:
            self._tell_uses(key_usage.key_uses())
            self.stdout.write(f"{rotation.left_over():,} data keys would be wrapped by {ring.current_kid()}.")
        else:
            self._rotate()

    def _rotate(self) -> None:
        try:
            asked = key_rotation.ask_for_rotation()
            done = key_rotation.carry_out(asked.pk, progress=self._progress)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except key_rotation.BusyElsewhere:
            raise CommandError("A rotation is under way in another process; --check shows how far it is.") from None
        self._tell_uses(key_usage.key_uses())
        if done is None or done.outcome != KeyRotation.Outcome.DONE:
            raise CommandError("Something is left: see --check.")
        self._say_what_next()

    def _progress(self, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        filled = WIDTH * done // total if total else WIDTH
        end = "\n" if done >= total else ""
        self.stderr.write(f"\r{'█' * filled}{'░' * (WIDTH - filled)} {done:,} of {total:,} data keys ", ending=end)
        self.stderr.flush()

    def _check(self) -> None:
        uses, unopened = key_usage.key_uses(), rotation.unopened()
        self._tell_uses(uses)
        for kid, count in unopened.items():
            self.stdout.write(self.style.ERROR(f"{count:,} data keys say that {kid} wraps them, and it does not open them."))
        missing = [use for use in uses if not use.in_ring]
        for use in missing:
            self.stdout.write(self.style.ERROR(f"{use.kid} is not in ENCRYPTION_KEYS, and wraps {use.wraps:,} data keys: put it back."))
        needed = [use.kid for use in uses if use.in_ring and not use.is_first and not use.is_removable]
        if needed:
            self.stdout.write(f"Must stay in ENCRYPTION_KEYS: {', '.join(needed)}.")
        if unopened or missing or needed:
            raise CommandError("Not everything hangs on the first key alone.", returncode=1)
        self._say_what_next()

    def _tell_uses(self, uses: list[key_usage.KeyUse]) -> None:
        for use in uses:
            notes = [
                f"{use.persons:,} people", f"{use.organizations:,} studios", f"{use.instance:,} of the instance",
                *(["signs the activity log"] if use.signs else []), *(["retired"] if use.retired_at else []),
                *(["first"] if use.is_first else []), *([] if use.in_ring else ["NOT CONFIGURED"]),
            ]  # fmt: skip
            since = f"since {use.since:%Y-%m-%d}, " if use.since else ""
            self.stdout.write(f"{use.kid}: {since}{', '.join(notes)}")

    def _say_what_next(self) -> None:
        uses = key_usage.key_uses()
        if removable := [use.kid for use in uses if use.is_removable]:
            word = f"Nothing depends on {', '.join(removable)} any more: take it out of ENCRYPTION_KEYS and restart everything."
            self.stdout.write(self.style.SUCCESS(word))
        elif any(use.signs and not use.is_first for use in uses):
            self.stdout.write("The older key signed the newest seal of the activity log: wait for the next seal, then --check.")
        else:
            self.stdout.write(self.style.SUCCESS("Everything hangs on the first key alone."))
