"""Where a pipeline stands in a mailbox, and what a run counted. Both live in JSON columns."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

OVERLAP = timedelta(hours=1)
MOST_RETRIES = 1000
MOST_REASONS = 20
OTHER = "other reasons"


@dataclass
class Cursor:
    """`seen_until` (ms) is the date up to which every listed message is dealt with, but for those in `retry`.

    `mark` is the mailbox's own position when the last complete run began; it answers only whether anything is new.
    """

    mark: str = ""
    seen_until: int = 0
    retry: list[str] = field(default_factory=list)
    complete: bool = False

    @classmethod
    def load(cls, values: dict[str, Any]) -> Self:
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def after(self) -> datetime | None:
        """From when on to list: the last date seen less an overlap, since mail may be dated before it arrived."""
        return datetime.fromtimestamp(self.seen_until / 1000, tz=UTC) - OVERLAP if self.seen_until else None

    def advance(self, dates: list[datetime]) -> None:
        """A page is dealt with. Its earliest date counts: a single misplaced late one must not skip the rest."""
        if dates:
            self.seen_until = max(self.seen_until, int(min(dates).timestamp() * 1000))

    def settle(self, mark: str, latest: datetime | None) -> None:
        """Everything listed is dealt with."""
        self.mark, self.complete = mark, True
        if latest is not None:
            self.seen_until = max(self.seen_until, int(latest.timestamp() * 1000))


@dataclass
class Counts:
    """What a run did. `not_kept` counts by label, `reasons` the classifier's rules behind them."""

    listed: int = 0
    known: int = 0
    to_read: int = 0
    read: int = 0
    kept: int = 0
    created: int = 0
    updated: int = 0
    duplicates: int = 0
    gone: int = 0
    failed: int = 0
    quarantined: int = 0
    not_kept: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    def drop(self, label: str, reason: str) -> None:
        self.not_kept[label] = self.not_kept.get(label, 0) + 1
        reason = reason[:120]
        if reason not in self.reasons and len(self.reasons) >= MOST_REASONS:
            reason = OTHER
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def find(self, label: str) -> None:
        self.found[label] = self.found.get(label, 0) + 1
