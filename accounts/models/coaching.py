"""Coaches and the clients who agreed to be followed."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class CoachLinkQuerySet(models.QuerySet):
    def open(self) -> Self:
        """Appointed, accepted or not, and not ended by anybody or by its date."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now()), end_date=None)

    def in_force(self) -> Self:
        """What a coach may look through at this moment."""
        return self.open().exclude(accepted_at=None)


class CoachLink(models.Model):
    """Staff appoint a coach to a client; nothing is seen before the client accepts, or after either ends it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    coach = models.ForeignKey("accounts.User", models.CASCADE, related_name="coaching")
    client = models.ForeignKey("accounts.User", models.CASCADE, related_name="coached_by")
    appointed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    appointed_at = models.DateTimeField(_("appointed"), default=now, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True)
    shows_subjects = models.BooleanField(_("subjects and senders are shown"), default=False)
    ends_at = models.DateTimeField(_("agreed end"), null=True, blank=True)
    end_date = models.DateTimeField(_("ended"), null=True)
    ended_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    objects = CoachLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("coach link")
        verbose_name_plural = _("coach links")
        constraints = [
            models.UniqueConstraint(fields=["coach", "client"], condition=Q(end_date=None), name="accounts_one_coach_link"),
            models.CheckConstraint(condition=~Q(coach=models.F("client")), name="accounts_nobody_coaches_themselves"),
        ]

    def __str__(self) -> str:
        return f"{self.coach_id} {self.client_id}"

    @property
    def ended_on(self) -> datetime | None:
        """When it ended, by somebody or by its date; None while it is open."""
        if self.end_date is None and self.ends_at is not None and self.ends_at <= now():
            return self.ends_at
        return self.end_date

    @property
    def state(self) -> str:
        """ "waiting" for the client, "in_force" or "ended"."""
        if self.ended_on is not None:
            return "ended"
        return "in_force" if self.accepted_at else "waiting"
