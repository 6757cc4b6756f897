from collections import Counter
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.services import account_mail, second_factors, signing_in


class Command(BaseCommand):
    help = (
        "Removes the second factor of somebody who lost phone, keys and recovery codes. Make sure that it is them before you run it: "
        "call them back, or see them. It is recorded, all their sessions end, and they get a mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = signing_in.find(email)
        if user is None:
            raise CommandError("No account has this address.")
        try:
            kinds = Counter(second_factors.remove_second_factor(user))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        account_mail.tell_of_removed_factor(user)
        removed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        self.stdout.write(self.style.SUCCESS(f"Removed from {user.email}: {removed}. All sessions ended; a mail is on its way."))
