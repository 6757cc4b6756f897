"""The studio's identity on documents."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Organization, User
from audit.services import record
from documents.models import Identity
from documents.services.errors import Incomplete


def identity_of(organization_id: UUID) -> Identity:
    """The stored one, or an empty one that is not saved."""
    return Identity.objects.filter(pk=organization_id).first() or Identity(organization_id=organization_id)


def complete_identity(organization_id: UUID) -> Identity:
    """Raises Incomplete with the names of what is missing."""
    identity = identity_of(organization_id)
    if identity.missing:
        raise Incomplete([f"identity.{name}" for name in identity.missing])
    return identity


@transaction.atomic
def edit_identity(organization: Organization, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> Identity:
    """Store changed fields; the record names them. Documents that went out keep what they printed."""
    Identity.objects.get_or_create(organization=organization)
    identity = Identity.objects.select_for_update().get(organization=organization)
    changed = [name for name, value in fields.items() if (getattr(identity, name) or "") != (value or "")]
    if changed:
        for name in changed:
            setattr(identity, name, fields[name])
        identity.save(update_fields=changed)
        record("identity.updated", organization, actor=actor, request=request, organization_id=organization.pk, fields=sorted(changed))
    return identity
