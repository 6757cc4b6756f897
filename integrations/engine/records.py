"""Reading records: a batch at a time from where the last run stopped, so that memory does not grow with the source.

A batch and its mark commit together: a crash repeats a batch, and the destination knows what it has. Between two records there is a sign
of life where one is due, so that steps which take long do not lose their run to another worker.
"""

import time
from copy import deepcopy

from integrations import record_steps
from integrations.connectors import Batch, RecordConnector
from integrations.engine import marks
from integrations.engine.ledger import Outcome, Page
from integrations.engine.reading import Cancelled, Reading
from integrations.errors import Refused
from integrations.models import Run, RunEvent
from integrations.services import configured, opening

MOST_EVENTS = 200
SECONDS_OF_A_BATCH = 120.0  # of the processor, for the steps of all its records


class StepsTooSlow(Exception):
    """What the steps do to one batch takes longer than we let it; a file or a delivery stays for better ones."""


class RecordReading(Reading):
    unavailable = "feed_unavailable"

    def _read(self) -> Outcome:
        if self.most <= 0:
            return Outcome(Run.Status.PARTIAL, self.cap_reason)
        steps = record_steps.compile_steps(self.pipeline.steps)
        connector = opening.open_source(self.connection, acting_user=self.actor, stopping=self._stopping, pipeline=self.pipeline)
        cursor = self.ledger.cursor
        if cursor.complete:
            cursor.mark, cursor.complete = "", False
        try:
            ended = self._read_with(connector, steps)
            self._tell_noticed(connector)
        except (Refused, Cancelled) as error:
            connector.give_up()
            self._tell_place(error)
            raise
        except StepsTooSlow:
            return self._ended("steps_too_slow")
        finally:
            connector.close()
        if ended:
            return ended
        cursor.mark, cursor.complete = "", True
        counts = self.ledger.counts
        return Outcome(Run.Status.SUCCEEDED, "" if counts.created or counts.updated or counts.quarantined else "nothing_new")

    def _read_with(self, connector: RecordConnector, steps: list[record_steps.Step]) -> Outcome | None:
        """Every batch; an outcome when a cap ends it before the source does."""
        ledger = self.ledger
        for batch in connector.read(self._mark(connector)):
            if ledger.cancelled:
                raise Cancelled
            counted = deepcopy(ledger.counts)
            try:
                self._take(batch, steps, sealing=connector.marks_are_secret)
            except (StepsTooSlow, Cancelled):
                ledger.counts = counted  # nothing of the batch is stored
                raise
            if batch.mark and ledger.counts.read >= self.most:
                return Outcome(Run.Status.PARTIAL, self.cap_reason)
            if batch.mark and self.out_of_time:
                return Outcome(Run.Status.PARTIAL, "time_cap")
        if ledger.cancelled:
            raise Cancelled
        return None

    def _mark(self, connector: RecordConnector) -> str:
        """Where the last run stopped."""
        kept = self.ledger.cursor.mark
        return marks.opened(kept, self.pipeline) if connector.marks_are_secret else kept

    def _take(self, batch: Batch, steps: list[record_steps.Step], *, sealing: bool) -> None:
        """Store one batch and the mark after it."""
        counts, page = self.ledger.counts, Page(settle=batch.settle)
        before, counts.listed = counts.listed, counts.listed + len(batch.records) + len(batch.faults)
        counts.to_read = counts.listed
        kept, until = {}, time.thread_time() + SECONDS_OF_A_BATCH
        for number, record in enumerate(batch.records, before + 1):
            self._still_there(until)
            try:
                one = record_steps.run(steps, record)
            except record_steps.Dropped as dropped:
                counts.drop(record_steps.FILTERED, str(dropped))
            except Exception as error:  # noqa: BLE001 - a record of another shape must not end the run
                self._quarantine(page, "quarantined", f"{number}: {type(error).__name__}")  # its name may be somebody's address
                continue
            else:
                kept[one.id] = one  # the last of those that are the same
            counts.read += 1
        for fault in batch.faults:
            self._quarantine(page, fault.code, fault.place)
        page.kept.extend(kept.values())
        counts.kept += len(kept)
        self.ledger.cursor.mark = marks.seal(batch.mark, self.pipeline) if sealing else batch.mark
        self.ledger.commit(page)

    def _still_there(self, until: float) -> None:
        """A sign of life. Raises LeaseLost, Cancelled, StepsTooSlow: of this batch nothing is stored then."""
        self.ledger.beat_where_due()
        if self.ledger.cancelled:
            raise Cancelled
        if time.thread_time() > until:
            raise StepsTooSlow

    def _quarantine(self, page: Page, code: str, text: str) -> None:
        """Counted, told with the kind of fault and its place only, left alone."""
        self.ledger.counts.quarantined += 1
        if self.ledger.counts.quarantined <= MOST_EVENTS:
            page.events.append(RunEvent(run=self.run, level=RunEvent.Level.WARNING, code=code, text=text))

    def _tell_place(self, error: Exception) -> None:
        """Where in a file reading ended."""
        if isinstance(error, Refused) and error.detail:
            self.ledger.note(RunEvent(run=self.run, level=RunEvent.Level.ERROR, code=error.code, text=error.detail))

    def _tell_noticed(self, connector: RecordConnector) -> None:
        if connector.noticed:
            self.ledger.note(*(RunEvent(run=self.run, code=code, text=str(number)) for code, number in connector.noticed.items()))

    def _stopping(self, seconds: float) -> bool:
        """Wait between two tries, with a sign of life; whether somebody asked to stop."""
        self.stop.wait(seconds)
        self.ledger.beat()
        return self.ledger.cancelled

    def _access_lost(self, code: str) -> str:
        configured.mark_failing(self.connection, code=code)
        return "feed_access_refused"
