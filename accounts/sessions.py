"""The session engine: Django's database sessions, in rows that know their person and how, whence and when they came.

Deleting a row ends its session at once: nothing is kept anywhere else.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import DatabaseError, transaction

LONGEST_AGENT = 400


class Origin(NamedTuple):
    """What is written once, when somebody signs in, and moves along when the key is renewed."""

    method: str
    address: str
    agent: str
    created_at: datetime


class SessionStore(DatabaseStore):
    _origin: Origin | None = None

    @classmethod
    def get_model_class(cls) -> type:
        from accounts.models import Session

        return Session

    def _validate_session_key(self, key: str | None) -> bool:
        """Only what we could have given out: a cookie may hold anything, a NUL too, which no column can."""
        return bool(key and len(key) >= 8 and key.isascii() and key.isalnum())

    def starts(self, *, way: str, address: str, agent: str) -> None:
        """Somebody has just signed in, in this way and from there: the next save writes it, sealed."""
        self._origin = Origin(way, address, agent[:LONGEST_AGENT], datetime.now(UTC))

    def cycle_key(self) -> None:
        """A new key for the same session (the old row goes), with where it came from sealed anew: seals are bound to their row."""
        rows: Any = self.model.objects
        old = rows.filter(session_key=self.session_key).exclude(user=None).first()
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
        row = self.create_model_instance(self._get_session())  # type: ignore[attr-defined]
        columns = ["session_data", "expire_date", "user", "seen_at"]
        if row.user_id and self._origin:
            columns += Origin._fields
        try:
            with transaction.atomic():
                row.save(update_fields=columns)
        except DatabaseError as error:
            raise UpdateError from error  # the row has gone: its session has ended, and this may not bring it back
        self._origin = None
