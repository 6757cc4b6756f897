"""Files that people add to an e-mail: they lie in the object store from their upload until it has gone, a day at most."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from mailing.models.emails import ScheduledEmail, Status
from studio.models.owned import OwnedQuerySet

UNUSED = timedelta(hours=1)  # uploaded, and the e-mail was never sent off
ENDED = (Status.SENT, Status.FAILED, Status.UNKNOWN, Status.CANCELLED, Status.SKIPPED)


class AddedFileQuerySet(OwnedQuerySet):
    def lying(self) -> Self:
        return self.filter(removed_at=None)

    def to_remove(self, now: datetime) -> Self:
        """Whose e-mail has gone or never will, or who never got one."""
        return self.lying().filter(Q(email__status__in=ENDED) | Q(email=None, created_at__lt=now - UNUSED))


class AddedFile(models.Model):
    """The row names the object; it is there before the object, so that none lies unknown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="added_files")
    email = models.ForeignKey(ScheduledEmail, models.CASCADE, null=True, related_name="files")
    name = models.CharField(max_length=150)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)

    objects = AddedFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("added file")
        verbose_name_plural = _("added files")
        indexes = [models.Index(fields=["created_at"], condition=Q(removed_at=None), name="mailing_files_lying")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def key(self) -> str:
        """In the bucket; says nothing about what it is."""
        return f"tmp/mail/{self.organization_id}/{self.pk}"
