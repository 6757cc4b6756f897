"""When and where something is photographed. `Session` is Django's word, so ours is `PhotoSession`."""

from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from aaperture.lib.search import searchable
from aaperture.lib.uuid7 import uuid7
from studio.clock import day_words, last_day, times_words
from studio.models.owned import SearchableQuerySet
from studio.models.projects import Project
from studio.ranges import TimeRange, UuidRange


class PhotoSessionQuerySet(SearchableQuerySet):
    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(starts_at__lt=end, ends_at__gt=start)

    def in_order(self) -> Self:
        return self.order_by("starts_at", "pk")

    def for_pages(self) -> Self:
        return self.select_related("project__contact", "photographer").defer("project__contact__phone", "search_text")

    def expected(self) -> Self:
        """What is still to come of it, if nobody cancels."""
        return self.filter(status__in=(Status.REQUESTED, *PhotoSession.TIME_TAKING))

    def taking_time(self) -> Self:
        """Those that keep their photographer's time: confirmed, or on hold, whether or not the hold has run out."""
        return self.filter(status__in=PhotoSession.TIME_TAKING)

    def holds_run_out(self, now: datetime) -> Self:
        return self.filter(status=Status.TENTATIVE, hold_expires_at__lte=now)


class Status(models.TextChoices):
    REQUESTED = "requested", pgettext_lazy("session", "Requested")
    TENTATIVE = "tentative", pgettext_lazy("session", "On hold")
    CONFIRMED = "confirmed", pgettext_lazy("session", "Confirmed")
    COMPLETED = "completed", pgettext_lazy("session", "Completed")
    CANCELLED = "cancelled", pgettext_lazy("session", "Cancelled")
    NO_SHOW = "no_show", pgettext_lazy("session", "No-show")


class PhotoSession(models.Model):
    """One appointment of one photographer. The database itself lets no two live ones of the same photographer overlap."""

    Status = Status

    class Type(models.TextChoices):
        WEDDING = "wedding", pgettext_lazy("session", "Wedding")
        COUPLE = "couple", pgettext_lazy("session", "Couple")
        FAMILY = "family", pgettext_lazy("session", "Family")
        NEWBORN = "newborn", pgettext_lazy("session", "Newborn")
        PORTRAIT = "portrait", pgettext_lazy("session", "Portrait")
        CORPORATE = "corporate", pgettext_lazy("session", "Corporate")
        EVENT = "event", pgettext_lazy("session", "Event")
        PRODUCT = "product", pgettext_lazy("session", "Product")
        REAL_ESTATE = "real_estate", pgettext_lazy("session", "Property")
        REPORTAGE = "reportage", pgettext_lazy("session", "Reportage")
        MEETING = "meeting", pgettext_lazy("session", "Meeting")
        OTHER = "other", pgettext_lazy("session", "Other")

    TIME_TAKING = (Status.TENTATIVE, Status.CONFIRMED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", models.CASCADE, related_name="photo_sessions")
    project = models.ForeignKey(Project, models.CASCADE, related_name="photo_sessions", verbose_name=_("project"))
    photographer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="photo_sessions", verbose_name=_("photographer")
    )  # fmt: skip
    type = models.CharField(_("type"), max_length=12, choices=Type, default=Type.PORTRAIT)
    title = models.CharField(_("title"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.REQUESTED)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    timezone = models.CharField(_("time zone of the place"), max_length=64, default="Europe/Paris")
    hold_expires_at = models.DateTimeField(_("hold until"), null=True, blank=True)
    place = models.CharField(_("place"), max_length=200, blank=True)
    address = models.TextField(_("address"), max_length=300, blank=True)
    notes = models.TextField(_("notes for the day"), max_length=10_000, blank=True)
    search_text = models.TextField(blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)  # one more at every change: says which state somebody saw
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(default=now, editable=False)

    objects = PhotoSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("photo session")
        verbose_name_plural = _("photo sessions")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="studio_session_ends_after_it_starts"),
            ExclusionConstraint(
                name="studio_no_double_booking",
                expressions=[(UuidRange("photographer"), "&&"), (TimeRange("starts_at", "ends_at"), "&&")],
                condition=Q(status__in=["tentative", "confirmed"], photographer__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "starts_at"], name="studio_session_calendar"),
            models.Index(fields=["project", "starts_at"], name="studio_session_of_project"),
            GinIndex(SearchVector("search_text", config="simple"), name="studio_session_search"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return self.title or self.project.title

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def local_start(self) -> datetime:
        """The beginning on the clock of the place."""
        return self.starts_at.astimezone(self.zone)

    @property
    def local_end(self) -> datetime:
        return self.ends_at.astimezone(self.zone)

    @property
    def last_day(self) -> date:
        """The last day that it takes there; mostly the one on which it begins."""
        return last_day(self.local_start, self.local_end)

    @property
    def last_of_several(self) -> str:
        """That day in words, of a session of several; else nothing."""
        return day_words(self.last_day) if self.last_day > self.local_start.date() else ""

    @property
    def times(self) -> str:
        """From when until when on the clock of the place, with the last day where there are several."""
        return times_words(self.local_start, self.local_end)

    @property
    def has_begun(self) -> bool:
        return self.starts_at <= now()

    @property
    def hold_has_run_out(self) -> bool:
        return self.status == Status.TENTATIVE and self.hold_expires_at is not None and self.hold_expires_at <= now()

    @property
    def held_through(self) -> date | None:
        """The last day of its hold there, as somebody named it: its end is the midnight after."""
        return (self.hold_expires_at.astimezone(self.zone) - timedelta(seconds=1)).date() if self.hold_expires_at else None

    @property
    def takes_time(self) -> bool:
        """Whether it keeps others off its time now: confirmed, or a hold that has not run out."""
        return self.status in self.TIME_TAKING and not self.hold_has_run_out

    @property
    def is_over(self) -> bool:
        return self.ends_at <= now()

    def derive(self) -> None:
        """Fill `search_text`; whoever writes a session, its project or its client calls it."""
        contact = self.project.contact
        client = f"{contact.person_name} {contact.company_name}" if contact else ""
        self.search_text = searchable(f"{self.title} {self.project.title} {client} {self.place} {self.address}")[:20_000]
