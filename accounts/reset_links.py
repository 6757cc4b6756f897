"""What a mailed link to set a password is bound to. Imported by allauth's forms, as the setting says, and by nobody else."""

from typing import Any

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator


class ResetLinks(EmailAwarePasswordResetTokenGenerator):
    """To the password, the last sign-in and the addresses, as allauth's; and to the role: who became an administrator since has
    no link that works (DESIGN, decision 9)."""

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}|{user.role}"
