"""Writes to accounts: each in one transaction with its activity record."""

from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.models import Membership, Organization, User, canonical_email
from accounts.roles import Role
from accounts.services.studios import create_organization
from audit.services import record


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
def update_profile(user: User, *, changes: dict[str, Any], request: HttpRequest | None = None) -> User:
    """Store changed profile fields; the record says which, never their values."""
    changed = sorted(name for name, value in changes.items() if getattr(user, name) != value)
    if changed:
        for name in changed:
            setattr(user, name, changes[name])
        user.save(update_fields=changed)
        record("user.updated", user, actor=user, request=request, fields=changed)
    return user
