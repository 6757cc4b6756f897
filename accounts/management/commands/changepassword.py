from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from accounts.management.commands.create_admin import Command as CreateAdmin
from accounts.services import account_mail, signing_in, users


class Command(CreateAdmin):
    """In the place of Django's own, which leaves no record and lets programs stay signed in."""

    help = (
        "Sets a new password, for administrators too, to whom no link is ever mailed. Make sure that it is them before you run it. "
        "It is recorded, all their sessions end, and they get a mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input instead of asking for it")

    def handle(self, *args: Any, email: str, password_stdin: bool, **options: Any) -> None:
        user = signing_in.find(email)
        if user is None:
            raise CommandError("No account has this address.")
        password = self.read_password(from_stdin=password_stdin)
        try:
            users.replace_password(user, password)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        account_mail.tell_of_replaced_password(user)
        self.stdout.write(self.style.SUCCESS(f"{user.email} has a new password. All sessions ended; a mail is on its way."))
