"""What writing a quote and writing an invoice have in common."""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeVar

from django.utils import timezone

from documents.models.sheets import LARGEST, TOTALS, Document, Line, Sheet
from documents.services.errors import Incomplete, NotPossible
from studio.models import PhotoSession, Project

SHEET_FIELDS = (
    "project", "contact", "subject", "language", "currency", "vat_included", "discount_percent", "discount_amount", "reverse_charge",
    "notes", "client_reference", "service_on",
)  # fmt: skip
LINE_FIELDS = ("description", "details", "quantity", "unit", "unit_price", "vat_rate", "discount", "optional")
AnyLine = TypeVar("AnyLine", bound=Line)


def service_day(project: Project | None) -> date | None:
    """What a new sheet proposes as its date of service, which invoices have to name: the last day photographed for the project."""
    rows = PhotoSession.objects.filter(project=project).exclude(status__in=["cancelled", "no_show"]).exclude(type="meeting")
    session = rows.order_by("-ends_at").first() if project else None
    return session.last_day if session else None


def made_lines(model: type[AnyLine], owner: dict[str, Sheet], lines: Sequence[dict[str, Any]]) -> list[AnyLine]:
    """Unsaved lines in their order."""
    return [
        model(**owner, position=place, **{name: line[name] for name in LINE_FIELDS if name in line}) for place, line in enumerate(lines, 1)
    ]


def take(sheet: Document, fields: dict[str, Any], allowed: Sequence[str]) -> list[str]:
    """Set the fields that differ and say which they are."""
    changed = [name for name in allowed if name in fields and getattr(sheet, name) != fields[name]]
    for name in changed:
        setattr(sheet, name, fields[name])
    return changed


def reckon(sheet: Sheet, lines: Sequence[Line]) -> None:
    """Totals and words to be found by. Raises NotPossible when the discount exceeds the lines, or all of them, options too, LARGEST."""
    if sum(line.amount for line in lines) > LARGEST:
        raise NotPossible("largest")
    try:
        sheet.take_totals(sheet.reckon(lines))
    except ValueError:
        raise NotPossible("discount") from None
    sheet.derive_search()
    sheet.updated_at = timezone.now()


def require_whole(sheet: Sheet, lines: Sequence[Line]) -> None:
    """Raises Incomplete when it has no client or nothing to pay for."""
    missing = [] if sheet.contact else ["contact"]
    missing += [] if any(not line.optional for line in lines) else ["lines"]
    if missing:
        raise Incomplete(missing)


DERIVED = (*TOTALS, "search_text", "updated_at")
