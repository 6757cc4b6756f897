import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from integrations.services.legacy import UnusableRow, import_grant
from vault.errors import SealedDataError


class Command(BaseCommand):
    help = "Takes over Gmail grants whose refresh tokens an earlier system encrypted with Fernet (FERNET_KEYS): one JSON object a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise CommandError("The file cannot be read.") from None
        taken = failed = 0
        for number, line in enumerate(filter(str.strip, lines), start=1):
            try:
                import_grant(json.loads(line))
                taken += 1
            except (UnusableRow, SealedDataError, json.JSONDecodeError, AttributeError) as error:
                failed += 1
                what = str(error) if isinstance(error, UnusableRow | SealedDataError) else "is not a JSON object"
                self.stderr.write(f"Line {number} {what}")
        self.stdout.write(f"{taken} taken over, {failed} left.")
        if failed:
            raise CommandError("Some lines were left; nothing of them was kept.")
