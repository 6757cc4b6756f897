"""`manage.py data_classification`: write docs/security/data_classification.md anew, or with --check say whether it is current."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from operations.data_classification import document, faults


class Command(BaseCommand):
    help = "Writes docs/security/data_classification.md from the registry of fields."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the document is not current")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if found := faults():
            raise CommandError("\n".join(found))
        path = settings.BASE_DIR / "docs/security/data_classification.md"
        if not check:
            path.write_text(document(), encoding="utf-8")
            self.stdout.write(f"{path.relative_to(settings.BASE_DIR)} is current.")
        elif not path.exists() or path.read_text(encoding="utf-8") != document():
            raise CommandError("docs/security/data_classification.md is not current: run manage.py data_classification")
