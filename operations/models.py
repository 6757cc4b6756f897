"""The quarterly review of who has what."""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class AccessReview(models.Model):
    """One quarter's look at every account with rights, signed off by an administrator (R-090)."""

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
