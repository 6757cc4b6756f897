"""A file of contacts somebody brought, from its preview to its undoing."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from studio.models.owned import OwnedQuerySet
from vault.fields import SealedTextField
from vault.services import Owner, organization

WAITS = timedelta(days=1)


class ContactImportQuerySet(OwnedQuerySet):
    def abandoned(self, now: datetime) -> Self:
        """Files whose preview nobody came back to within a day."""
        return self.filter(status=ContactImport.Status.PREVIEW, created_at__lt=now - WAITS)


class ContactImport(models.Model):
    """`content` holds the file, sealed, only while its preview waits; afterwards the row says what came of it.

    What a run of a pipeline brought is one, too: `source` names where it came from, and there was no preview.
    """

    class Status(models.TextChoices):
        PREVIEW = "preview", _("Waiting for your word")
        DONE = "done", _("Imported")
        UNDONE = "undone", _("Undone")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="contact_imports")
    imported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status, default=Status.PREVIEW)
    content = SealedTextField()
    columns = models.JSONField(default=list)  # for each column of the file the field it fills, or ""
    language = models.CharField(max_length=5, default="en")  # of contacts whose row names none
    source = models.CharField(max_length=80, blank=True, editable=False)
    run_id = models.UUIDField(null=True, unique=True, editable=False)  # `integrations.Run`
    created_count = models.PositiveIntegerField(default=0)
    known_count = models.PositiveIntegerField(default=0)  # rows whose address was a contact's already
    refused_count = models.PositiveIntegerField(default=0)
    removed_count = models.PositiveIntegerField(default=0)  # contacts that undoing took away again
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    imported_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)

    objects = ContactImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import of contacts")
        verbose_name_plural = _("imports of contacts")
        indexes = [models.Index(fields=["organization", "-created_at"], name="studio_import_list")]

    def __str__(self) -> str:
        return f"{self.status} {self.created_at:%Y-%m-%d}"

    @property
    def key_owner(self) -> Owner:
        return organization(self.organization_id)


class ContactOrigin(models.Model):
    """That a record of some source has become a contact: it does not become a second one, even where the first was deleted since."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="+")
    pipeline_id = models.UUIDField()
    record_hash = models.BinaryField(max_length=32)  # keyed, of what the source calls it
    contact_id = models.UUIDField(db_index=True)  # plain: it outlives the contact
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        default_permissions = ()
        verbose_name = _("origin of a contact")
        verbose_name_plural = _("origins of contacts")
        constraints = [models.UniqueConstraint(fields=["organization", "pipeline_id", "record_hash"], name="studio_one_contact_per_record")]

    def __str__(self) -> str:
        return str(self.pk)
