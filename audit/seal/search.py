"""Looking through an archived month: a stream from beginning to end, in flat memory."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from audit.models import Activity, AuditArchive
from audit.seal import archive_records, archives, rows
from vault.fields import Sealed

SHOWN = 200


class Found(NamedTuple):
    """The newest activities that fit, newest first, how many there were, and how many rows were looked at."""

    activities: list[Activity]
    total: int
    looked_at: int


def archived_months() -> list[date]:
    """Months that can be searched, newest first."""
    removed = archive_records.latest(AuditArchive.Kind.REMOVED)
    made = archive_records.latest(AuditArchive.Kind.ARCHIVED)
    return sorted((month for month, one in made.items() if month not in removed or removed[month].last_seal < one.last_seal), reverse=True)


def search_archive(month: date, any_of: Iterable[Mapping[str, Any]] = (), *, limit: int = SHOWN) -> Found:
    """What fits any of the conditions (column: value), or everything without one. Raises FileNotFoundError and the place's errors."""
    where = archives.archive_place()
    if where is None:
        raise FileNotFoundError(archives.name_of(month))
    conditions = [{column: _text(value) for column, value in one.items()} for one in any_of]
    needles = [[text.encode() for text in one.values()] for one in conditions]
    newest: deque[bytes] = deque(maxlen=limit)
    total = looked_at = 0
    for line in archives.lines(where, archives.name_of(month)):
        looked_at += 1
        if needles and not (any(all(text in line for text in one) for one in needles) and _fits(rows.values(line), conditions)):
            continue
        total += 1
        newest.append(line)
    return Found([as_activity(rows.values(line)) for line in reversed(newest)], total, looked_at)


def _fits(columns: dict[str, Any], conditions: list[dict[str, str]]) -> bool:
    return any(all(_text(columns[column]) == text for column, text in one.items()) for one in conditions)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def as_activity(columns: dict[str, Any]) -> Activity:
    """The activity of a sealed line, as if it stood in the log; address and agent open as long as their key lives."""
    values = dict(columns)
    for name in ("id", "actor_id", "organization_id"):
        values[name] = UUID(values[name]) if values[name] else None
    for name in ("address", "agent"):
        values[name] = Sealed(values[name]) if values[name] else None
    values["recorded_at"] = datetime.fromisoformat(values["recorded_at"])
    return Activity(**values)
