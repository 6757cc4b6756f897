"""Records of a feed as opportunities: the fields that a transformation must name so, and what becomes of them.

A record is treated like a mail that says as much, so that it is grouped, moved and deleted like one.
"""

import hashlib
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from integrations.items import KeptItem, KeptRecord
from integrations.steps import LONGEST_NAME, LONGEST_SENDER, LONGEST_SUBJECT, printable
from tracker.stages import Kind

FIELDS = {
    "company": _("who asks: a company or a person"),
    "role": _("the post, the project or the occasion"),
    "contact_name": _("whom to answer"),
    "contact_email": _("at which address"),
    "kind": _("enquiry, application or tender; an enquiry when it says nothing"),
    "received_at": _("when, as 2026-11-22 or 2026-11-22T09:30:00Z; now when it says nothing"),
}
LABELS = {Kind.ENQUIRY: "client_enquiry", Kind.APPLICATION: "inbound_request", Kind.TENDER: "call_for_entries"}
REASON = "a record of a feed"


def message_id(pipeline_id: UUID, record_id: str) -> str:
    """What names the record among all signals: two pipelines of one source may fill two boards."""
    return "feed-" + hashlib.sha256(f"{pipeline_id}|{record_id}".encode()).hexdigest()[:48]


def item_of(pipeline_id: UUID, record: KeptRecord) -> KeptItem:
    """Raises ValueError for a record that names neither company nor role."""
    company, role = (printable(_text(record.data.get(name)), LONGEST_NAME) for name in ("company", "role"))
    if not (company or role):
        raise ValueError("neither company nor role")
    name = message_id(pipeline_id, record.id)
    return KeptItem(
        id=name,
        thread_id=name,
        received_at=_instant(record.data.get("received_at")),
        sender=_sender(record.data, company),
        subject=(role or company)[:LONGEST_SUBJECT],
        reply_references=(),
        label=LABELS[_kind(record.data.get("kind"))],
        confidence=1.0,
        reasons=(REASON,),
        company=company,
        role=role,
    )


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _kind(value: Any) -> Kind:
    text = _text(value).lower()
    return Kind(text) if text in Kind.values else Kind.ENQUIRY


def _sender(data: dict[str, Any], company: str) -> str:
    """As a mail would name whom to answer; without an address there is nobody to."""
    name, address = (printable(_text(data.get(field)), LONGEST_NAME) for field in ("contact_name", "contact_email"))
    try:
        validate_email(address)
    except ValidationError:
        return (name or company)[:LONGEST_SENDER]
    plain = "".join(char for char in name if char not in '<>",;:\\')
    return f"{plain} <{address}>".strip()[:LONGEST_SENDER]


def _instant(value: Any) -> datetime:
    """The instant it tells, never a future one; a day is its midnight in UTC, and what is none is now."""
    now, text = timezone.now(), _text(value)
    try:
        found = parse_datetime(text) or _midnight(parse_date(text))
    except ValueError:
        return now
    if found is None:
        return now
    return min(found if found.tzinfo else found.replace(tzinfo=UTC), now)


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=UTC) if day else None
