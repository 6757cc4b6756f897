import getpass
import os
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services import users


class Command(BaseCommand):
    help = "Makes the primary administrator. No account exists after install; this one is made here and nowhere else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input instead of asking for it")

    def handle(self, *args: Any, email: str, name: str, password_stdin: bool, **options: Any) -> None:
        password = self.read_password(from_stdin=password_stdin)
        try:
            user = users.create_admin(email=email, password=password, name=name)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(self.style.SUCCESS(f"{user.email} is the primary administrator."))

    def read_password(self, *, from_stdin: bool) -> str:
        return sys.stdin.readline().rstrip("\n") if from_stdin else self._ask()

    def _ask(self) -> str:
        nowhere = "There is no terminal to ask for the password on; use --password-stdin."
        if not sys.stdin.isatty() and not os.environ.get("TERM"):
            raise CommandError(nowhere)
        try:
            first = getpass.getpass("Password (8 to 128 characters, upper and lower case, a digit): ")
            again = getpass.getpass("Once more: ")
        except EOFError:
            raise CommandError(nowhere) from None
        if first != again:
            raise CommandError("The two passwords differ.")
        return first
