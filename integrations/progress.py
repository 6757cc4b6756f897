"""How far a run is, for the page and for machines."""

from dataclasses import dataclass
from typing import Any

from integrations.models import Run
from integrations.wording import STOP_REASONS


def panel(shown: list["Progress"]) -> dict[str, Any]:
    """What the panel shows: every live run, else how the newest ended."""
    live = [one for one in shown if one.run.is_live]
    newest_first = sorted(shown, key=lambda one: one.run.queued_at, reverse=True)
    return {"shown": live or newest_first[:1], "live": bool(live)}


@dataclass(frozen=True)
class Progress:
    run: Run

    @property
    def done(self) -> int:
        counts = self.run.counts
        return sum(counts.get(name, 0) for name in ("read", "gone", "failed", "quarantined"))

    @property
    def total(self) -> int:
        return self.run.counts.get("to_read", 0)

    @property
    def percent(self) -> int:
        return min(100, self.done * 100 // self.total) if self.total else 0

    @property
    def not_kept(self) -> int:
        return sum(self.run.counts.get("not_kept", {}).values())

    @property
    def seconds(self) -> int | None:
        """How long it took, once it has ended."""
        run = self.run
        return round((run.finished_at - run.started_at).total_seconds()) if run.finished_at and run.started_at else None

    @property
    def stopping(self) -> bool:
        return self.run.is_live and self.run.cancel_requested_at is not None

    @property
    def reason(self) -> str:
        return str(STOP_REASONS.get(self.run.stop_reason, STOP_REASONS["internal_error"]))

    def as_json(self) -> dict[str, Any]:
        """For machines: ids, states and numbers."""
        run = self.run
        names = ("listed", "known", "to_read", "read", "kept", "created", "updated", "failed", "quarantined")
        return {
            "run": str(run.pk),
            "connection": str(run.pipeline.connection_id),
            "status": run.status,
            "stop_reason": run.stop_reason,
            "percent": self.percent,
            "counts": {name: run.counts.get(name, 0) for name in names} | {"not_kept": self.not_kept},
            "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
