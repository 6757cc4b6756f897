"""The settings of the instance that staff may change."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest

from accounts.models import InstanceSettings, User
from accounts.protections import DENIED, Refused
from accounts.roles import Role
from audit.services import record

EDITABLE = frozenset({"registration_open", "premium_for", "dev_role_hours"})
ADMIN_ONLY = frozenset({"dev_role_hours"})


@transaction.atomic
def change_settings(actor: User, changes: dict[str, Any], request: HttpRequest | None = None) -> InstanceSettings:
    """Store changed settings; the record says which. Raises Refused (not permitted, or for administrators only), ValidationError."""
    if not actor.has_perm("accounts.change_instancesettings"):
        raise Refused(DENIED)
    InstanceSettings.objects.get_or_create(pk=1)
    row = InstanceSettings.objects.select_for_update().get(pk=1)
    changed = sorted(name for name, value in changes.items() if name in EDITABLE and getattr(row, name) != value)
    if ADMIN_ONLY & set(changed) and actor.role != Role.ADMIN:
        raise Refused(DENIED)
    if changed:
        for name in changed:
            setattr(row, name, changes[name])
        row.full_clean()
        row.save(update_fields=[*changed, "updated_at"])
        record("settings.changed", row, actor=actor, request=request, fields=changed)
    return row
