"""Opportunities and the signals that made them: metadata of classified mail, never a body."""

from datetime import date, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Case, Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Value, When, Window
from django.db.models.functions import Coalesce, Greatest, RowNumber, TruncWeek
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.search import having_words, searchable
from aaperture.lib.uuid7 import uuid7
from accounts.models import User
from accounts.objections import Objection
from integrations.models import Connection
from tracker.stages import LABEL_CHOICES, OPEN, Ball, Kind, Stage, Task

LATEST = Coalesce("last_signal_at", "created_at")
FURTHEST = (Stage.NEW, Stage.ENGAGED, Stage.MEETING, Stage.OFFER, Stage.WON)  # the funnel: how far one can come


def _distance(field: str) -> Case:
    """How far along the stage in `field` is: a step of the funnel, 0 for those beside it."""
    return Case(*(When(**{field: stage}, then=Value(step)) for step, stage in enumerate(FURTHEST)), default=Value(0))


class OpportunityQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        """One's own, without those merged into another."""
        return self.filter(owner=user, merged_into=None)

    def for_statistics(self) -> Self:
        """Without those of people who object to being counted, and without those merged into another."""
        return self.filter(merged_into=None).exclude(owner__objections__contains=[Objection.STATISTICS])

    def search(self, text: str) -> Self:
        """Every word of `text` begins a word of company, role, contact, subject or sender; accents and case do not matter."""
        return having_words(self, text)

    def counts_by_stage(self) -> dict[str, int]:
        found = dict(self.order_by().values_list("stage").annotate(Count("id")))
        return {stage: found.get(stage, 0) for stage in Stage.values}

    def matching(
        self, *, q: str = "", stage: str = "", kind: str = "", label: str = "", turn: str = "", mailbox: Any = None, days: int = 0
    ) -> Self:
        """Those that fit every filter given; `stage` may be "open", `days` counts back from now to the latest sign of life."""
        equal = {"kind": kind, "last_label": label, "ball": turn, "stage": "" if stage == "open" else stage}
        found = self.search(q).filter(**{name: value for name, value in equal.items() if value})
        if stage == "open":
            found = found.filter(stage__in=OPEN)
        if mailbox:
            found = found.filter(Exists(Signal.objects.filter(opportunity=OuterRef("pk"), connection=mailbox)))
        if days:
            found = found.alias(_latest=LATEST).filter(_latest__gte=timezone.now() - timedelta(days=days))
        return found

    def newest_first(self) -> Self:
        return self.order_by(LATEST.desc(), "-id")

    def for_lists(self) -> Self:
        """Without the long texts, which no list shows."""
        return self.defer("search_text", "notes")

    def first_of_each_stage(self, limit: int, *, certainly: UUID | None = None) -> Self:
        """The newest `limit` of every stage, in one query; the one named `certainly` is among those of its stage."""
        named = Case(When(pk=certainly, then=0), default=1)
        place = Window(RowNumber(), partition_by="stage", order_by=[named, LATEST.desc(), F("id").desc()])
        return self.annotate(_place=place).filter(_place__lte=limit).newest_first()

    def figures(self, *, since: datetime) -> dict[str, int]:
        """What the tiles above the board say; "fresh" are those first heard of after `since`."""
        return self.alias(_first=Coalesce("first_signal_at", "created_at")).aggregate(
            every=Count("id"),
            open=Count("id", filter=Q(stage__in=OPEN)),
            ours=Count("id", filter=Q(stage__in=OPEN, ball=Ball.US)),
            meetings=Count("id", filter=Q(stage=Stage.MEETING)),
            offers=Count("id", filter=Q(stage=Stage.OFFER)),
            fresh=Count("id", filter=Q(_first__gte=since)),
        )

    def reached(self) -> list[tuple[str, int]]:
        """For each step of the funnel, how many have come at least that far, by where they are and where they have been."""
        moves = StageMove.objects.filter(opportunity=OuterRef("pk")).order_by().values("opportunity")
        been = moves.annotate(far=Max(Greatest(_distance("from_stage"), _distance("to_stage")))).values("far")
        far = Greatest(_distance("stage"), Coalesce(Subquery(been), 0))
        counts = dict(self.order_by().annotate(far=far).values_list("far").annotate(Count("id")))
        return [(stage, sum(n for far, n in counts.items() if far >= step)) for step, stage in enumerate(FURTHEST)]


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
    project = models.ForeignKey("studio.Project", models.SET_NULL, null=True, editable=False, related_name="opportunities")
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
    def latest_at(self) -> datetime:
        return self.last_signal_at or self.created_at

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN

    @property
    def next_step(self) -> str:
        """What is to be done, in the owner's words if there are any; empty when nothing is."""
        return self.task_text or (str(self.get_task_display()) if self.task else "")

    @property
    def is_overdue(self) -> bool:
        return self.is_open and self.task_due_on is not None and self.task_due_on < timezone.localdate()

    def build_search_text(self, more: str = "") -> str:
        words = (self.company, self.role, self.contact_name, self.contact_email, self.last_subject, self.task_text, self.notes, more)
        return searchable(" ".join(words))[:20_000]


class SignalQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        return self.filter(opportunity__owner=user)

    def for_statistics(self) -> Self:
        return self.exclude(opportunity__owner__objections__contains=[Objection.STATISTICS])

    def for_pages(self) -> Self:
        """With the mailbox's address, without its tokens."""
        return self.select_related("connection").defer("connection__access_token", "connection__refresh_token")

    def per_week(self, *, weeks: int) -> list[tuple[date, int]]:
        """(Monday, how many were received) of the last `weeks` weeks, this one included."""
        monday = timezone.localdate() - timedelta(days=timezone.localdate().weekday())
        starts = [monday - timedelta(weeks=n) for n in reversed(range(weeks))]
        recent: QuerySet[Any] = self.filter(received_at__date__gte=starts[0]).order_by()
        weekly = TruncWeek("received_at", output_field=models.DateField())
        counts = dict(recent.annotate(week=weekly).values_list("week").annotate(Count("id")))
        return [(start, counts.get(start, 0)) for start in starts]


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

    @property
    def gmail_url(self) -> str:
        """Opens the conversation in Gmail, in the account it came from; empty for what came by no mail."""
        if self.connection.provider != Connection.Provider.GMAIL:
            return ""
        return f"https://mail.google.com/mail/u/?authuser={quote(self.connection.account_email)}#all/{quote(self.thread_id, safe='')}"

    @property
    def certainty(self) -> str:
        """How sure the classifier was, in words."""
        if self.confidence >= 0.9:
            return str(_("very sure"))
        return str(_("fairly sure")) if self.confidence >= 0.7 else str(_("not very sure"))

    @property
    def percent(self) -> int:
        return round(self.confidence * 100)


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


class OpportunityCount(User):
    """A person as the console sees their board: numbers, never what it says."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("opportunities of a person")
        verbose_name_plural = _("opportunities per person")
