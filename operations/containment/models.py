"""Networks that are not answered for a while."""

from datetime import datetime
from typing import Self

from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class BlockedNetworkQuerySet(models.QuerySet):
    def in_force(self, instant: datetime | None = None) -> Self:
        return self.filter(lifted_at=None, ends_at__gt=instant or timezone.now())


class BlockedNetwork(models.Model):
    """An address or network, in its canonical form with prefix ("203.0.113.66/32"), and until when it is refused on every channel."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    network = models.CharField(_("address or network"), max_length=49)
    reason = models.CharField(_("reason"), max_length=200, validators=[MinLengthValidator(3)])
    alert_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(_("since"), default=now, editable=False)
    created_by = models.UUIDField()
    ends_at = models.DateTimeField(_("until"))
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_by = models.UUIDField(null=True)

    objects = BlockedNetworkQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # `block_network` and `view_blockednetwork` follow cells of the matrix
        verbose_name = _("blocked network")
        verbose_name_plural = _("blocked networks")
        constraints = [models.UniqueConstraint(fields=["network"], condition=Q(lifted_at=None), name="operations_blocked_once")]
        indexes = [models.Index(fields=["ends_at"], condition=Q(lifted_at=None), name="operations_blocked_until")]

    def __str__(self) -> str:
        return self.network

    @property
    def is_in_force(self) -> bool:
        return self.lifted_at is None and self.ends_at > timezone.now()
