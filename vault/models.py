"""Stored key material: salts of the master keys and wrapped data keys. No lower model refers to a higher one."""

from django.db import models
from django.db.models.functions import Now

from aaperture.lib.uuid7 import uuid7


class KeySalt(models.Model):
    """The random scrypt salt of one master key of `ENCRYPTION_KEYS`; the key itself is never stored."""

    kid = models.CharField(primary_key=True, max_length=32)
    salt = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(db_default=Now())

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
