"""What a mailed link to set a password is bound to."""

from datetime import timedelta
from typing import Any

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator
from django.utils.crypto import constant_time_compare
from django.utils.http import base36_to_int

FIRST_LASTS = timedelta(days=7)  # as long as a studio's invitation


class ResetLinks(EmailAwarePasswordResetTokenGenerator):
    """To the password, the last sign-in and the addresses, as allauth's; and to the role: who became an administrator since has
    no link that works."""

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}|{user.role}"

    def check_token(self, user: Any, token: str | None) -> bool:
        """An hour, or what `FirstLinks` says of the link by which an account made by staff gets its first password."""
        return super().check_token(user, token) or FirstLinks().check_token(user, token)


class FirstLinks(ResetLinks):
    """The link in the mail to somebody for whom staff made an account: days instead of an hour, once, while there is no password."""

    key_salt = "accounts.reset_links.FirstLinks"

    def check_token(self, user: Any, token: str | None) -> bool:
        if not (user and token) or user.has_usable_password():
            return False
        try:
            made_at = base36_to_int(token.partition("-")[0])
        except ValueError:
            return False
        secrets = (self.secret, *self.secret_fallbacks)
        ours = any(constant_time_compare(self._make_token_with_timestamp(user, made_at, secret), token) for secret in secrets)
        return ours and 0 <= self._num_seconds(self._now()) - made_at <= FIRST_LASTS.total_seconds()
