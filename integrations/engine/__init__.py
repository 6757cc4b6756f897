"""Runs one pipeline once: what is new is listed, what is unknown fetched, classified and stored page by page.

A page and its cursor commit together, so a crash repeats a page and loses nothing; the destination knows what it
has, so nothing doubles. Only this module's thread touches the database.
"""

import logging
from datetime import datetime
from functools import partial
from uuid import UUID

from accounts.objections import Objection
from integrations.connectors import CONNECTORS, AccessToken, MailConnector
from integrations.engine.cursor import MOST_RETRIES
from integrations.engine.fetching import Enough, Fetched, Fetcher
from integrations.engine.ledger import Outcome, Page, claim
from integrations.engine.reading import Cancelled, Reading
from integrations.engine.records import RecordReading
from integrations.errors import Gone, LeaseLost, Unavailable
from integrations.models import Run, RunEvent
from integrations.services import opening, tokens
from integrations.steps import Dropped, Transform, compile_steps

logger = logging.getLogger(__name__)

STORM = 12
MOST_EVENTS = 200


def execute(run_id: UUID) -> None:
    """Run it if it is waiting; a second caller finds nothing to do."""
    run = claim(run_id)
    if run is None:
        return
    reads_mail = issubclass(CONNECTORS[run.pipeline.connection.provider], MailConnector)
    reading = MailReading(run) if reads_mail else RecordReading(run)
    try:
        outcome = reading.outcome()
        reading.ledger.finish(outcome)
    except LeaseLost:
        logger.warning("run was taken away", extra={"run": str(run.pk)})
        return
    tokens.drop_unless_premium(run.pipeline.connection)


class MailReading(Reading):
    """Mail is listed first; what is unknown is fetched by several threads at once."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.failing_in_a_row = 0
        self.latest: datetime | None = None

    def transform(self) -> Transform:
        """The pipeline's steps; where the mail's owner objects to a second opinion, nobody outside is asked for one."""
        owner = self.connection.owner
        only_here = owner is not None and Objection.SECOND_OPINION in owner.objections
        return compile_steps(self.pipeline.steps, only_here=only_here)

    def _read(self) -> Outcome:
        connector = opening.open_mailbox(self.connection, acting_user=self.actor, stopping=self.stop.wait)
        token = connector.token
        fetcher = Fetcher(connector, self.transform(), renew=lambda refused: self._renew(token, refused), pulse=self._pulse)
        try:
            return self._read_with(connector, fetcher)
        finally:
            self.stop.set()
            fetcher.close()

    def _read_with(self, connector: MailConnector, fetcher: Fetcher) -> Outcome:
        ledger, cursor = self.ledger, self.ledger.cursor
        position = fetcher.ask(lambda: connector.position(cursor.mark if cursor.complete else ""))
        if not position.changed and not cursor.retry:
            return Outcome(Run.Status.SUCCEEDED, "nothing_new")
        ids = self._unknown(connector, fetcher)
        wanted = ids[: self.most]
        ledger.counts.to_read = len(wanted)
        cursor.complete = False
        ledger.note()
        left = len(wanted)
        for page in fetcher.pages(wanted):
            storm, left = self._process(page), left - len(page)
            if ledger.cancelled:
                raise Cancelled
            if storm:
                raise Unavailable
            if left and self.out_of_time:
                return Outcome(Run.Status.PARTIAL, "time_cap")
        if ledger.cancelled:
            raise Cancelled
        if len(ids) > len(wanted):
            return Outcome(Run.Status.PARTIAL, self.cap_reason)
        cursor.settle(position.mark, self.latest)
        return Outcome(Run.Status.PARTIAL, "some_failed") if ledger.counts.failed else Outcome(Run.Status.SUCCEEDED)

    def _unknown(self, connector: MailConnector, fetcher: Fetcher) -> list[str]:
        """The ids to fetch: earlier failures first, then what is listed and not known, oldest first."""
        ledger, after, token = self.ledger, self.ledger.cursor.after, ""
        fresh: dict[str, None] = {}
        while True:
            listing = fetcher.ask(partial(connector.list_ids, after, page=token))
            known = ledger.known(listing.ids)
            ledger.counts.listed += len(listing.ids)
            ledger.counts.known += len(known)
            fresh.update(dict.fromkeys(message_id for message_id in listing.ids if message_id not in known))
            if not (token := listing.next_page):
                break
            ledger.note()
        again = [message_id for message_id in ledger.cursor.retry if message_id not in fresh]
        return again + list(reversed(fresh))

    def _process(self, fetched: list[Fetched]) -> bool:
        """Store one page. True when the provider fails so steadily that going on is no use.

        The failures of such a storm are not set aside: the cursor stays before them, so the next run lists them.
        """
        ledger, cursor, page = self.ledger, self.ledger.cursor, Page()
        streak = 0
        for one in fetched:
            streak = streak + 1 if isinstance(one.fault, Unavailable) else 0
        self.failing_in_a_row = self.failing_in_a_row + streak if streak == len(fetched) else streak
        storm = self.failing_in_a_row >= STORM or len(cursor.retry) > MOST_RETRIES
        dealt_with = fetched[: len(fetched) - streak] if storm else fetched
        for one in dealt_with:
            self._take(one, page)
        dates = [one.received_at for one in dealt_with if one.received_at]
        self.latest = max([*dates, *([self.latest] if self.latest else [])], default=None)
        cursor.advance(dates)
        ledger.commit(page)
        return storm

    def _take(self, one: Fetched, page: Page) -> None:
        """Count one message, and keep of it what the transformation keeps."""
        counts, cursor = self.ledger.counts, self.ledger.cursor
        if one.id in cursor.retry:
            cursor.retry.remove(one.id)
        if isinstance(one.fault, Gone):
            counts.gone += 1
        elif isinstance(one.fault, Unavailable):
            counts.failed += 1
            cursor.retry.append(one.id)
        elif one.result is None:
            self._quarantine(one, one.fault.detail if one.fault else "", page)
        elif isinstance(one.result, Dropped):
            counts.read += 1
            counts.drop(one.result.label, one.result.reason)
        else:
            counts.read += 1
            counts.kept += 1
            counts.find(one.result.label)
            page.kept.append(one.result)

    def _quarantine(self, one: Fetched, why: str, page: Page) -> None:
        """A broken mail: counted, told with the kind of fault only, left alone."""
        self.ledger.counts.quarantined += 1
        if self.ledger.counts.quarantined > MOST_EVENTS:
            return
        page.events.append(RunEvent(run=self.run, level=RunEvent.Level.WARNING, code="quarantined", text=f"{one.id}: {why}"[:200]))

    def _pulse(self) -> None:
        self.ledger.beat()
        if self.ledger.cancelled:
            raise Enough

    def _renew(self, token: AccessToken, refused: str) -> None:
        token.value = tokens.renewed_after_refusal(self.connection, acting_user=self.actor, refused=refused)
