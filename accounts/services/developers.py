"""The developer role in production: refused, unless an administrator admits it for some hours.

Nothing runs when the time is up: `admitted_until` compares with the clock, and whoever asks first after the end records it.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import InstanceSettings, User
from accounts.protections import require_admin
from accounts.roles import Role
from accounts.services.studios import create_organization
from accounts.services.users import step_up
from audit.services import record

LONGEST = 168  # hours


def admitted() -> bool:
    """Whether developers may come in at this moment."""
    if settings.ENVIRONMENT != "production" or settings.ALLOW_DEV_ROLE_IN_PRODUCTION:
        return True
    return admitted_until() is not None


def admitted_until() -> datetime | None:
    """The end of the current admission, or None; an admission found to be over is put on record, once."""
    until = InstanceSettings.objects.filter(pk=1).values_list("dev_role_until", flat=True).first()
    if until is None or until > timezone.now():
        return until
    _note_lapse(until)
    return None


@transaction.atomic
def _note_lapse(until: datetime) -> None:
    """Of many who notice at once, the one whose update finds the value still there records it."""
    if InstanceSettings.objects.filter(pk=1, dev_role_until=until).update(dev_role_until=None):
        record("dev_role.production_disabled", InstanceSettings(pk=1), reason="expired", until=until.isoformat())


@transaction.atomic
def admit(actor: User, hours: int | None = None, request: HttpRequest | None = None) -> datetime:
    """Admit developers for `hours` (default: the instance's setting) from now on; returns the end.

    Raises Refused for anybody but an administrator, StepUpRequired, ValidationError unless 1 … 168 whole hours.
    """
    require_admin(actor)
    step_up(request)
    InstanceSettings.objects.get_or_create(pk=1)
    row = InstanceSettings.objects.select_for_update().get(pk=1)
    hours = row.dev_role_hours if hours is None else hours
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= LONGEST:
        raise ValidationError(_("Between 1 and %(most)d whole hours.") % {"most": LONGEST})
    if row.dev_role_until is not None and row.dev_role_until <= timezone.now():
        _note_lapse(row.dev_role_until)
    row.dev_role_until = timezone.now() + timedelta(hours=hours)
    row.save(update_fields=["dev_role_until", "updated_at"])
    record("dev_role.production_enabled", row, actor=actor, request=request, hours=hours, until=row.dev_role_until.isoformat())
    return row.dev_role_until


@transaction.atomic
def stop(actor: User, request: HttpRequest | None = None) -> None:
    """End the admission at once. Raises Refused for anybody but an administrator."""
    require_admin(actor)
    until = admitted_until()
    if until is not None and InstanceSettings.objects.filter(pk=1, dev_role_until=until).update(dev_role_until=None):
        record(
            "dev_role.production_disabled", InstanceSettings(pk=1), actor=actor, request=request, reason="stopped", until=until.isoformat()
        )


@transaction.atomic
def create_dev_user() -> User | None:
    """The developer account of `CREATE_DEV_USER=true`: inactive and without a password; None where there is one.

    An administrator activates it, and then it gets a mail to set a password.
    """
    email = "developer@" + settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ").lower()
    if not settings.CREATE_DEV_USER or User.objects.filter(email__iexact=email).exists():
        return None
    user = User(email=email, name="Developer", role=Role.DEVELOPER, is_active=False)
    user.set_unusable_password()
    user.save(force_insert=True)
    record("user.created", user, method="configuration", role=Role.DEVELOPER.value)
    create_organization(user)
    return user
