"""The session engine: Django's database sessions, in rows that know their person and how, whence and when they came.

Deleting a row ends its session at once: nothing is kept anywhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import DatabaseError, transaction
from django.utils import timezone

from aaperture.lib.prepared import Prepared

LONGEST_AGENT = 400
_asked: ContextVar[Any] = ContextVar("session_asked_for_its_person", default=None)


@contextmanager
def asking(session: Any) -> Iterator[None]:
    """While this lasts, `person_of_session()` answers from the row that `session` was read from."""
    token = _asked.set(session)
    try:
        yield
    finally:
        _asked.reset(token)


def person_of_session(user_id: Any) -> Any:
    """The person who came with the session's row, in the same query, if it is this one; else None."""
    person = getattr(_asked.get(), "person", None)
    return person if person is not None and str(person.pk) == str(user_id) else None


class Origin(NamedTuple):
    """What is written once, when somebody signs in, and moves along when the key is renewed."""

    method: str
    address: str
    agent: str
    created_at: datetime


def _live(key: str, now: datetime) -> Any:
    """The session, with its person in the same query and without what is sealed."""
    from accounts.models import Session

    return Session.objects.select_related("user").defer("address", "agent").filter(session_key=key, expire_date__gt=now)


_live_session = Prepared(_live, "key", datetime(2000, 1, 1, tzinfo=UTC))  # asked on every request


class SessionStore(DatabaseStore):
    _origin: Origin | None = None
    person: Any = None

    @classmethod
    def get_model_class(cls) -> type:
        from accounts.models import Session

        return Session

    def _get_session_from_db(self) -> Any:
        """Django's, with the person in the same query and without what is sealed."""
        row = _live_session.first(self.session_key, timezone.now())
        if row is None:
            self._session_key = None
            return None
        self.person = row.user
        return row

    def _validate_session_key(self, key: str | None) -> bool:
        """Only what we could have given out: a cookie may hold anything, a NUL too, which no column can."""
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())

    def starts(self, *, way: str, address: str, agent: str) -> None:
        """Somebody has just signed in, in this way and from there: the next save writes it, sealed."""
        self._origin = Origin(way, address, agent[:LONGEST_AGENT], datetime.now(UTC))

    def cycle_key(self) -> None:
        """A new key for the same session (the old row goes), with where it came from sealed anew: seals are bound to their row."""
        rows: Any = self.model.objects
        old = rows.filter(session_key=self.session_key).exclude(user=None).first() if self.session_key else None
        origin = Origin(old.method, old.address or "", old.agent or "", old.created_at) if old else None
        super().cycle_key()
        self._origin = origin or self._origin

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row: Any = super().create_model_instance(data)
        row.user_id = data.get(SESSION_KEY) or None
        if seen := data.get("seen_at"):
            row.seen_at = datetime.fromtimestamp(seen, UTC)
        if row.user_id and self._origin:
            row.method, row.address, row.agent, row.created_at = self._origin
        return row

    def save(self, must_create: bool = False) -> None:
        """Django's, but an update leaves alone what was written at sign-in."""
        if self.session_key is None or must_create:
            super().save(must_create=must_create)
            return
        row = self.create_model_instance(self._get_session())  # type: ignore[attr-defined]  # Django's SessionStore of the database has it
        columns = ["session_data", "expire_date", "user", "seen_at"]
        if row.user_id and self._origin:
            columns += Origin._fields
        try:
            with transaction.atomic():
                row.save(update_fields=columns)
        except DatabaseError as error:
            raise UpdateError from error  # the row has gone: its session has ended, and this may not bring it back
        self._origin = None
