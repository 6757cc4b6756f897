"""What somebody set out to pay, what they paid, month by month or once, and what went back to them.

Amounts are whole cents, as Stripe counts. `read_at` is when Stripe was asked for what the row says, by the database's clock: a later
answer is never overwritten by an earlier one. A person who is erased leaves their rows without a name: the books must add up.
"""

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class Rhythm(models.TextChoices):
    ONCE = "once", _("Once")
    MONTHLY = "monthly", _("Monthly")


class Checkout(models.Model):
    """A visit to Stripe's payment page. Its id makes the idempotency key, so that two tabs get one page."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        PROCESSING = "processing", _("Under way")  # a debit that the bank has not carried out yet
        COMPLETE = "complete", _("Complete")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Expired")
        REPLACED = "replaced", _("Replaced by another amount")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="checkouts")
    rhythm = models.CharField(max_length=7, choices=Rhythm)
    amount = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    session_id = models.CharField(max_length=100, unique=True, null=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField(default=now, editable=False)
    read_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("visit to the payment page")
        verbose_name_plural = _("visits to the payment page")
        constraints = [
            models.UniqueConstraint(fields=["user", "rhythm"], condition=Q(status="open"), name="billing_one_open_checkout"),
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="billing_checkout_of_user")]

    def __str__(self) -> str:
        return f"{self.rhythm} {self.status}"


class SubscriptionQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        return self.filter(user=user)

    def live(self) -> Self:
        """Those that Stripe goes on charging for, or would."""
        return self.exclude(status__in=Subscription.OVER)

    def to_be_ended(self, at: datetime) -> Self:
        """Asked to end, or nobody's any more, and due for a try."""
        wanted = Q(end_requested_at__isnull=False) | Q(user=None)
        return self.live().filter(wanted).filter(Q(end_due_at=None) | Q(end_due_at__lte=at))


class Subscription(models.Model):
    """A monthly contribution, as Stripe last described it."""

    class Status(models.TextChoices):
        INCOMPLETE = "incomplete", _("Not paid yet")
        INCOMPLETE_EXPIRED = "incomplete_expired", _("Never paid")
        TRIALING = "trialing", _("On trial")
        ACTIVE = "active", _("Active")
        PAST_DUE = "past_due", _("Payment overdue")
        UNPAID = "unpaid", _("Unpaid")
        PAUSED = "paused", _("Paused")
        CANCELED = "canceled", _("Ended")

    OVER = (Status.CANCELED, Status.INCOMPLETE_EXPIRED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="subscriptions", verbose_name=_("person"))
    stripe_id = models.CharField(_("Stripe’s id"), max_length=100, unique=True)
    item_id = models.CharField(max_length=100, blank=True)
    product_id = models.CharField(max_length=100, blank=True)
    status = models.CharField(_("status"), max_length=20, choices=Status)
    is_paused = models.BooleanField(_("collection paused"), default=False)
    amount = models.PositiveIntegerField(_("amount"))
    currency = models.CharField(max_length=3)
    started_at = models.DateTimeField(_("since"))
    period_end = models.DateTimeField(_("paid until"), null=True)
    ends_at_period_end = models.BooleanField(_("ends then"), default=False)
    ended_at = models.DateTimeField(_("ended"), null=True)
    end_requested_at = models.DateTimeField(null=True)
    end_due_at = models.DateTimeField(null=True)
    end_attempts = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField()

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("end_subscription", "Can end somebody's monthly contribution")]
        verbose_name = _("monthly contribution")
        verbose_name_plural = _("monthly contributions")
        indexes = [models.Index(fields=["user", "status"], name="billing_subscription_of_user")]

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def is_live(self) -> bool:
        return self.status not in self.OVER

    @property
    def has_paid_month(self) -> bool:
        """Whether an end can wait for the end of the month; Stripe would go on trying an overdue one until then."""
        return self.status in {self.Status.ACTIVE, self.Status.TRIALING}


class ContributionQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        return self.filter(user=user)

    def received(self) -> Self:
        """Money that came, whatever became of it later."""
        return self.exclude(status__in=[Contribution.Status.PROCESSING, Contribution.Status.FAILED])

    def kept(self) -> Self:
        """Money that came and stayed, in whole or in part."""
        return self.filter(status__in=[Contribution.Status.PAID, Contribution.Status.PARTLY_REFUNDED])

    def worth_at_least(self, cents: int) -> Self:
        """By what is left after refunds; a coupon does not lessen it."""
        return self.kept().filter(worth__gte=F("amount_refunded") + cents)


class Contribution(models.Model):
    """One payment. Its payment intent is its key; without one (a coupon for everything, paid elsewhere) its invoice or its page is."""

    class Status(models.TextChoices):
        PROCESSING = "processing", _("Under way")
        PAID = "paid", _("Received")
        FAILED = "failed", _("Failed")
        PARTLY_REFUNDED = "partly_refunded", _("Partly refunded")
        REFUNDED = "refunded", _("Refunded")
        DISPUTED = "disputed", _("Disputed")
        LOST = "lost", _("Lost in a dispute")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="contributions", verbose_name=_("person"))
    subscription = models.ForeignKey(Subscription, models.SET_NULL, null=True, related_name="contributions")
    rhythm = models.CharField(_("rhythm"), max_length=7, choices=Rhythm)
    payment_intent = models.CharField(_("payment intent"), max_length=100, unique=True, null=True)
    invoice_id = models.CharField(_("invoice at Stripe"), max_length=100, unique=True, null=True)
    session_id = models.CharField(_("checkout session"), max_length=100, unique=True, null=True)
    amount = models.PositiveIntegerField(_("amount"))
    worth = models.PositiveIntegerField(_("before discounts"))
    currency = models.CharField(max_length=3)
    status = models.CharField(_("status"), max_length=15, choices=Status)
    amount_refunded = models.PositiveIntegerField(_("refunded"), default=0)
    created_at = models.DateTimeField(_("made"), default=now, editable=False)
    paid_at = models.DateTimeField(_("received"), null=True)
    period_end = models.DateTimeField(_("for the time until"), null=True)
    read_at = models.DateTimeField()

    objects = ContributionQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("contribution")
        verbose_name_plural = _("contributions")
        constraints = [
            models.CheckConstraint(
                condition=Q(payment_intent__isnull=False) | Q(invoice_id__isnull=False) | Q(session_id__isnull=False),
                name="billing_contribution_has_a_key",
            ),
            models.CheckConstraint(condition=Q(amount_refunded__lte=F("amount")), name="billing_no_more_back_than_came"),
        ]
        indexes = [
            models.Index(fields=["user", "-paid_at"], name="billing_contribution_of_user"),
            models.Index(fields=["paid_at"], name="billing_contribution_paid"),
            models.Index(fields=["created_at", "id"], name="billing_contribution_list"),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def has_receipt(self) -> bool:
        return self.paid_at is not None and self.status not in {self.Status.PROCESSING, self.Status.FAILED}

    @property
    def left(self) -> int:
        """Cents that could still be given back."""
        return self.amount - self.amount_refunded


class Refund(models.Model):
    """Money on its way back: asked for by staff here, or found at Stripe. The row is the queue; its id makes the idempotency key."""

    class Status(models.TextChoices):
        REQUESTED = "requested", _("To be sent")
        PENDING = "pending", _("Under way")
        SUCCEEDED = "succeeded", _("Refunded")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    contribution = models.ForeignKey(Contribution, models.CASCADE, related_name="refunds", verbose_name=_("contribution"))
    stripe_id = models.CharField(_("Stripe’s id"), max_length=100, unique=True, null=True)
    amount = models.PositiveIntegerField(_("amount"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.REQUESTED)
    requested_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+", verbose_name=_("asked for by"))
    requested_at = models.DateTimeField(_("asked for"), default=now, editable=False)
    due_at = models.DateTimeField(default=now)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(_("error"), max_length=60, blank=True)

    class Meta:
        default_permissions = ("view", "add")
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        indexes = [models.Index(fields=["due_at"], condition=Q(status="requested"), name="billing_refund_due")]

    def __str__(self) -> str:
        return str(self.pk)
