"""The marks around each text, durable before it begins: one thread writes those of all connections, as many in one commit as wait.

`sending` is written, and committed, before a mail's text is on its way; what became of it after. A mail's outcome is written no later
than the `sending` of the next one on the same connection, so that a crash leaves at most one mail in doubt on each.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from audit.services import record_many
from mailing.models import ScheduledEmail
from mailing.sending.claims import SENDING
from studio.models import Project
from studio.services.timeline import add_entry

logger = logging.getLogger(__name__)
Status = ScheduledEmail.Status
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 360, 360))  # then given up, after a day
# Rows are found by their keys alone: the planner must not go through an index of all that wait, whose number it often has wrong.
BEGIN = (
    "UPDATE mailing_scheduledemail e SET status = 'sending', attempts = attempts + 1, claimed_until = now() + make_interval(secs => %s)"
    " FROM unnest(%s::uuid[]) AS v(id) WHERE e.id = v.id AND status IS NOT DISTINCT FROM 'scheduled' AND claim = %s"
    " AND claimed_until > now() RETURNING e.id"
)
SENT = (
    "UPDATE mailing_scheduledemail e SET status = 'sent', sent_at = now(), error = '', error_reply = '', claim = NULL,"
    " subject = CASE recipient WHEN '' THEN '' ELSE v.subject END"  # empty: its contact was deleted while it was on its way
    " FROM unnest(%s::uuid[], %s::text[]) AS v(id, subject) WHERE e.id = v.id AND status IS NOT DISTINCT FROM 'sending' AND claim = %s"
    " RETURNING e.id, e.subject"
)


@dataclass(frozen=True)
class Outcome:
    """What became of a row that this claim held; `again` puts it back for later, or gives it up when it was tried often enough.

    `begun`: it was marked `sending` for this. A run whose leases lapse claims rows twice, and what hinders one of the two says nothing
    of the other.
    """

    email: ScheduledEmail
    status: str
    error: str = ""
    reply: str = ""
    again: bool = False
    begun: bool = False


class _Asked:
    """A connection's question, of the event loop that waits for the answer."""

    def __init__(self, email_id: UUID) -> None:
        self.email_id = email_id
        self.loop = asyncio.get_running_loop()
        self.granted: asyncio.Future[bool] = self.loop.create_future()


