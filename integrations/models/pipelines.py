"""What is done to what is read, where it goes, and what each run came to."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from integrations import schedule as schedules
from integrations.models.connections import Connection
from integrations.models.transformations import Transformation, TransformationVersion

if TYPE_CHECKING:
    from accounts.models import User


class PipelineQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(connection__owner=user)

    def of_mailboxes(self) -> Self:
        return self.filter(connection__provider=Connection.Provider.GMAIL)

    def due(self, now: datetime) -> Self:
        return self.filter(enabled=True, next_run_at__lte=now)


def validate_schedule(value: str) -> None:
    try:
        schedules.parse(value)
    except ValueError:
        raise ValidationError(_("Write times of day in UTC, like 03:00,15:00.")) from None


class Pipeline(models.Model):
    """What is read through a connection, what is done to it, where it goes, and when."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="pipelines")
    transformation = models.ForeignKey(Transformation, on_delete=models.PROTECT, related_name="pipelines")
    pinned = models.ForeignKey(
        TransformationVersion,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="pipelines",
        verbose_name=_("version"),
        help_text=_("Empty: always the newest version."),
    )
    destination = models.CharField(max_length=64, default="opportunities")
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("for whom"),
        help_text=_("Whose board or contacts a pipeline of the instance fills."),
    )
    enabled = models.BooleanField(default=True)
    schedule = models.CharField(
        max_length=200,
        default="03:00,15:00",
        blank=True,
        validators=[validate_schedule],
        help_text=_("Times of day in UTC, like 03:00,15:00. Empty: by hand only."),
    )
    next_run_at = models.DateTimeField(null=True, blank=True)
    max_messages = models.PositiveIntegerField(default=10_000, help_text=_("Mails or records read per run at most."))
    max_seconds = models.PositiveIntegerField(default=900, help_text=_("Seconds per run at most."))
    max_per_day = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Mails or records read per day (UTC) at most, by all runs together. Empty: no such limit."),
    )
    keep_days = models.PositiveIntegerField(
        default=90,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text=_("Days for which a row of its dataset is kept after it was last seen."),
    )
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PipelineQuerySet.as_manager()

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = _("pipelines")
        ordering = ["-created_at"]
        permissions = [("execute_pipeline", "Can execute pipelines")]
        indexes = [models.Index(fields=["next_run_at"], condition=Q(enabled=True), name="integrations_pipeline_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def person_id(self) -> UUID | None:
        """To whom belongs what it keeps: the connection's owner, or whoever said that a pipeline of the instance's is for them."""
        return self.connection.owner_id or self.recipient_id

    @property
    def lacks_person(self) -> bool:
        """Whether what it would keep belongs to a person, and there is none (any more)."""
        return self.person_id is None and import_string(settings.PIPELINE_DESTINATIONS[self.destination]).personal

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What it does: its pinned version's steps, or the newest version's."""
        return (self.pinned or self.transformation).steps

    @property
    def version(self) -> int:
        return self.pinned.number if self.pinned else self.transformation.version

    def read_today(self, *, but: "Run") -> int:
        """How much its runs of this day (UTC) have read, without one of them."""
        midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        today = self.runs.filter(queued_at__gte=midnight).exclude(pk=but.pk).order_by().values_list("counts__read", flat=True)
        return sum(found or 0 for found in today)

    def clean(self) -> None:
        """Source, steps and destination must be made for the same kind of thing; some destinations are a person's only."""
        from integrations.connectors import CONNECTORS, MailConnector
        from integrations.steps import MAIL, RECORDS, kind_of

        if self.destination not in settings.PIPELINE_DESTINATIONS:
            raise ValidationError({"destination": _("There is no such destination.")})
        if not (self.connection_id and self.transformation_id):
            return
        destination = import_string(settings.PIPELINE_DESTINATIONS[self.destination])
        if self.connection.provider not in CONNECTORS:
            raise ValidationError({"connection": _("No pipeline reads through this connection.")})
        kind = MAIL if issubclass(CONNECTORS[self.connection.provider], MailConnector) else RECORDS
        if self.lacks_person:
            raise ValidationError({"recipient": _("This belongs to a person, and the connection belongs to the instance: say for whom.")})
        if self.pinned and self.pinned.transformation_id != self.transformation_id:
            raise ValidationError({"pinned": _("That is a version of another transformation.")})
        if kind not in destination.takes:
            raise ValidationError({"destination": _("It does not take what this connection gives.")})
        if kind_of(self.steps) != kind:
            raise ValidationError({"transformation": _("Its steps are not made for what this connection gives.")})


class RunQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(pipeline__connection__owner=user)

    def of_mailboxes(self) -> Self:
        return self.filter(pipeline__connection__provider=Connection.Provider.GMAIL)

    def live(self) -> Self:
        return self.filter(status__in=Run.LIVE)

    def newest_per_pipeline(self) -> Self:
        return self.order_by("pipeline_id", "-queued_at").distinct("pipeline_id").select_related("pipeline__connection")

    def lost(self, now: datetime) -> Self:
        """Running, but nobody has been heard of for too long."""
        return self.filter(status=Run.Status.RUNNING, heartbeat_at__lt=now - Run.LOST_AFTER)


class Run(models.Model):
    """One execution of a pipeline."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Reading")
        SUCCEEDED = "succeeded", _("Finished")
        PARTIAL = "partial", _("Finished in part")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Stopped")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("by hand")
        CONNECTED = "connected", _("first read")
        SCHEDULE = "schedule", _("on schedule")
        CONTINUATION = "continuation", _("continued")
        ARRIVAL = "arrival", _("on arrival")

    LIVE = (Status.QUEUED, Status.RUNNING)
    LOST_AFTER = timedelta(seconds=90)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    trigger = models.CharField(max_length=16, choices=Trigger, default=Trigger.MANUAL)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    lease = models.UUIDField(null=True, blank=True, editable=False, help_text=_("Token of the process that runs it."))
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    transformation_version = models.PositiveIntegerField(null=True, editable=False)
    counts = models.JSONField(default=dict, blank=True)
    cursor_before = models.JSONField(default=dict, blank=True)
    cursor_after = models.JSONField(default=dict, blank=True)
    stop_reason = models.CharField(max_length=64, blank=True)
    queued_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ["-queued_at"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline"], condition=Q(status__in=["queued", "running"]), name="integrations_one_live_run"),
        ]
        indexes = [
            models.Index(fields=["pipeline", "-queued_at"], name="integrations_run_history"),
            models.Index(fields=["-queued_at", "-id"], name="integrations_run_newest"),
            models.Index(fields=["status", "-queued_at"], name="integrations_run_status"),
            models.Index(fields=["trigger", "-queued_at"], name="integrations_run_trigger"),
            models.Index(fields=["queued_at"], condition=Q(status="queued"), name="integrations_run_queue"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE


class RunEvent(models.Model):
    """Something worth telling about a run: a code and numbers, never content."""

    class Level(models.TextChoices):
        INFO = "info", _("Info")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    code = models.CharField(max_length=64)
    text = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("run event")
        verbose_name_plural = _("run events")
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["run", "at"], name="integrations_event_order")]

    def __str__(self) -> str:
        return self.code
