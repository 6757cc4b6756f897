"""Studios: who belongs to one, who is invited to one."""

from typing import Any, Self

from django.db import models
from django.db.models import Case, Value, When
from django.db.models.functions import Lower
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class Organization(models.Model):
    """A studio. Business rows belong to it; every new account gets one of its own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=150)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name = _("studio")
        verbose_name_plural = _("studios")

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet):
    def current(self) -> Self:
        return self.filter(ended_at=None)

    def of(self, user: Any) -> Self:
        """The studios somebody belongs to now: the one in use first, then their own, then the oldest."""
        chosen = Case(When(organization=user.organization_id, then=0), default=1) if user.organization_id else Value(0)
        owned = Case(When(role=Membership.Role.OWNER, then=0), default=1)
        found = self.current().filter(user=user).select_related("organization")
        return found.alias(_chosen=chosen, _owned=owned).order_by("_chosen", "_owned", "joined_at", "pk")

    def in_order(self) -> Self:
        """A studio's people as a list shows them: owners first, then by when they came."""
        rank = Case(*(When(role=role, then=place) for place, role in enumerate(Membership.Role.values)))
        return self.current().select_related("user").alias(_rank=rank).order_by("_rank", "joined_at", "pk")


class Membership(models.Model):
    """One person in one studio, with a role there; ended ones are kept."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Manager")
        ASSISTANT = "assistant", _("Assistant")
        ACCOUNTANT = "accountant", _("Accountant")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role, default=Role.OWNER)
    joined_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"],
                condition=models.Q(ended_at=None),
                name="accounts_one_membership_per_studio",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class InvitationQuerySet(models.QuerySet):
    def open(self) -> Self:
        """Neither accepted, declined nor revoked; the date may have passed."""
        return self.filter(accepted_at=None, revoked_at=None)

    def valid(self) -> Self:
        """What can still be accepted."""
        return self.open().filter(expires_at__gt=now())

    def for_user(self, user: Any) -> Self:
        """What can still be accepted by this person: sent to an address that they have proved to own."""
        owned = user.emailaddress_set.filter(verified=True).values(lower=Lower("email"))
        return self.valid().filter(email__in=owned).select_related("organization", "invited_by")


class Invitation(models.Model):
    """An invitation to a studio, sent by mail. Only the hash of its link's token is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"), max_length=254)
    role = models.CharField(_("role"), max_length=12, choices=Membership.Role)
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="accounts_one_open_invitation",
            )
        ]

    def __str__(self) -> str:
        return f"{self.organization_id} {self.role}"

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= now()
