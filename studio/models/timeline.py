"""What happened in a project, newest first: notes of people, and lines that services write."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from studio.models.owned import OwnedQuerySet
from studio.models.projects import Project
from studio.timeline import NOTE, Kind, kind_of


class TimelineQuerySet(OwnedQuerySet):
    def newest_first(self) -> Self:
        return self.select_related("actor").order_by("-at", "-pk")


class TimelineEntry(models.Model):
    """One line. `details` fill the placeholders of its kind's words: numbers, amounts, states; `text` is a note's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, models.CASCADE, related_name="timeline")
    kind = models.CharField(max_length=40)
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    text = models.TextField(_("note"), max_length=10_000, blank=True)
    details = models.JSONField(default=dict)
    url_name = models.CharField(max_length=60, blank=True)
    target_id = models.UUIDField(null=True)

    objects = TimelineQuerySet.as_manager()

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline")
        indexes = [models.Index(fields=["project", "-at", "-id"], name="studio_timeline")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d}"

    @property
    def is_note(self) -> bool:
        return self.kind == NOTE

    @property
    def said(self) -> Kind:
        return kind_of(self.kind)

    @property
    def words(self) -> Any:
        """The line in the reader's language."""
        return self.said.words_with(self.details)

    @property
    def url(self) -> str:
        return self.said.url(self.url_name, self.target_id)
