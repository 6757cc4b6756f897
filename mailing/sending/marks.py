"""The marks around each DATA, durable before it begins: one thread writes those of all connections, as many in one commit as wait.

`sending` is written, and committed, before a mail's DATA; what became of it after. A mail's outcome may be written together with the
`sending` of the next one on the same connection, so that a crash leaves at most one mail in doubt on each.
"""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit.services import record_many
from mailing.models import ScheduledEmail
from mailing.sending.claims import SENDING
from studio.services.timeline import add_entry

Status = ScheduledEmail.Status
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 360, 360))  # then given up, after a day


@dataclass(frozen=True)
class Outcome:
    """What became of a row that this claim held; `again` puts it back for later, or gives it up when it was tried often enough."""

    email: ScheduledEmail
    status: str
    error: str = ""
    reply: str = ""
    again: bool = False


@dataclass
class _Asked:
    email_id: UUID
    event: threading.Event = field(default_factory=threading.Event)
    granted: bool = False


class Marks:
    """Context manager. Any thread may ask; the writing thread has a database connection of its own."""

    def __init__(self, claim: UUID) -> None:
        self.claim = claim
        self._queue: queue.SimpleQueue[_Asked | Outcome | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="mail-marks", daemon=True)
        self.failure: DatabaseError | None = None
        self.counts: dict[str, int] = {}

    def __enter__(self) -> "Marks":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._queue.put(None)
        self._thread.join()

    def may_send(self, email: ScheduledEmail) -> bool:
        """Mark it `sending` and say whether this claim still held it. False, too, when the database failed: then it must not go out."""
        asked = _Asked(email.pk)
        self._queue.put(asked)
        asked.event.wait()
        return asked.granted

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
                try:
                    self._commit(asked, outcomes)
                except DatabaseError as error:  # rows that are being sent stay so, and are in doubt when their lease has run out
                    self.failure = error
                    connection.close()
                for one in asked:
                    one.event.set()
        finally:
            connection.close()

    def _commit(self, asked: Sequence[_Asked], outcomes: Sequence[Outcome]) -> None:
        with transaction.atomic():
            self._end(outcomes)
            granted = self._begin([one.email_id for one in asked])
        for one in asked:
            one.granted = one.email_id in granted

    def _begin(self, ids: list[UUID]) -> set[UUID]:
        if not ids or self.failure:
            return set()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mailing_scheduledemail SET status = 'sending', attempts = attempts + 1,"
                " claimed_until = now() + make_interval(secs => %s) WHERE id = ANY(%s) AND status = 'scheduled'"
                " AND claim = %s AND claimed_until > now() RETURNING id",
                [SENDING.total_seconds(), ids, self.claim],
            )
            return {pk for (pk,) in cursor.fetchall()}

    def _end(self, outcomes: Sequence[Outcome]) -> None:
        by_status: dict[str, list[Outcome]] = {}
        for outcome in map(_final, outcomes):
            by_status.setdefault(outcome.status, []).append(outcome)
        for status, some in by_status.items():
            written = self._sent(some) if status == Status.SENT else [one for one in some if self._other(one)]
            self.counts[status] = self.counts.get(status, 0) + len(written)
            if status != Status.SCHEDULED:
                record_many(f"email.{status}", [one.email for one in written])
            kind = {Status.SENT: "email.sent", Status.FAILED: "email.failed", Status.UNKNOWN: "email.failed"}.get(Status(status), "")
            for one in written if kind else ():
                if one.email.project:
                    add_entry(one.email.project, kind, subject=one.email.subject)

    def _sent(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mailing_scheduledemail e SET status = 'sent', sent_at = now(), error = '', error_reply = '', claim = NULL,"
                " subject = v.subject FROM unnest(%s::uuid[], %s::text[]) AS v(id, subject)"
                " WHERE e.id = v.id AND status = 'sending' AND claim = %s RETURNING e.id",
                [[one.email.pk for one in outcomes], [one.email.subject for one in outcomes], self.claim],
            )
            done = {pk for (pk,) in cursor.fetchall()}
        return [one for one in outcomes if one.email.pk in done]

    def _other(self, outcome: Outcome) -> bool:
        """Whether the row was still this claim's."""
        now = timezone.now()
        wait = BACK_OFF[min(outcome.email.attempts, len(BACK_OFF) - 1)] if outcome.again else timedelta(0)
        rows = ScheduledEmail.objects.filter(pk=outcome.email.pk, claim=self.claim, status__in=[Status.SCHEDULED, Status.SENDING])
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


def _final(outcome: Outcome) -> Outcome:
    """An attempt too many is a failure."""
    if outcome.again and outcome.email.attempts + 1 >= len(BACK_OFF):
        return Outcome(outcome.email, Status.FAILED, "gave_up", outcome.reply)
    return outcome
