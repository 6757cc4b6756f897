"""Writes to accounts: each in one transaction with its activity record."""

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Consent, Membership, Organization, User, canonical_email
from accounts.roles import Role
from audit.services import record


def create_organization(owner: User, *, name: str = "", request: HttpRequest | None = None) -> Organization:
    """A studio of the owner's own; every account has one."""
    studio = Organization.objects.create(name=name or owner.name or owner.get_short_name())
    Membership.objects.create(organization=studio, user=owner, role=Membership.Role.OWNER)
    record("organization.created", studio, actor=owner, request=request, organization_id=studio.pk)
    return studio


@transaction.atomic
def complete_sign_up(user: User, *, request: HttpRequest | None, method: str) -> None:
    """What every new account gets, whatever way it came: the lowest role, a studio, a record."""
    if user.role != Role.MEMBER:
        raise ValidationError(_("New accounts start as members."))
    record("user.created", user, actor=user, request=request, method=method)
    create_organization(user, request=request)


@transaction.atomic
def discard_unconfirmed(emails: Iterable[str], *, request: HttpRequest | None = None) -> None:
    """Remove sign-ups with these addresses that nobody ever confirmed, now that somebody has proved to own them.

    Otherwise a stranger could sign up with another's address first, and wait, password in hand, until its owner confirms it.
    """
    waiting = User.objects.filter(email__in=emails, role=Role.MEMBER, last_login=None, socialaccount=None)
    for user in waiting.exclude(emailaddress__verified=True).select_for_update(of=("self",)):
        record("user.deleted", user, request=request, reason="never_confirmed")
        Organization.objects.filter(memberships__user=user, memberships__role=Membership.Role.OWNER).delete()
        user.delete()


@transaction.atomic
def create_admin(*, email: str, password: str, name: str = "") -> User:
    """The primary administrator, from the command line only.

    Raises ValidationError for an unusable address, a weak password, a taken address, or when there already is one.
    """
    if User.objects.filter(is_primary_admin=True).exists():
        raise ValidationError(_("There already is a primary administrator."))
    user = User(email=canonical_email(email), name=name, role=Role.ADMIN, is_primary_admin=True)
    if User.objects.filter(email__iexact=user.email).exists():
        raise ValidationError(_("An account with this address exists."))
    user.clean_fields(exclude=["password"])
    validate_password(password, user)
    user.set_password(password)
    user.save(force_insert=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    record("user.created", user, method="command", role=Role.ADMIN.value)
    create_organization(user)
    return user


@transaction.atomic
def grant_consent(user: User, *, purpose: str, text_version: str, scopes: list[str], request: HttpRequest | None = None) -> Consent:
    """Store that `user` agreed, once per wording and set of scopes."""
    consent = Consent.objects.create(user=user, purpose=purpose, text_version=text_version, scopes=sorted(scopes))
    record("consent.granted", consent, actor=user, request=request, purpose=purpose, text_version=text_version, scopes=sorted(scopes))
    return consent


@transaction.atomic
def withdraw_consent(user: User, *, purpose: str, request: HttpRequest | None = None) -> int:
    """End every consent of `user` for `purpose`; returns how many."""
    number = Consent.objects.filter(user=user, purpose=purpose, withdrawn_at=None).update(withdrawn_at=timezone.now())
    if number:
        record("consent.withdrawn", user, actor=user, request=request, purpose=purpose)
    return number


@transaction.atomic
def update_profile(user: User, *, changes: dict[str, Any], request: HttpRequest | None = None) -> User:
    """Store changed profile fields; the record says which, never their values."""
    changed = sorted(name for name, value in changes.items() if getattr(user, name) != value)
    if changed:
        for name in changed:
            setattr(user, name, changes[name])
        user.save(update_fields=changed)
        record("user.updated", user, actor=user, request=request, fields=changed)
    return user


@transaction.atomic
def rename_organization(studio: Organization, *, name: str, actor: User, request: HttpRequest | None = None) -> Organization:
    studio.name = name
    studio.save(update_fields=["name"])
    record("organization.updated", studio, actor=actor, request=request, organization_id=studio.pk, fields=["name"])
    return studio
