"""A backup that was asked for: the row is the queue, and remembers what came of it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class Backup(models.Model):
    """`name` is its folder on the shelf; the rows themselves are in no backup."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Being made")
        DONE = "done", _("Whole")
        FAILED = "failed", _("Failed")
        REMOVED = "removed", _("Removed")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("by hand")
        SCHEDULE = "schedule", _("on schedule")
        COMMAND = "command", _("at the command line")
        FOUND = "found", _("found on the shelf")

    LIVE = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=40, blank=True)
    trigger = models.CharField(max_length=8, choices=Trigger, default=Trigger.MANUAL)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    asked_by = models.UUIDField(null=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    error = models.CharField(max_length=64, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        indexes = [models.Index(fields=["-asked_at", "-id"], name="operations_backup_newest")]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=~models.Q(name=""), name="operations_one_backup_per_name"),
            models.UniqueConstraint(
                models.Case(models.When(status__in=["queued", "running"], then=models.Value(True))), name="operations_one_live_backup"
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @property
    def is_whole(self) -> bool:
        return self.status == self.Status.DONE

    @property
    def percent(self) -> int:
        return min(100 * self.done // self.total, 99) if self.total else 0

    @property
    def expires_at(self) -> datetime | None:
        return self.finished_at + timedelta(days=settings.BACKUP_DAYS) if self.finished_at else None
