"""Studios: made, renamed."""

from django.db import transaction
from django.http import HttpRequest

from accounts.models import Membership, Organization, User
from audit.services import record


def create_organization(owner: User, *, name: str = "", request: HttpRequest | None = None) -> Organization:
    """A studio of the owner's own; every account has one."""
    studio = Organization.objects.create(name=name or owner.name or owner.get_short_name())
    Membership.objects.create(organization=studio, user=owner, role=Membership.Role.OWNER)
    record("organization.created", studio, actor=owner, request=request, organization_id=studio.pk)
    return studio


@transaction.atomic
def rename_organization(studio: Organization, *, name: str, actor: User, request: HttpRequest | None = None) -> Organization:
    studio.name = name
    studio.save(update_fields=["name"])
    record("organization.updated", studio, actor=actor, request=request, organization_id=studio.pk, fields=["name"])
    return studio
