"""What a coach sees of a client's board: the columns listed here and no others, so that nothing else can slip into a page."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import CoachLink, User
from accounts.roles import Role
from tracker.models import LATEST, Opportunity, OpportunityQuerySet, Signal
from tracker.stages import OPEN, Ball, Kind, Stage, Task

SHOWN = ("kind", "stage", "company", "role", "ball", "task", "task_text", "task_due_on", "first_signal_at", "stage_changed_at", "latest")
FROM_MAIL = ("last_subject", "last_sender")  # only where the client allows it


class Seen(NamedTuple):
    """One opportunity as a coach may see it. No contact, no notes; `subject` and `sender` are empty unless allowed."""

    title: str
    kind: str
    stage: str
    stage_label: str
    turn: str
    next_step: str
    due_on: date | None
    is_overdue: bool
    first_at: datetime | None
    latest_at: datetime
    subject: str
    sender: str


def links_of(coach: User) -> Any:
    """What this coach may look through at this moment; none once they are no coach."""
    if coach.role != Role.COACH:
        return CoachLink.objects.none()
    return CoachLink.objects.in_force().filter(coach=coach, client__is_active=True).select_related("client").order_by("client__name", "pk")


def counts_of(clients: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """For each client, how many opportunities stand in each stage: one query, however many they are."""
    clients = list(clients)
    counts = {client: dict.fromkeys(Stage.values, 0) for client in clients}
    rows = Opportunity.objects.filter(owner__in=clients, merged_into=None).order_by()
    for owner, stage, number in rows.values_list("owner", "stage").annotate(Count("id")):
        counts[owner][stage] = number
    return counts


def board_of(link: CoachLink) -> OpportunityQuerySet:
    """Rows for `seen()`, newest first; without what the client does not show."""
    found = Opportunity.objects.visible_to(link.client_id).newest_first().annotate(latest=LATEST)
    if not link.shows_subjects:
        return found.values(*SHOWN)
    newest = Signal.objects.filter(opportunity=OuterRef("pk")).order_by("-received_at", "-id").values("sender")[:1]
    return found.annotate(last_sender=Subquery(newest)).values(*SHOWN, *FROM_MAIL)


def seen(row: dict[str, Any]) -> Seen:
    stage, due = Stage(row["stage"]), row["task_due_on"]
    words = " · ".join(part for part in (row["role"], row["company"]) if part)
    return Seen(
        title=words or str(Kind(row["kind"]).label),
        kind=str(Kind(row["kind"]).label),
        stage=stage.value,
        stage_label=str(stage.label),
        turn=(_("Your client’s turn") if row["ball"] == Ball.US else _("Waiting for an answer")) if stage in OPEN else "",
        next_step=row["task_text"] or (str(Task(row["task"]).label) if row["task"] else ""),
        due_on=due,
        is_overdue=stage in OPEN and due is not None and due < timezone.localdate(),
        first_at=row["first_signal_at"],
        latest_at=row["latest"],
        subject=row.get("last_subject", ""),
        sender=row.get("last_sender") or "",
    )
