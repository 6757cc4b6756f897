"""When a maintenance job runs next, and what came of each time."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from integrations.schedule import parse


class MaintenanceJob(models.Model):
    """The schedule of one job: a cleanup by its name, or the backup."""

    name = models.CharField(primary_key=True, max_length=40)
    schedule = models.CharField(
        _("times of day"), max_length=100, blank=True, help_text=_("In UTC: 03:30, or 03:30,15:30. Empty: only by hand.")
    )
    next_run_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("maintenance job")
        verbose_name_plural = _("maintenance jobs")
        indexes = [models.Index(fields=["next_run_at"], name="operations_job_due")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            parse(self.schedule)
        except ValueError:
            raise ValidationError({"schedule": _("Write times as 03:30 or 03:30,15:30.")}) from None


class CleanupRun(models.Model):
    """One cleanup that was asked for: the row is the queue, and holds the counts afterwards."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("by hand")
        SCHEDULE = "schedule", _("on schedule")
        COMMAND = "command", _("at the command line")

    LIVE = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=40)
    trigger = models.CharField(max_length=8, choices=Trigger, default=Trigger.MANUAL)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    asked_by = models.UUIDField(null=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        verbose_name = _("cleanup")
        verbose_name_plural = _("cleanups")
        indexes = [
            models.Index(fields=["name", "-asked_at"], name="operations_cleanup_history"),
            models.Index(fields=["asked_at"], condition=models.Q(status__in=["queued", "running"]), name="operations_cleanup_queue"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(status__in=["queued", "running"]), name="operations_one_live_cleanup"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.asked_at:%Y-%m-%d %H:%M}"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE
