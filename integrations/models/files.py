"""Files of records that somebody brought: sealed, in pieces, until every pipeline that reads them has."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from integrations.models.connections import Connection

if TYPE_CHECKING:
    from integrations.models.pipelines import Pipeline

KEPT_FOR = timedelta(days=1)  # at most, whoever has read it
ARRIVES_WITHIN = timedelta(hours=1)


class SourceFileQuerySet(models.QuerySet):
    def arrived(self) -> Self:
        return self.exclude(arrived_at=None)

    def waiting_for(self, pipeline: "Pipeline") -> Self:
        """Those the pipeline has still to read, the oldest first."""
        return self.arrived().filter(waiting__contains=[str(pipeline.pk)]).order_by("arrived_at", "id")

    def abandoned(self, now: datetime) -> Self:
        """Which never arrived whole, or nobody has come to read."""
        return self.filter(models.Q(created_at__lt=now - KEPT_FOR) | models.Q(arrived_at=None, created_at__lt=now - ARRIVES_WITHIN))


class SourceFile(models.Model):
    """The row is there before its first piece, so that none lies unknown. Its name is not kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="files")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    size = models.PositiveBigIntegerField(default=0)  # bytes
    encoding = models.CharField(max_length=16, blank=True)
    waiting = models.JSONField(default=list)  # ids of the pipelines that have still to read it
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    arrived_at = models.DateTimeField(null=True)

    objects = SourceFileQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("file of records")
        verbose_name_plural = _("files of records")
        indexes = [models.Index(fields=["created_at"], name="integrations_file_age")]

    def __str__(self) -> str:
        return str(self.pk)


class SourcePiece(models.Model):
    """One sealed piece, bound to its file and its place in it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    file = models.ForeignKey(SourceFile, models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        verbose_name = _("piece of a file of records")
        verbose_name_plural = _("pieces of files of records")
        constraints = [models.UniqueConstraint(fields=["file", "number"], name="integrations_one_piece_per_place")]

    def __str__(self) -> str:
        return str(self.number)
