"""What pipelines keep for their owner as it is."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from integrations.models.pipelines import Pipeline

if TYPE_CHECKING:
    from accounts.models import User


class DatasetRowQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(owner=user)

    def search(self, words: str) -> Self:
        """Rows in which all of the words stand, in whatever field."""
        found = self.annotate(as_text=Cast("data", models.TextField())) if words.split() else self
        for word in words.split()[:10]:
            found = found.filter(models.Q(as_text__icontains=word) | models.Q(item_id__icontains=word))
        return found


class DatasetRow(models.Model):
    """One thing that a pipeline with the destination `dataset` keeps for its owner, a person or the instance."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="rows", db_index=False)  # others begin with it
    owner = models.ForeignKey(  # the connection's
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    item_id = models.CharField(max_length=255)
    data = models.JSONField(default=dict)
    stored_at = models.DateTimeField(default=timezone.now, editable=False)
    seen_at = models.DateTimeField(default=timezone.now, help_text=_("When a run last found it, to the day."))

    objects = DatasetRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("row of a dataset")
        verbose_name_plural = _("rows of datasets")
        ordering = ["-stored_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["pipeline", "item_id"], name="integrations_one_row_per_item")]
        indexes = [
            models.Index(fields=["owner", "-stored_at", "-id"], name="integrations_dataset_newest"),
            models.Index(fields=["pipeline", "-stored_at", "-id"], name="integrations_dataset_of_one"),
            models.Index(fields=["pipeline", "seen_at"], name="integrations_dataset_expiry"),
        ]

    def __str__(self) -> str:
        return self.item_id
