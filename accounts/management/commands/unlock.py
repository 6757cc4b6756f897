from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from accounts import lockout
from accounts.services import signing_in
from audit.services import record


class Command(BaseCommand):
    help = "Lifts the lock that failed sign-ins put on an account's name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        user = signing_in.find(email)
        name = signing_in.counted_name(email, user)
        try:
            lifted = lockout.unlock(name)
        except RedisError:
            raise CommandError("Valkey does not answer; the locks are kept there.") from None
        if not lifted:
            self.stdout.write(f"{email} had no failed sign-ins.")
            return
        record("account.unlocked", user, account=name, method="command")
        self.stdout.write(self.style.SUCCESS(f"{email} may sign in again."))
