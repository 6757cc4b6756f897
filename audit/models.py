"""What happened: the activity log. Append-only, partitioned by month; nothing has a foreign key to it."""

import hashlib
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from audit.alerts.models import AlertNote, SecurityAlert
from vault.fields import SealedTextField
from vault.services import Owner, instance_month, person

__all__ = ["Activity", "AlertNote", "AuditArchive", "AuditSeal", "HeadTarget", "SealLeaves", "SecurityAlert"]


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


class AuditSeal(models.Model):
    """One batch of activity, sealed: append-only, chained by `previous_head`, signed.

    It covers every row of the log after the seal before it, up to and with (`to_tx`, `to_id`), in the order of (tx, id), all of
    one month and one epoch. `audit.seal.rows` says what is hashed, `audit.seal.chain` what `head` is computed over.
    """

    number = models.BigIntegerField(primary_key=True)  # 1, 2, 3, …: a gap is a removed seal
    epoch = models.IntegerField()  # counted up when the database's transaction numbers start anew (restore)
    month = models.DateField()
    from_tx = models.BigIntegerField()
    from_id = models.UUIDField()
    to_tx = models.BigIntegerField()
    to_id = models.UUIDField()
    count = models.IntegerField()
    discordant = models.IntegerField()  # rows whose canonical text did not say what their columns did, when they were sealed
    doubt = models.BooleanField()  # the seal before this one did not verify when this one was made
    rows_hash = models.BinaryField(max_length=32)
    leaves_hash = models.BinaryField(max_length=32)
    previous_head = models.BinaryField(max_length=32)
    head = models.BinaryField(max_length=32)
    public_key = models.BinaryField(max_length=32)
    proof = models.BinaryField(max_length=64)  # Ed25519 signature of the head
    sealed_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        indexes = [models.Index(fields=["month"], name="audit_seal_month")]

    def __str__(self) -> str:
        return f"{self.number}"

    @property
    def key_id(self) -> str:
        return hashlib.sha256(bytes(self.public_key)).hexdigest()[:16]


class SealLeaves(models.Model):
    """Which rows a seal covers: id and the start of each row's own hash, so that verification can name the row at fault.

    Goes with its month; the seal stays.
    """

    number = models.BigIntegerField(primary_key=True)
    month = models.DateField()
    leaves = models.BinaryField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["month"], name="audit_leaves_month")]

    def __str__(self) -> str:
        return f"{self.number}"


class HeadTarget(models.Model):
    """How far a place outside the database has the heads."""

    name = models.CharField(primary_key=True, max_length=300)
    delivered_number = models.BigIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    error = models.CharField(max_length=200, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AuditArchive(models.Model):
    """A month that went into the archive, or an archive that was removed: append-only, signed."""

    class Kind(models.TextChoices):
        ARCHIVED = "archived"
        REMOVED = "removed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    month = models.DateField()
    rows = models.BigIntegerField()
    seals = models.BigIntegerField()
    last_seal = models.BigIntegerField()
    manifest_hash = models.BinaryField(max_length=32)
    made_at = models.DateTimeField()
    public_key = models.BinaryField(max_length=32)
    proof = models.BinaryField(max_length=64)

    class Meta:
        default_permissions = ()
        verbose_name = _("archive of activity")
        verbose_name_plural = _("archives of activity")
        constraints = [models.UniqueConstraint(fields=["month", "kind", "last_seal"], name="audit_archive_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.month:%Y-%m}"
