"""The run's row while it runs: claimed by one process, kept alive, and written with each page in one transaction."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from audit.services import record
from integrations.engine.cursor import Counts, Cursor
from integrations.errors import LeaseLost
from integrations.items import Kept, StoreResult
from integrations.models import Connection, Pipeline, Run, RunEvent
from integrations.services import pipelines

logger = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=5)
CONTINUED = frozenset({"message_cap", "time_cap"})
TRIED_AGAIN = frozenset({"some_failed", "google_unavailable", "feed_unavailable"})


@dataclass(frozen=True)
class Outcome:
    status: str
    stop_reason: str = ""


@dataclass
class Page:
    """What one page of fetched messages came to."""

    kept: list[Kept] = field(default_factory=list)
    events: list[RunEvent] = field(default_factory=list)
    settle: Callable[[], None] | None = None  # what is done with once it is stored


def claim(run_id: UUID) -> Run | None:
    """The run, leased to this process; None when it is not waiting (any more)."""
    now = timezone.now()
    claimed = Run.objects.filter(pk=run_id, status=Run.Status.QUEUED).update(
        status=Run.Status.RUNNING, lease=uuid4(), heartbeat_at=now, started_at=now
    )
    if not claimed:
        return None
    run = Run.objects.select_related("pipeline__connection__owner", "pipeline__transformation", "pipeline__pinned").get(pk=run_id)
    run.cursor_before = run.cursor_after = run.pipeline.cursor
    run.transformation_version = run.pipeline.version
    run.save(update_fields=["cursor_before", "cursor_after", "transformation_version"])
    return run


class Ledger:
    """Writes for one run. Every write is fenced by the lease: a reaped or disconnected run raises LeaseLost."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.counts = Counts()
        self.cursor = Cursor.load(run.pipeline.cursor)
        self.destination = import_string(settings.PIPELINE_DESTINATIONS[run.pipeline.destination])()
        self.cancelled = run.cancel_requested_at is not None
        self._beaten_at = timezone.now()

    def known(self, ids: list[str]) -> set[str]:
        return self.destination.known_ids(self.run.pipeline, ids)

    def beat(self) -> None:
        """Sign of life and look for a wish to cancel."""
        with transaction.atomic():
            row = self._locked()
            if timezone.now() - self._beaten_at > BEAT_EVERY:
                self._write(row)

    def beat_where_due(self) -> None:
        """For whoever passes by often: the database is asked only when the last sign of life is a while ago."""
        if timezone.now() - self._beaten_at > BEAT_EVERY:
            self.beat()

    def note(self, *events: RunEvent) -> None:
        """Write counts and events between pages."""
        with transaction.atomic():
            self._write(self._locked())
            RunEvent.objects.bulk_create(events)

    def commit(self, page: Page) -> None:
        """The page's items, the counts and the cursor, together or not at all."""
        with transaction.atomic():
            row = self._locked()
            stored = self._store(page, page.kept) if page.kept else StoreResult()
            self.counts.created += stored.created
            self.counts.updated += stored.updated
            self.counts.duplicates += stored.duplicates
            if stored.unusable:
                self.counts.kept -= stored.unusable
                self.counts.quarantined += stored.unusable
                warned = {"level": RunEvent.Level.WARNING, "code": "unusable", "text": str(stored.unusable)}
                page.events.append(RunEvent(run=self.run, **warned))
            self._write(row)
            RunEvent.objects.bulk_create(page.events)
            if page.settle is not None:
                page.settle()
            Pipeline.objects.filter(pk=row.pipeline_id).update(cursor=self.cursor.dump())

    def finish(self, outcome: Outcome) -> None:
        """Close the run, say when to go on, and leave one activity record."""
        with transaction.atomic():
            row = self._locked()
            row.status, row.stop_reason = outcome.status, outcome.stop_reason
            row.finished_at, row.lease = timezone.now(), None
            row.counts, row.cursor_after = self.counts.dump(), self.cursor.dump()
            row.save(update_fields=["status", "stop_reason", "finished_at", "lease", "counts", "cursor_after"])
            Pipeline.objects.filter(pk=row.pipeline_id).update(cursor=self.cursor.dump())
            if outcome.status in (Run.Status.SUCCEEDED, Run.Status.PARTIAL):
                Connection.objects.filter(pipelines=row.pipeline_id).update(last_synced_at=row.finished_at, error_code="")
            self._continue(row, outcome)
            record("run.finished", row, actor=row.requested_by, status=outcome.status, reason=outcome.stop_reason,
                   read=self.counts.read, kept=self.counts.kept)  # fmt: skip

    def _continue(self, row: Run, outcome: Outcome) -> None:
        if outcome.stop_reason in CONTINUED and self.counts.read:
            pipelines.queue_run(row.pipeline, trigger=Run.Trigger.CONTINUATION, requested_by=row.requested_by)
        elif outcome.stop_reason in TRIED_AGAIN and not self._failed_before(row):
            soon = timezone.now() + pipelines.TRY_AGAIN
            Pipeline.objects.filter(pk=row.pipeline_id, next_run_at__gt=soon).update(next_run_at=soon)

    def _failed_before(self, row: Run) -> bool:
        """Whether the run before ended so too: then the schedule is soon enough."""
        before = row.pipeline.runs.exclude(pk=row.pk).order_by("-queued_at").first()
        return before is not None and before.stop_reason in TRIED_AGAIN

    def _locked(self) -> Run:
        row = Run.objects.select_for_update().get(pk=self.run.pk)
        if row.lease != self.run.lease or row.status != Run.Status.RUNNING:
            raise LeaseLost
        self.cancelled = row.cancel_requested_at is not None
        return row

    def _write(self, row: Run) -> None:
        row.counts, row.cursor_after, row.heartbeat_at = self.counts.dump(), self.cursor.dump(), timezone.now()
        row.save(update_fields=["counts", "cursor_after", "heartbeat_at"])
        self._beaten_at = row.heartbeat_at

    def _store(self, page: Page, items: list[Kept]) -> StoreResult:
        """All of them; when something among them cannot be stored, half by half, setting that one aside."""
        try:
            with transaction.atomic():
                return self.destination.store_page(self.run, items)
        except OperationalError:
            raise
        except (DatabaseError, ValueError, TypeError) as error:
            if len(items) == 1:
                self._set_aside(page, items[0], error)
                return StoreResult()
        half = len(items) // 2
        return self._store(page, items[:half]) + self._store(page, items[half:])

    def _set_aside(self, page: Page, item: Kept, error: Exception) -> None:
        self.counts.kept -= 1
        self.counts.quarantined += 1
        page.events.append(RunEvent(run=self.run, level=RunEvent.Level.WARNING, code="not_storable", text=type(error).__name__))
