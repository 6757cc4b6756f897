"""Writes to accounts: each in one transaction with its activity record.

What one person does to another's account is judged by `accounts.protections` on the locked rows. Those functions raise
`Refused`, and `StepUpRequired` where the act is sensitive and `request` says who is at the keyboard.
"""

from collections.abc import Callable, Iterable
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.password_reset import request_password_reset
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from aaperture.lib.account_mail import send_account_mail
from accounts import protections
from accounts import step_up as proof
from accounts.models import Membership, Organization, User, canonical_email
from accounts.protections import Refused
from accounts.reset_links import FirstLinks
from accounts.roles import STAFF, Role
from accounts.services import sessions
from accounts.services.studios import create_organization
from audit.services import record
from vault.services import destroy_key, organization, person

EDITABLE = frozenset({"name", "language", "timezone"})  # the address is changed by its owner only, who proves to have it
ON_DELETION: list[Callable[[User, User, HttpRequest], None]] = []  # what apps above do in the same transaction: who goes, who does it


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
def replace_password(user: User, password: str) -> None:
    """From the command line only, for whoever has lost theirs; every session ends. Raises ValidationError for a weak one."""
    validate_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    record("password.reset", user, method="command")
    sessions.end_all(user, reason="password_reset")


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


def create_user(actor: User, *, email: str, name: str = "", role: str = Role.MEMBER, language: str = "en", request: HttpRequest) -> User:
    """An account without a password; its owner gets a mail with a link to set one.

    Raises Refused, ValidationError for an unusable or taken address; an SMTP error is the caller's to tell (the account stands).
    """
    with transaction.atomic():
        user = _new_account(actor, email=email, name=name, role=role, language=language, request=request)
    send_invitation(user)
    return user


def _new_account(actor: User, *, email: str, name: str, role: str, language: str, request: HttpRequest) -> User:
    protections.check_grant(actor, role)
    if role in STAFF:
        step_up(request)
    user = User(email=canonical_email(email), name=name.strip(), role=role, language=language)
    user.set_unusable_password()
    user.clean_fields()
    if User.objects.filter(email__iexact=user.email).exists() or EmailAddress.objects.filter(email__iexact=user.email).exists():
        raise ValidationError({"email": _("An account with this address exists.")})
    user.save(force_insert=True)
    EmailAddress.objects.create(user=user, email=user.email, verified=False, primary=True)
    record("user.created", user, actor=actor, request=request, method="staff", role=role)
    create_organization(user, request=request)
    return user


def send_invitation(user: User) -> None:
    """The mail that lets somebody with an account made for them set its first password."""
    kwargs = {"uidb36": user_pk_to_url_str(user), "key": FirstLinks().make_token(user)}
    url = settings.PUBLIC_URL + reverse("account_reset_password_from_key", kwargs=kwargs)
    context = {"name": user.get_short_name(), "url": url}
    send_account_mail("account_made", to=user.email, language=user.language, context=context)


@transaction.atomic
def edit_user(actor: User, user: User, changes: dict[str, Any], request: HttpRequest) -> User:
    """Store changed profile fields (name, language, time zone). Raises Refused, ValidationError for any other field."""
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "edit", request)
    if foreign := sorted(set(changes) - EDITABLE):
        raise ValidationError(_("These cannot be changed here: %(fields)s.") % {"fields": ", ".join(foreign)})
    changed = sorted(name for name, value in changes.items() if getattr(user, name) != value)
    if changed:
        for name in changed:
            setattr(user, name, changes[name])
        user.clean_fields(exclude=["password"])
        user.save(update_fields=changed)
        record("user.updated", user, actor=actor, request=request, fields=changed)
    return user


@transaction.atomic
def change_role(actor: User, user: User, role: str, request: HttpRequest) -> User:
    """Acts on the next request of whoever it is: their permissions are read anew each time."""
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "change_role", request, role=role)
    step_up(request)
    if role == user.role:
        return user
    protections.require_another_admin(user)
    old, user.role = user.role, role
    user.save(update_fields=["role"])
    record("role.changed", user, actor=actor, request=request, old=old, new=str(role))
    return user


@transaction.atomic
def activate(actor: User, user: User, request: HttpRequest) -> User:
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "activate_deactivate", request)
    if user.role in STAFF:
        step_up(request)
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
        record("user.activated", user, actor=actor, request=request)
    return user


@transaction.atomic
def deactivate(actor: User, user: User, request: HttpRequest) -> User:
    """Ends every session at once; keys stop with the account."""
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "activate_deactivate", request)
    if user.role == Role.ADMIN:
        step_up(request)
    if user.is_active:
        protections.require_another_admin(user)
        user.is_active = False
        user.save(update_fields=["is_active"])
        record("user.deactivated", user, actor=actor, request=request)
        sessions.end_all(user, actor=actor, request=request, reason="deactivated")
    return user


@transaction.atomic
def delete_user(actor: User, user: User, request: HttpRequest) -> None:
    """The account, what it owns, and the studios that nobody else belongs to. Raises Refused for the last owner of a shared studio."""
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "delete", request)
    step_up(request)
    own = [row.organization_id for row in Membership.objects.current().filter(user=user, role=Membership.Role.OWNER)]
    shared = Membership.objects.current().filter(organization__in=own).exclude(user=user)
    owned_by_others = set(shared.filter(role=Membership.Role.OWNER).values_list("organization_id", flat=True))
    shared_studios = set(shared.values_list("organization_id", flat=True))
    if shared_studios - owned_by_others:
        raise Refused(protections.LAST_OWNER, "last_owner")
    sessions.end_all(user, actor=actor, request=request, reason="deleted")
    record("user.deleted", user, actor=actor, request=request, reason="staff")
    for follow in ON_DELETION:
        follow(user, actor, request)
    for studio in (alone := set(own) - shared_studios):
        destroy_key(organization(studio))
    try:
        Organization.objects.filter(pk__in=alone).delete()
    except ProtectedError:
        raise Refused(protections.DOCUMENTS, "documents") from None
    destroy_key(person(user.pk))
    user.delete()


def send_password_reset(actor: User, user: User, request: HttpRequest) -> None:
    """A link by mail; nobody sees or chooses the password. Never for administrators, never by developers."""
    actor, user = User.objects.get(pk=actor.pk), User.objects.get(pk=user.pk)
    protections.check(actor, user, "reset_password", request)
    if not user.is_active:
        raise Refused(protections.INACTIVE, "inactive")
    record("password.reset", user, actor=actor, request=request, by="staff")
    request_password_reset(request, user.email, [user], default_token_generator)


@transaction.atomic
def end_sessions(actor: User, user: User, request: HttpRequest) -> int:
    """Signs somebody out everywhere; returns of how many sessions."""
    actor, user = protections.lock(actor, user)
    protections.check(actor, user, "edit", request)
    return sessions.end_all(user, actor=actor, request=request, reason="staff")


def step_up(request: HttpRequest | None) -> None:
    """Raises StepUpRequired unless whoever sends `request` has proved who they are in the last minutes."""
    if request is not None:
        proof.require(request)
