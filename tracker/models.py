"""Opportunities and the signals that made them: metadata of classified mail, never a body."""

from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import models
from django.db.models import Count, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.search import prefix_query, searchable
from aaperture.lib.uuid7 import uuid7
from tracker.stages import LABEL_CHOICES, Ball, Kind, Stage, Task


class OpportunityQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        """One's own, without those merged into another."""
        return self.filter(owner=user, merged_into=None)

    def search(self, text: str) -> Self:
        """Every word of `text` begins a word of company, role, contact, subject or sender; accents and case do not matter."""
        query = prefix_query(text)
        if not query:
            return self
        return self.annotate(_found=SearchVector("search_text", config="simple")).filter(
            _found=SearchQuery(query, config="simple", search_type="raw")
        )

    def counts_by_stage(self) -> dict[str, int]:
        found = dict(self.order_by().values_list("stage").annotate(Count("id")))
        return {stage: found.get(stage, 0) for stage in Stage.values}


class Opportunity(models.Model):
    """Something that may become work: an enquiry, an application or a tender, and how far it has come."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="opportunities")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.ENQUIRY)
    stage = models.CharField(_("stage"), max_length=12, choices=Stage, default=Stage.NEW)
    company = models.CharField(_("company or client"), max_length=200, blank=True)
    role = models.CharField(_("role or project"), max_length=200, blank=True)
    contact_name = models.CharField(_("contact"), max_length=200, blank=True)
    contact_email = models.EmailField(_("contact's e-mail"), max_length=254, blank=True)
    ball = models.CharField(_("whose turn"), max_length=4, choices=Ball, default=Ball.US)
    task = models.CharField(_("next step"), max_length=24, choices=Task, default=Task.NONE, blank=True)
    task_text = models.CharField(_("in your own words"), max_length=200, blank=True)
    task_due_on = models.DateField(_("due on"), null=True, blank=True)
    notes = models.TextField(_("notes"), max_length=10_000, blank=True)
    is_manual = models.BooleanField(default=False, editable=False)
    stage_set_manually_at = models.DateTimeField(null=True, editable=False)
    task_set_manually_at = models.DateTimeField(null=True, editable=False)
    stage_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    first_signal_at = models.DateTimeField(null=True, editable=False)
    last_signal_at = models.DateTimeField(null=True, editable=False)
    last_subject = models.CharField(max_length=500, blank=True, editable=False)
    last_label = models.CharField(max_length=40, blank=True, choices=LABEL_CHOICES, editable=False)
    group_key = models.CharField(max_length=200, blank=True, editable=False)
    search_text = models.TextField(blank=True, editable=False)
    merged_into = models.ForeignKey("self", models.CASCADE, null=True, editable=False, related_name="merged_from")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = OpportunityQuerySet.as_manager()

    class Meta:
        verbose_name = _("opportunity")
        verbose_name_plural = _("opportunities")
        indexes = [
            models.Index(
                F("owner"), F("stage"), F("last_signal_at").desc(nulls_last=True), name="tracker_board", condition=Q(merged_into=None)
            ),
            models.Index(fields=["owner", "group_key"], name="tracker_group", condition=~Q(group_key="")),
            GinIndex(SearchVector("search_text", config="simple"), name="tracker_search"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What a person calls it: role and company, else who wrote, else the last subject."""
        parts = [part for part in (self.role, self.company) if part]
        return " · ".join(parts) or self.contact_name or self.last_subject or str(self.get_kind_display())

    @property
    def latest_at(self) -> Any:
        return self.last_signal_at or self.created_at

    def build_search_text(self, more: str = "") -> str:
        words = (self.company, self.role, self.contact_name, self.contact_email, self.last_subject, self.task_text, self.notes, more)
        return searchable(" ".join(words))[:20_000]


class SignalQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        return self.filter(opportunity__owner=user)


class Signal(models.Model):
    """What is kept of one relevant mail: sender, subject, when, its label and the reasons for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    opportunity = models.ForeignKey(Opportunity, models.CASCADE, related_name="signals")
    connection = models.ForeignKey("integrations.Connection", models.CASCADE, related_name="signals")
    message_id = models.CharField(max_length=64)
    thread_id = models.CharField(max_length=64)
    references = models.JSONField(default=list)
    sender = models.CharField(max_length=320)
    subject = models.CharField(max_length=500, blank=True)
    received_at = models.DateTimeField()
    label = models.CharField(max_length=40, choices=LABEL_CHOICES)
    confidence = models.FloatField()
    reasons = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SignalQuerySet.as_manager()

    class Meta:
        verbose_name = _("signal")
        verbose_name_plural = _("signals")
        ordering = ["-received_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["connection", "message_id"], name="tracker_one_signal_per_message")]
        indexes = [
            models.Index(fields=["opportunity", "-received_at"], name="tracker_signal_timeline"),
            models.Index(fields=["connection", "thread_id"], name="tracker_signal_thread"),
            GinIndex(fields=["references"], name="tracker_signal_references"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.received_at:%Y-%m-%d}"


class ForgottenSignal(models.Model):
    """A keyed hash of the id of a message whose signal its owner deleted: a rescan must not bring it back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    connection = models.ForeignKey("integrations.Connection", models.CASCADE, related_name="+")
    message_hash = models.BinaryField(max_length=32)
    forgotten_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "message_hash"], name="tracker_forgotten_once")]

    def __str__(self) -> str:
        return f"forgotten {self.forgotten_at:%Y-%m-%d}"


class StageMove(models.Model):
    """One move between stages, by a signal or by hand."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    opportunity = models.ForeignKey(Opportunity, models.CASCADE, related_name="moves")
    from_stage = models.CharField(max_length=12, choices=Stage)
    to_stage = models.CharField(max_length=12, choices=Stage)
    label = models.CharField(max_length=40, blank=True, choices=LABEL_CHOICES)
    moved_by_id = models.UUIDField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["opportunity", "-at"], name="tracker_moves")]

    def __str__(self) -> str:
        return f"{self.from_stage} → {self.to_stage}"


def forgotten_name(connection_id: UUID, message_id: str) -> str:
    """What is hashed for `ForgottenSignal`: the message within its mailbox."""
    return f"{connection_id}|{message_id}"
