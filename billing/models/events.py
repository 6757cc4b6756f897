"""What Stripe told us, and where we and Stripe disagree.

Of an event only its envelope is kept: what it is about is read from Stripe again before anything is done, and its copy would hold the
payer's name and address.
"""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7

KEPT_FOR = timedelta(days=548)  # 18 months: the year that is being closed, and the one before; Stripe itself forgets after 30 days


class StripeEventQuerySet(models.QuerySet):
    def due(self, at: datetime) -> Self:
        return self.filter(status=StripeEvent.Status.RECEIVED, due_at__lte=at)

    def to_remove(self, at: datetime) -> Self:
        """What it told stands in the contributions and refunds, which the books are made from, and stays; one that waits is never old."""
        return self.exclude(status=StripeEvent.Status.RECEIVED).filter(received_at__lt=at - KEPT_FOR)


class StripeEvent(models.Model):
    """One event, stored once; the row is the queue, and `due_at` both its next try and the lease of whoever tries."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("Waiting")
        APPLIED = "applied", _("Applied")
        IGNORED = "ignored", _("Of no concern")
        UNMATCHED = "unmatched", _("Nobody’s")  # applied as far as it goes; a person has to look
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event_id = models.CharField(_("Stripe’s id"), max_length=100, unique=True)
    type = models.CharField(_("type"), max_length=100)
    api_version = models.CharField(_("API version"), max_length=40, blank=True)
    livemode = models.BooleanField(_("live mode"))
    happened_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"), default=now, editable=False)
    object_type = models.CharField(_("about"), max_length=60, blank=True)
    object_id = models.CharField(_("its id"), max_length=100, blank=True)
    payment_intent = models.CharField(_("payment intent"), max_length=100, blank=True)
    payload_hash = models.BinaryField(max_length=32, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.RECEIVED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    due_at = models.DateTimeField(default=now)
    error = models.CharField(_("error"), max_length=60, blank=True)
    applied_at = models.DateTimeField(_("applied"), null=True)

    objects = StripeEventQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("retry_stripeevent", "Can apply an event of Stripe's again")]
        verbose_name = _("event of Stripe’s")
        verbose_name_plural = _("events of Stripe’s")
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="received"), name="billing_event_due"),
            models.Index(fields=["received_at", "id"], name="billing_event_received"),
        ]

    def __str__(self) -> str:
        return self.event_id


class Difference(models.Model):
    """Something that we and Stripe say differently, found by the reconciliation; settled when they agree again."""

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here", _("Not here")
        MISSING_THERE = "missing_there", _("Not at Stripe")
        AMOUNT = "amount", _("Another amount")
        STATUS = "status", _("Another status")
        REFUNDED = "refunded", _("Another sum refunded")
        SECOND = "second", _("A second monthly contribution")
        CHARGED_AFTER_END = "charged_after_end", _("Should have ended")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("difference"), max_length=20, choices=Kind)
    object_type = models.CharField(_("about"), max_length=60)
    object_id = models.CharField(_("its id"), max_length=100)
    here = models.CharField(_("here"), max_length=60, blank=True)
    there = models.CharField(_("at Stripe"), max_length=60, blank=True)
    found_at = models.DateTimeField(_("found"), default=now, editable=False)
    settled_at = models.DateTimeField(_("settled"), null=True)

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("difference from Stripe")
        verbose_name_plural = _("differences from Stripe")
        constraints = [
            models.UniqueConstraint(fields=["kind", "object_id"], condition=Q(settled_at=None), name="billing_one_open_difference")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
