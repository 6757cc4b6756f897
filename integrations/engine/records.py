"""Reading records: a batch at a time from where the last run stopped, so that memory does not grow with the source.

A batch and its mark commit together: a crash repeats a batch, and the destination knows what it has.
"""

from integrations import record_steps
from integrations.connectors import Batch
from integrations.engine.ledger import Outcome, Page
from integrations.engine.reading import Cancelled, Reading
from integrations.items import Record
from integrations.models import Run, RunEvent
from integrations.services import configured, opening
from integrations.steps import printable

MOST_EVENTS = 200


class RecordReading(Reading):
    unavailable = "feed_unavailable"

    def _read(self) -> Outcome:
        steps = record_steps.compile_steps(self.pipeline.transformation.steps)
        connector = opening.open_source(self.connection, acting_user=self.actor, stopping=self._stopping)
        ledger, cursor = self.ledger, self.ledger.cursor
        if cursor.complete:
            cursor.mark, cursor.complete = "", False
        try:
            for batch in connector.read(cursor.mark):
                if ledger.cancelled:
                    raise Cancelled
                self._take(batch, steps)
                if batch.mark and ledger.counts.read >= self.pipeline.max_messages:
                    return Outcome(Run.Status.PARTIAL, "message_cap")
                if batch.mark and self.out_of_time:
                    return Outcome(Run.Status.PARTIAL, "time_cap")
        finally:
            connector.close()
        if ledger.cancelled:
            raise Cancelled
        cursor.mark, cursor.complete = "", True
        return Outcome(Run.Status.SUCCEEDED, "" if ledger.counts.created or ledger.counts.updated else "nothing_new")

    def _take(self, batch: Batch, steps: list[record_steps.Step]) -> None:
        """Store one batch and the mark after it."""
        counts, page = self.ledger.counts, Page()
        counts.listed += len(batch.records) + batch.unreadable
        counts.to_read = counts.listed
        kept = {}
        for record in batch.records:
            try:
                one = record_steps.run(steps, record)
            except record_steps.Dropped as dropped:
                counts.drop(record_steps.FILTERED, str(dropped))
            except Exception as error:  # noqa: BLE001 - a record of another shape must not end the run
                self._quarantine(page, record, type(error).__name__)
                continue
            else:
                kept[one.id] = one  # the last of those that are the same
            counts.read += 1
        for _unnamed in range(batch.unreadable):
            self._quarantine(page, None, "no id")
        page.kept.extend(kept.values())
        counts.kept += len(kept)
        self.ledger.cursor.mark = batch.mark
        self.ledger.commit(page)

    def _quarantine(self, page: Page, record: Record | None, why: str) -> None:
        """Counted, told with the kind of fault only, left alone."""
        self.ledger.counts.quarantined += 1
        if self.ledger.counts.quarantined <= MOST_EVENTS:
            text = f"{printable(record.id, 120)}: {why}" if record else why
            page.events.append(RunEvent(run=self.run, level=RunEvent.Level.WARNING, code="quarantined", text=text))

    def _stopping(self, seconds: float) -> bool:
        """Wait between two tries, with a sign of life; whether somebody asked to stop."""
        self.stop.wait(seconds)
        self.ledger.beat()
        return self.ledger.cancelled

    def _access_lost(self, code: str) -> str:
        configured.mark_failing(self.connection, code=code)
        return "feed_access_refused"
