"""Studios and who belongs to them. Every change locks the studio's row first, so that two of them never cross.

What somebody may not do raises PermissionDenied (a colleague) or Http404 (a stranger); what cannot be done in the state
things are in raises ValidationError with a code.
"""

import logging
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from aaperture.lib.account_mail import send_account_mail
from accounts import step_up
from accounts.models import Invitation, Membership, Organization, User
from accounts.studio_roles import require, require_rank
from audit.services import record, record_many

logger = logging.getLogger(__name__)
Role = Membership.Role


def create_organization(owner: User, *, name: str = "", request: HttpRequest | None = None) -> Organization:
    """A studio of the owner's own; every account has one."""
    studio = Organization.objects.create(name=name or owner.name or owner.get_short_name())
    Membership.objects.create(organization=studio, user=owner, role=Role.OWNER)
    record("organization.created", studio, actor=owner, request=request, organization_id=studio.pk)
    return studio


@transaction.atomic
def rename_organization(studio: Organization, *, name: str, actor: User, request: HttpRequest | None = None) -> Organization:
    require(actor, studio, "studio.rename")
    studio.name = name
    studio.save(update_fields=["name"])
    record("organization.updated", studio, actor=actor, request=request, organization_id=studio.pk, fields=["name"])
    return studio


def current_membership(user: User) -> Membership:
    """Their place in the studio they work in: the one they chose while they belong to it, else their own, else their oldest."""
    membership = Membership.objects.of(user).first()
    if membership is None:  # nobody is left without one by `leave` or `remove_member`; an account made by hand may be
        create_organization(user)
        membership = Membership.objects.of(user).get()
    return membership


def current_organization(user: User) -> Organization:
    return current_membership(user).organization


@transaction.atomic
def switch(user: User, organization: Organization, *, request: HttpRequest | None = None) -> Organization:
    """Work in another of one's studios. Raises Http404 for one that the user does not belong to."""
    require(user, organization, "studio.view")
    if user.organization_id != organization.pk:
        user.organization = organization
        user.save(update_fields=["organization"])
        record("organization.switched", organization, actor=user, request=request, organization_id=organization.pk)
    return organization


@transaction.atomic
def change_member_role(membership: Membership, *, role: str, actor: User, request: HttpRequest | None = None) -> Membership:
    """Give a colleague another role; making an owner wants step-up. Raises ValidationError "last_owner" for the last one's."""
    membership = _locked(membership)
    mine = require(actor, membership.organization, "members.change_role")
    require_rank(mine, membership.role, Role(role))
    before = membership.role
    if before == role:
        return membership
    if role == Role.OWNER and request is not None:
        step_up.require(request)
    if before == Role.OWNER:
        _require_another_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    studio = membership.organization
    details = {"user_id": str(membership.user_id), "from_role": before, "to_role": str(role)}
    record("member.role_changed", membership, actor=actor, request=request, organization_id=studio.pk, **details)
    if role != Role.OWNER:
        _withdraw_invitations_of(membership.user, studio, actor=actor, request=request)
    return membership


def remove_member(membership: Membership, *, actor: User, request: HttpRequest | None = None) -> None:
    """End somebody's place in a studio, from their next request on; owners are told. For oneself use `leave`."""
    with transaction.atomic():
        membership = _locked(membership)
        mine = require(actor, membership.organization, "members.remove")
        require_rank(mine, membership.role)
        if mine.pk == membership.pk:
            raise ValidationError(_("You leave a studio instead of removing yourself."), code="own_membership")
        _end(membership, action="member.removed", actor=actor, request=request)
    tell_owners(membership.organization, "studio_member_left", about=membership.user, but=(actor, membership.user))
    _tell(membership.user, "studio_member_removed", studio=membership.organization, about=membership.user)


def leave(membership: Membership, *, request: HttpRequest | None = None) -> None:
    """One's own place. Raises ValidationError "last_owner" for a studio's last owner."""
    with transaction.atomic():
        membership = _locked(membership)
        _end(membership, action="member.left", actor=membership.user, request=request)
    tell_owners(membership.organization, "studio_member_left", about=membership.user, but=(membership.user,))


def lock_studio(organization_id: UUID) -> Organization:
    """The studio's row, locked until the transaction ends: its members and invitations change one after the other."""
    return Organization.objects.select_for_update(no_key=True).get(pk=organization_id)


def _locked(membership: Membership) -> Membership:
    """The membership as it is under its studio's lock. Raises Http404 when it has ended meanwhile."""
    studio = lock_studio(membership.organization_id)
    row = Membership.objects.current().filter(pk=membership.pk).select_related("user").first()
    if row is None:
        raise Http404
    row.organization = studio
    return row


def _owners(studio: Organization) -> QuerySet[Membership]:
    """Those who can come in: an account that is being erased owns nothing any more that anybody could be left with."""
    return Membership.objects.in_order().filter(organization=studio, role=Role.OWNER, user__is_active=True, user__erasure_requested_at=None)


def _require_another_owner(membership: Membership) -> None:
    owners = _owners(membership.organization)
    if not owners.exclude(pk=membership.pk).exists():
        raise ValidationError(_("A studio keeps one owner at least. Make somebody else an owner first."), code="last_owner")


def _end(membership: Membership, *, action: str, actor: User, request: HttpRequest | None) -> None:
    if membership.role == Role.OWNER:
        _require_another_owner(membership)
    membership.ended_at = now()
    membership.save(update_fields=["ended_at"])
    user, studio = membership.user, membership.organization
    User.objects.filter(pk=user.pk, organization=studio).update(organization=None)
    details = {"user_id": str(user.pk), "role": membership.role}
    record(action, membership, actor=actor, request=request, organization_id=studio.pk, **details)
    _withdraw_invitations_of(user, studio, actor=actor, request=request)
    if not Membership.objects.current().filter(user=user).exists():
        create_organization(user)


def _withdraw_invitations_of(user: User, studio: Organization, *, actor: User, request: HttpRequest | None = None) -> None:
    """Nobody comes in later on the word of somebody who has left or is not what they were."""
    waiting = Invitation.objects.open().filter(organization=studio, invited_by=user)
    found = list(waiting)
    waiting.update(revoked_at=now())
    record_many("invitation.revoked", found, actor=actor, request=request, reason="inviter_changed")


def tell_owners(studio: Organization, name: str, *, about: User, but: tuple[User, ...]) -> None:
    """A mail to each owner except `but`; a mail server that is down is logged, since what happened stands."""
    for owner in _owners(studio).exclude(user__in=but):
        _tell(owner.user, name, studio=studio, about=about)


def _tell(user: User, name: str, *, studio: Organization, about: User) -> None:
    url = settings.PUBLIC_URL + reverse("settings_studio")
    context = {"name": user.get_short_name(), "person": str(about), "studio": studio.name, "url": url}
    try:
        send_account_mail(name, to=user.email, language=user.language, context=context)
    except OSError as error:
        logger.warning("mail about a studio not sent", extra={"mail": name, "error": type(error).__name__})
