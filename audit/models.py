"""What happened: the activity log. Append-only, partitioned by month; nothing has a foreign key to it."""

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from vault.fields import SealedTextField
from vault.services import Owner, instance_month, person


class ActivityQuerySet(models.QuerySet):
    def by(self, actor_id: UUID) -> Self:
        return self.filter(actor_id=actor_id)


class Activity(models.Model):
    """One act: who, what, on what, from where, by which credential.

    Ids and keyed hashes in clear; address and agent sealed under the actor's data key (the month's instance key for
    nobody's account). `canonical` is the text the sealer hashes; `tx` is the writing transaction (both for the seal).
    The table is made by hand in the first migration: its real key is (recorded_at, id).
    """

    class ActorKind(models.TextChoices):
        USER = "user"
        ANONYMOUS = "anonymous"
        SYSTEM = "system"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recorded_at = models.DateTimeField()
    tx = models.BigIntegerField(editable=False)
    action = models.CharField(max_length=64)
    actor_kind = models.CharField(max_length=12, choices=ActorKind)
    actor_id = models.UUIDField(null=True)
    credential = models.CharField(max_length=12)
    credential_id = models.CharField(max_length=64)
    organization_id = models.UUIDField(null=True)
    target_type = models.CharField(max_length=64)
    target_id = models.CharField(max_length=64)
    request_id = models.CharField(max_length=36)
    details = models.JSONField(default=dict)
    address = SealedTextField()
    agent = SealedTextField()
    address_hash = models.BinaryField(null=True)
    account_hash = models.BinaryField(null=True)
    canonical = models.TextField()

    objects = ActivityQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("activity")
        verbose_name_plural = _("activity")
        indexes = [
            models.Index(fields=["-recorded_at", "-id"], name="audit_newest"),
            models.Index(fields=["actor_id", "-recorded_at"], name="audit_by_actor"),
            models.Index(fields=["action", "-recorded_at"], name="audit_by_action"),
            models.Index(fields=["target_id", "-recorded_at"], name="audit_by_target"),
            models.Index(fields=["address_hash", "-recorded_at"], condition=Q(address_hash__isnull=False), name="audit_by_address"),
            models.Index(fields=["account_hash", "-recorded_at"], condition=Q(account_hash__isnull=False), name="audit_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.recorded_at:%Y-%m-%d %H:%M:%S}"

    @property
    def key_owner(self) -> Owner:
        return person(self.actor_id) if self.actor_id else instance_month(self.recorded_at)
