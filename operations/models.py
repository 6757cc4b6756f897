"""The quarterly review of who has what; copies of somebody's data; accounts to be erased."""

from datetime import datetime, timedelta

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from operations.backups.models import Backup
from operations.containment.models import BlockedNetwork
from operations.maintenance.models import CleanupRun, MaintenanceJob

__all__ = [
    "AccessReview", "AccessReviewEntry", "Backup", "BlockedNetwork", "CleanupRun", "DataExport", "Erasure", "ExportChunk", "MaintenanceJob",
]  # fmt: skip


class AccessReview(models.Model):
    """One quarter's look at every account with rights, signed off by an administrator."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    quarter = models.CharField(_("quarter"), max_length=7, unique=True)  # "2026-Q4"
    opened_at = models.DateTimeField(_("opened"), default=now, editable=False)
    opened_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    signed_at = models.DateTimeField(_("signed off"), null=True)
    signed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    note = models.TextField(_("note"), blank=True, max_length=2000)

    class Meta:
        verbose_name = _("access review")
        verbose_name_plural = _("access reviews")

    def __str__(self) -> str:
        return self.quarter


class AccessReviewEntry(models.Model):
    """What one account had when the review was opened, and what the reviewer decided."""

    class Decision(models.TextChoices):
        KEEP = "keep", _("Keep")
        CHANGE = "change", _("To be changed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(AccessReview, models.CASCADE, related_name="entries")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    role = models.CharField(max_length=12)
    is_active = models.BooleanField()
    last_login = models.DateTimeField(null=True)
    second_factor = models.BooleanField()
    open_keys = models.PositiveIntegerField(default=0)
    decision = models.CharField(max_length=6, choices=Decision, blank=True)
    decided_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "user"], name="operations_one_entry_per_account")]

    def __str__(self) -> str:
        return f"{self.review_id} {self.user_id}"


class DataExport(models.Model):
    """A copy of everything of one person: the row is the queue, its chunks are the file, sealed under the person's key."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        BUILDING = "building", _("Being put together")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Deleted")

    LIVE = (Status.QUEUED, Status.BUILDING)
    KEPT_FOR = timedelta(hours=24)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="data_exports")
    requested_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    requested_at = models.DateTimeField(default=now, editable=False)
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    lease = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    downloaded_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("data export")
        verbose_name_plural = _("data exports")
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(status__in=["queued", "building"]), name="operations_one_export_at_a_time"
            )
        ]
        indexes = [
            models.Index(fields=["user", "-requested_at"], name="operations_export_of_user"),
            models.Index(fields=["expires_at"], condition=models.Q(status="ready"), name="operations_export_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @property
    def is_ready(self) -> bool:
        """Whether it can be downloaded now."""
        return self.status == self.Status.READY and self.expires_at is not None and self.expires_at > now()

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0


class ExportChunk(models.Model):
    """One sealed piece of an export's ZIP, bound to its export and its place in it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    export = models.ForeignKey(DataExport, models.CASCADE, related_name="chunks")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="operations_one_chunk_per_place")]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"


class Erasure(models.Model):
    """An account that is to be erased, and the proof afterwards that it was. Refers to the account by its random id only."""

    class Status(models.TextChoices):
        REQUESTED = "requested", _("Being closed")  # asked for; connections are being withdrawn, then the mail goes out
        WAITING = "waiting", _("Waiting for its day")
        PURGING = "purging", _("Being erased")  # its day has come: no way back
        WITHDRAWN = "withdrawn", _("Taken back")
        DONE = "done", _("Erased")

    OPEN = (Status.REQUESTED, Status.WAITING, Status.PURGING)
    GRACE = timedelta(days=30)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account_id = models.UUIDField()
    requested_at = models.DateTimeField(default=now, editable=False)
    requested_by_id = models.UUIDField(null=True)
    due_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.REQUESTED)
    withdrawn_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    studios = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        constraints = [
            models.UniqueConstraint(
                fields=["account_id"],
                condition=models.Q(status__in=["requested", "waiting", "purging"]),
                name="operations_one_open_erasure",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=models.Q(status__in=["requested", "waiting", "purging"]), name="operations_erasure_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.account_id}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def last_day_to_withdraw(self) -> datetime:
        """Until when the mailed link takes it back."""
        return self.due_at - timedelta(days=1)
