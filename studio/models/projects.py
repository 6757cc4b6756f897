"""One job for one client, from the first idea to the last delivery."""

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from aaperture.lib.search import searchable
from aaperture.lib.uuid7 import uuid7
from studio.models.contacts import Contact
from studio.models.owned import SearchableQuerySet


class ProjectQuerySet(SearchableQuerySet):
    def under_way(self) -> Self:
        return self.filter(status__in=Project.UNDER_WAY)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-pk")


class Project(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("project", "Draft")
        OPEN = "open", pgettext_lazy("project", "Open")
        BOOKED = "booked", pgettext_lazy("project", "Booked")
        IN_PRODUCTION = "in_production", pgettext_lazy("project", "In production")
        DELIVERED = "delivered", pgettext_lazy("project", "Delivered")
        CLOSED = "closed", pgettext_lazy("project", "Closed")
        CANCELLED = "cancelled", pgettext_lazy("project", "Cancelled")

    UNDER_WAY = (Status.DRAFT, Status.OPEN, Status.BOOKED, Status.IN_PRODUCTION, Status.DELIVERED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="projects")
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="projects", verbose_name=_("client")
    )  # fmt: skip
    title = models.CharField(_("title"), max_length=200)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.OPEN)
    deliver_on = models.DateField(_("deliver by"), null=True, blank=True)
    notes = models.TextField(_("notes"), max_length=10_000, blank=True)
    search_text = models.TextField(blank=True, editable=False)
    status_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        verbose_name_plural = _("projects")
        indexes = [
            models.Index(fields=["organization", "status", "-created_at"], name="studio_project_list"),
            GinIndex(SearchVector("search_text", config="simple"), name="studio_project_search"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_under_way(self) -> bool:
        return self.status in self.UNDER_WAY

    def derive(self) -> None:
        """Fill `search_text`, the client's name among it; whoever writes a project or its client calls it."""
        client = f"{self.contact.person_name} {self.contact.company_name}" if self.contact else ""
        self.search_text = searchable(f"{self.title} {client} {self.notes}")[:20_000]
