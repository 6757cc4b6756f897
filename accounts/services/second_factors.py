"""Taking a second factor away from outside: by a command on the host only, since nobody should be talked into it at a desk."""

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services.sessions import end_all
from audit.services import record


@transaction.atomic
def remove_second_factor(user: User) -> list[str]:
    """Remove the app, the passkeys and the recovery codes, and end all sessions; returns the kinds that were there.

    Raises ValidationError where there is none.
    """
    rows = Authenticator.objects.select_for_update().filter(user=user).order_by("pk")
    kinds = [row.type for row in rows]
    if not kinds:
        raise ValidationError(_("This account has no second factor."))
    rows.delete()
    for kind in kinds:
        record("second_factor.removed", user, kind=kind, method="command")
    end_all(user, reason="factor_removed")
    return kinds
