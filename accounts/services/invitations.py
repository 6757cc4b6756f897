"""Invitations to a studio: a link by mail, good once and for seven days, for the person who owns the invited address.

Only the hash of the link's token is stored. Raises like `accounts.services.studios`.
"""

import hashlib
import re
import secrets
import unicodedata
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _

from aaperture.lib.account_mail import send_account_mail
from accounts.models import Invitation, Membership, Organization, User, canonical_email
from accounts.services.studios import lock_studio, tell_owners
from accounts.studio_roles import invitable, require
from audit.services import record

LASTS = timedelta(days=7)
MOST_OPEN = 50  # a studio's open invitations, so that nobody mails the world in its name


class Gone(ValidationError):
    """The invitation was used, declined, withdrawn or replaced, or its time is over."""

    def __init__(self) -> None:
        super().__init__(_("This invitation is not valid any more. Ask for a new one."), code="invitation_gone")


def hash_of(token: str) -> bytes:
    """What is stored of a link's token; it holds 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def invite(studio: Organization, *, email: str, role: str, actor: User, request: HttpRequest | None = None) -> Invitation:
    """Invite an address, or replace what it was sent before: only the newest link works.

    Raises ValidationError "member" or "too_many"; an SMTP error (OSError) is the caller's to tell, the invitation stands.
    """
    email, token = canonical_email(email), secrets.token_urlsafe(32)
    with transaction.atomic():
        studio = lock_studio(studio.pk)
        mine = require(actor, studio, "members.invite")
        if role not in invitable(mine.role):
            raise PermissionDenied
        _require_room(studio, email)
        invitation, action = _store(studio, email=email, role=role, actor=actor, token=token)
        details = {"role": str(role)}
        record(action, invitation, actor=actor, request=request, organization_id=studio.pk, **details)
    _send(invitation, token)
    return invitation


def _require_room(studio: Organization, email: str) -> None:
    members = Membership.objects.current().filter(organization=studio)
    if members.filter(user__emailaddress__email__iexact=email, user__emailaddress__verified=True).exists():
        raise ValidationError(_("This person belongs to the studio already."), code="member")
    if Invitation.objects.valid().filter(organization=studio).exclude(email=email).count() >= MOST_OPEN:
        raise ValidationError(_("There are too many open invitations. Withdraw some first."), code="too_many")


def _store(studio: Organization, *, email: str, role: str, actor: User, token: str) -> tuple[Invitation, str]:
    """A new row, or the address's open one with a new token: its former link is dead. The caller holds the studio's lock."""
    invitation = Invitation.objects.open().filter(organization=studio, email=email).first()
    action = "invitation.resent" if invitation else "invitation.sent"
    invitation = invitation or Invitation(organization=studio, email=email)
    invitation.organization = studio
    invitation.role, invitation.invited_by, invitation.token_hash = role, actor, hash_of(token)
    invitation.expires_at = now() + LASTS
    invitation.save()
    return invitation, action


def resend(invitation: Invitation, *, actor: User, request: HttpRequest | None = None) -> Invitation:
    """A new link, good for seven days again. Raises Gone when it is no longer open, else like `invite`."""
    if not Invitation.objects.open().filter(pk=invitation.pk).exists():
        raise Gone
    return invite(invitation.organization, email=invitation.email, role=invitation.role, actor=actor, request=request)


def _send(invitation: Invitation, token: str) -> None:
    """In the language of the invited person's account if there is one, else in the inviter's, who knows them."""
    inviter, studio = invitation.invited_by, invitation.organization
    account = User.objects.filter(emailaddress__email__iexact=invitation.email, emailaddress__verified=True).first()
    context = {
        "person": _unlinked(inviter.name or inviter.get_short_name()),
        "account": inviter.email,
        "studio": _unlinked(studio.name),
        "role": Membership.Role(invitation.role).label,
        "days": LASTS.days,
        "url": settings.PUBLIC_URL + reverse("invitation_open", args=[token]),
    }
    language = account.language if account else inviter.language
    send_account_mail("studio_invitation", to=invitation.email, language=language, context=context)


def _unlinked(name: str) -> str:
    """A name that no mail program makes a link of: it is somebody's own choice, and the mail goes out in ours."""
    plain = "".join(one for one in unicodedata.normalize("NFKC", name) if one.isprintable())  # no sign that turns the line round either
    return re.sub(r"(?<=\w)[.\u3002](?=\w)", ". ", plain.replace("://", " "))[:80]


@transaction.atomic
def revoke(invitation: Invitation, *, actor: User, request: HttpRequest | None = None) -> None:
    """Withdraw it: its link is dead at once. Raises Gone when it is no longer open."""
    studio = lock_studio(invitation.organization_id)
    mine = require(actor, studio, "members.invite")
    if invitation.role not in invitable(mine.role):
        raise PermissionDenied
    _close(invitation, "invitation.revoked", actor=actor, request=request)


@transaction.atomic
def decline(invitation: Invitation, *, actor: User | None, request: HttpRequest | None = None) -> None:
    """By whoever holds the link or owns the address: the caller has checked that."""
    lock_studio(invitation.organization_id)
    _close(invitation, "invitation.declined", actor=actor, request=request)


def _close(invitation: Invitation, action: str, *, actor: User | None, request: HttpRequest | None) -> None:
    if not Invitation.objects.open().filter(pk=invitation.pk).update(revoked_at=now()):
        raise Gone
    record(action, invitation, actor=actor, request=request, organization_id=invitation.organization_id)


def find(token_hash: bytes) -> Invitation | None:
    """What can still be accepted under this hash."""
    return Invitation.objects.valid().filter(token_hash=token_hash).select_related("organization", "invited_by").first()


def is_for(invitation: Invitation, user: User) -> bool:
    """Whether the invited address is one that this person has proved to own."""
    return EmailAddress.objects.filter(user=user, email__iexact=invitation.email, verified=True).exists()


def accept(invitation: Invitation, *, user: User, request: HttpRequest | None = None) -> Membership:
    """Join the studio and work in it from now on; owners are told.

    Raises PermissionDenied for anybody but the owner of the invited address, Gone, ValidationError "member".
    """
    with transaction.atomic():
        studio = lock_studio(invitation.organization_id)
        row = Invitation.objects.valid().filter(pk=invitation.pk).first()
        if row is None:
            raise Gone
        if not is_for(row, user):
            raise PermissionDenied
        if Membership.objects.current().filter(organization=studio, user=user).exists():
            raise ValidationError(_("You belong to this studio already."), code="member")
        membership = _join(row, studio, user, request)
    tell_owners(studio, "studio_member_joined", about=user, but=(user,))
    return membership


def _join(invitation: Invitation, studio: Organization, user: User, request: HttpRequest | None) -> Membership:
    invitation.accepted_at, invitation.accepted_by = now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    membership = Membership.objects.create(organization=studio, user=user, role=invitation.role)
    user.organization = studio
    user.save(update_fields=["organization"])
    record("invitation.accepted", invitation, actor=user, request=request, organization_id=studio.pk)
    details = {"user_id": str(user.pk), "role": invitation.role}
    record("member.joined", membership, actor=user, request=request, organization_id=studio.pk, **details)
    return membership
