"""Stored key material: salts of the master keys and wrapped data keys. No lower model refers to a higher one."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class KeySalt(models.Model):
    """The random scrypt salt of one master key of `ENCRYPTION_KEYS`; the key itself is never stored."""

    kid = models.CharField(primary_key=True, max_length=32)
    salt = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())
    # set once nothing depends on it: from then on the database refuses data keys that a process with an old ring wraps by it
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.kid


class DataKey(models.Model):
    """The random 32-byte key of one person, organization or month of the instance, wrapped by the ring.

    Destroying a key (`wrapped` emptied, `destroyed_at` set) makes everything sealed under it unreadable for good.
    """

    class Kind(models.TextChoices):
        PERSON = "person"
        ORGANIZATION = "organization"
        INSTANCE = "instance"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12, choices=Kind)
    owner_id = models.UUIDField()
    kid = models.CharField(max_length=32)
    wrapped = models.BinaryField(max_length=128)
    created_at = models.DateTimeField(db_default=Now())
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "owner_id"], name="vault_one_key_per_owner")]
        indexes = [models.Index(fields=["kid"], name="vault_datakey_kid")]

    def __str__(self) -> str:
        return f"{self.kind} {self.owner_id}"

    def associated(self) -> bytes:
        """What the wrapping is bound to, so that one owner's key cannot stand in for another's."""
        return f"aap1|datakey|{self.kind}|{self.owner_id}".encode()


class KeyRotation(models.Model):
    """One round of re-wrapping every data key by the ring's first key. How far it is stands in the data keys themselves."""

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        INCOMPLETE = "incomplete", _("Something is left")
        SUPERSEDED = "superseded", _("Another key came first")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kid = models.CharField(max_length=32)
    asked_at = models.DateTimeField(db_default=Now())
    asked_by = models.UUIDField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    before = models.JSONField(default=dict)  # what each older key had wrapped when it began

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kid"], condition=models.Q(finished_at=None), name="vault_one_open_rotation")]
        indexes = [models.Index(fields=["-asked_at"], name="vault_rotation_asked")]

    def __str__(self) -> str:
        return f"{self.kid} {self.asked_at:%Y-%m-%d %H:%M}"


class KnownSecret(models.Model):
    """When this instance first met a secret of its configuration. The secret itself is not here, only a keyed hash of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    fingerprint = models.BinaryField(max_length=32)
    first_seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["name", "fingerprint"], name="vault_secret_known_once")]

    def __str__(self) -> str:
        return self.name