class Marks:
    """Context manager. One event loop asks; any thread may say what ended. The writing thread has a database connection of its own."""

    def __init__(self, claim: UUID) -> None:
        self.claim = claim
        self._queue: queue.SimpleQueue[_Asked | Outcome | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="mail-marks", daemon=True)
        self.failure: Exception | None = None
        self.counts: dict[str, int] = {}

    def __enter__(self) -> "Marks":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._queue.put(None)
        self._thread.join()

    async def may_send(self, email: ScheduledEmail) -> bool:
        """Mark it `sending` and say whether this claim still held it. False, too, when the database failed: then it must not go out."""
        asked = _Asked(email.pk)
        self._queue.put(asked)
        return await asked.granted

    def ended(self, outcome: Outcome) -> None:
        """Write what became of it, soon and without waiting."""
        self._queue.put(outcome)

    def _write(self) -> None:
        try:
            last = False
            while not last:
                waiting = [self._queue.get()]
                while not self._queue.empty():
                    waiting.append(self._queue.get())
                last = None in waiting
                asked = [one for one in waiting if isinstance(one, _Asked)]
                outcomes = [one for one in waiting if isinstance(one, Outcome)]
                granted: set[UUID] = set()
                try:
                    granted = self._commit(asked, outcomes)
                except Exception as error:  # noqa: BLE001 - whoever asks waits for an answer; the run ends with it
                    self.failure = error
                    logger.error("marks of mails not written", extra={"error": type(error).__name__})
                    self._save(outcomes)
                if asked:
                    asked[0].loop.call_soon_threadsafe(_answer, asked, granted)
        finally:
            connection.close()

    def _save(self, outcomes: Sequence[Outcome]) -> None:
        """What is known already, each by itself: the line to the database may have been cut, or one of them cannot be written.

        A mail whose outcome is lost stays `sending`, and is in doubt when that lapses.
        """
        connection.close()
        for outcome in outcomes:
            try:
                self._commit([], [outcome])
            except OperationalError:
                return
            except Exception:  # noqa: BLE001  # nosec B112 - one that cannot be written must not take the others with it
                continue

    def _commit(self, asked: Sequence[_Asked], outcomes: Sequence[Outcome]) -> set[UUID]:
        """One transaction: what became of some, and which others may begin. Both marks go to the database in one piece."""
        by_status: dict[str, list[Outcome]] = {Status.SENT: []}
        for outcome in map(_final, outcomes):
            by_status.setdefault(outcome.status, []).append(outcome)
        sent = by_status.pop(Status.SENT)
        with transaction.atomic():
            with connection.wrap_database_errors, connection.connection.pipeline():
                ended, begun = self._sent(sent), self._begin([one.email_id for one in asked])
            done, granted = dict(ended), {pk for (pk,) in begun}
            for one in sent:
                one.email.subject = done.get(one.email.pk, "")
            self._tell(Status.SENT, [one for one in sent if one.email.pk in done])
            for status, some in by_status.items():
                self._tell(status, [one for one in some if self._other(one)])
        return granted

    def _begin(self, ids: list[UUID]) -> Iterable[tuple[UUID]]:
        return _written(BEGIN, SENDING.total_seconds(), _array(ids), self.claim) if ids and not self.failure else ()

    def _sent(self, outcomes: Sequence[Outcome]) -> Iterable[tuple[UUID, str]]:
        emails = [one.email for one in outcomes]
        return _written(SENT, _array(one.pk for one in emails), _array(one.subject for one in emails), self.claim) if emails else ()

    def _tell(self, status: str, written: Sequence[Outcome]) -> None:
        """The activity log, and the projects' timelines."""
        if not written:
            return
        self.counts[status] = self.counts.get(status, 0) + len(written)
        if status != Status.SCHEDULED:
            for error in sorted({one.error for one in written}):
                why: dict[str, Any] = {"error": error} if error else {}
                record_many(f"email.{status}", [one.email for one in written if one.error == error], **why)
        kind = {Status.SENT: "email.sent", Status.FAILED: "email.failed", Status.UNKNOWN: "email.failed"}.get(Status(status), "")
        of_projects = [(one.email.project, one.email.subject) for one in written if kind and one.email.project]
        still_there = set(Project.objects.filter(pk__in=[project.pk for project, _subject in of_projects]).values_list("pk", flat=True))
        for project, subject in of_projects:
            if project.pk in still_there:
                add_entry(project, kind, subject=subject)

    def _other(self, outcome: Outcome) -> bool:
        """Whether the row was still this claim's."""
        now = timezone.now()
        wait = BACK_OFF[min(outcome.email.attempts, len(BACK_OFF) - 1)] if outcome.again else timedelta(0)
        stands = Status.SENDING if outcome.begun else Status.SCHEDULED
        rows = ScheduledEmail.objects.filter(pk=outcome.email.pk, claim=self.claim, status=stands)
        values: dict[str, Any] = {
            "status": outcome.status,
            "error": outcome.error,
            "error_reply": outcome.reply,
            "claim": None,
            "claimed_until": None,
        }
        if outcome.status != Status.SKIPPED:
            values["attempts"] = outcome.email.attempts + 1
        if outcome.again:
            values["due_at"] = now + wait
        return bool(rows.update(**values))


def _answer(asked: Sequence[_Asked], granted: set[UUID]) -> None:
    for one in asked:
        if not one.granted.done():
            one.granted.set_result(one.email_id in granted)


def _array(values: Iterable[UUID | str]) -> str:
    """As PostgreSQL writes one; psycopg would look at each element first."""
    return "{" + ",".join('"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values) + "}"


def _written(statement: str, *values: Any) -> Iterable[Any]:
    """The keys of the rows that it changes. Prepared once for the hundreds of rounds of a run, which Django's cursors would not."""
    raw = connection.connection
    raw.prepare_threshold = raw.prepare_threshold or 5
    return psycopg.Cursor(raw).execute(statement, values, prepare=True)


def _final(outcome: Outcome) -> Outcome:
    """An attempt too many is a failure."""
    if outcome.again and outcome.email.attempts + 1 >= len(BACK_OFF):
        return replace(outcome, status=Status.FAILED, error="gave_up", again=False)
    return outcome
