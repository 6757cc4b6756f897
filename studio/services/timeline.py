"""Lines of a project's timeline. Apps to the left write theirs with `add_entry`, in the transaction of what it tells of."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest

from accounts.models import User
from audit.services import record
from studio.models import Project, TimelineEntry
from studio.timeline import NOTE, is_known


def add_entry(
    project: Project, kind: str, *, actor: User | None = None, url_name: str = "", target_id: UUID | None = None, **details: Any
) -> TimelineEntry:
    """Add one line of a registered kind (`studio.timeline`). Raises ValueError for another.

    `details` fill the placeholders of its words: numbers, amounts as text, states; never a name or an address. `url_name` with
    `target_id` leads to what the line tells of.
    """
    if not is_known(kind):
        raise ValueError(f"no such kind of line: {kind}")
    return TimelineEntry.objects.create(
        organization_id=project.organization_id, project=project, kind=kind, actor=actor,
        url_name=url_name, target_id=target_id, details=details,
    )  # fmt: skip


@transaction.atomic
def add_note(project: Project, *, text: str, actor: User, request: HttpRequest | None = None) -> TimelineEntry:
    note = TimelineEntry.objects.create(organization_id=project.organization_id, project=project, kind=NOTE, actor=actor, text=text)
    record("project.noted", project, actor=actor, request=request, organization_id=project.organization_id, note_id=str(note.pk))
    return note


@transaction.atomic
def remove_note(note: TimelineEntry, *, actor: User, request: HttpRequest | None = None) -> None:
    """Notes can be taken away; what services wrote stays. Raises ValueError for a line that is no note."""
    if not note.is_note:
        raise ValueError("only notes are removed")
    details = {"note_id": str(note.pk)}
    record("project.note_removed", note.project, actor=actor, request=request, organization_id=note.organization_id, **details)
    note.delete()
