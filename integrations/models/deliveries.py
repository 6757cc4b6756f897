"""What other systems delivered to an address of ours, until its pipelines have taken it in."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from integrations.models.connections import Connection
from integrations.models.pipelines import Pipeline
from vault.fields import SealedTextField
from vault.services import Owner

REMEMBERED = timedelta(minutes=15)  # longer than a signature is good for: a delivery that comes again finds the first
WAITS = timedelta(days=7)  # for a pipeline that takes it in


class DeliveryQuerySet(models.QuerySet):
    def waiting(self) -> Self:
        return self.filter(applied_at=None)

    def waiting_for(self, pipeline: Pipeline) -> Self:
        """In the order of arrival; what came before any pipeline was there is taken in by the first that comes."""
        its = Q(pipeline_id=pipeline.pk) | Q(pipeline_id=None)
        return self.waiting().filter(its, connection_id=pipeline.connection_id).order_by("received_at", "id")

    def to_remove(self, now: datetime) -> Self:
        return self.filter(Q(applied_at__lt=now - REMEMBERED) | Q(applied_at=None, received_at__lt=now - WAITS))


class Delivery(models.Model):
    """One accepted delivery for one pipeline. `body` goes when it is taken in; `digest` stays a little, so that nothing counts twice."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="deliveries")
    pipeline = models.ForeignKey(Pipeline, models.CASCADE, null=True, related_name="deliveries")
    digest = models.BinaryField(max_length=32, editable=False)
    body = SealedTextField()
    received_at = models.DateTimeField(default=timezone.now, editable=False)
    applied_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "pipeline", "digest"], nulls_distinct=False, name="integrations_one_delivery_per_digest"
            )
        ]
        indexes = [
            models.Index(fields=["connection", "received_at", "id"], condition=Q(applied_at=None), name="integrations_delivery_queue"),
            models.Index(fields=["received_at"], name="integrations_delivery_age"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def key_owner(self) -> Owner:
        return self.connection.key_owner
