"""The board as a file."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from aaperture.lib.csv_safe import csv_response
from accounts.http import UserRequest
from integrations.models import Connection
from tracker import services
from tracker.listing import Listing
from tracker.models import OpportunityQuerySet
from tracker.stages import LABEL_CHOICES, Ball, Kind, Stage, Task


@require_GET
def export(request: UserRequest) -> StreamingHttpResponse:
    """What the same address would list, as CSV in the person's language."""
    mailboxes = list(Connection.objects.visible_to(request.user).mailboxes().for_pages())
    found = Listing(request.user, request.GET, mailboxes).opportunities().newest_first()
    services.record_export(request.user, count=found.count(), request=request)
    return csv_response(
        f"opportunities-{timezone.localdate():%Y-%m-%d}.csv", _header(), _rows(found, _words(), timezone.get_current_timezone())
    )


def _header() -> list[str]:
    return [
        _("Kind"), _("Stage"), _("Company or client"), _("Role or project"), _("Contact"), _("Contact’s e-mail"), _("Whose turn"),
        _("Next step"), _("Due on"), _("Last mail"), _("Subject"), _("First mail"), _("Latest mail"), _("Notes"),
    ]  # fmt: skip


def _words() -> dict[str, str]:
    """Said now, in the person's language: rows are sent when the request's language and time zone have been put away."""
    pairs = [*Kind.choices, *Stage.choices, *Ball.choices, *Task.choices, *LABEL_CHOICES]
    return {value: str(words) for value, words in pairs if value}


def _rows(found: OpportunityQuerySet, words: dict[str, str], zone: tzinfo) -> Iterator[list[Any]]:
    for row in found.defer("search_text").iterator(chunk_size=500):
        yield [
            words[row.kind], words[row.stage], row.company, row.role, row.contact_name, row.contact_email, words[row.ball],
            row.task_text or words.get(row.task, ""), row.task_due_on, words.get(row.last_label, ""), row.last_subject,
            _when(row.first_signal_at, zone), _when(row.last_signal_at, zone), row.notes,
        ]  # fmt: skip


def _when(instant: datetime | None, zone: tzinfo) -> str:
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M") if instant else ""
