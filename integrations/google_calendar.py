"""The calls of Google Calendar that the calendar of sessions needs. One is made per piece of work; nothing is tried twice here.

Waiting work stands in tables and is tried again from there; only a refused access token is renewed once, in the middle of a call.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from googleapiclient.errors import Error as GoogleError
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from integrations.errors import (
    AccessWithdrawn,
    AskedToWait,
    ChangedThere,
    Exists,
    Gone,
    PositionForgotten,
    Refused,
    Unauthorized,
    Unavailable,
    Unreadable,
)  # fmt: skip
from integrations.google_api import BROKEN_LINE, RATE_REASONS, described, no_redirects, reason_of

PAGE = 250
MOST_PAGES = 100
LONGEST_WAIT = 3600.0
BUSY_CALENDARS = 20
Renew = Callable[[str], str]  # takes the token that was refused, gives another
Found = dict[str, Any]


class Changes(NamedTuple):
    """One page of events as Google gives them; the last one has `next_token`, from which to go on another time."""

    events: list[Found]
    next_token: str


class CalendarApi:
    """Raises only `ProviderError` subclasses, and what `renew` raises. Used as a context manager, by one thread."""

    def __init__(self, token: str, *, renew: Renew | None = None, timeout: float = 20.0) -> None:
        self._token, self._renew = token, renew
        self._api = described("calendar", "v3")
        self._http = no_redirects(timeout)

    def __repr__(self) -> str:
        return "<CalendarApi>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    # --- calendars -----------------------------------------------------------------------------------------------------

    def calendars(self) -> Iterator[Found]:
        """What the person has in their list. Raises AccessWithdrawn where they did not allow us to see it."""
        page: str | None = None
        for _number in range(MOST_PAGES):
            answer = self._call(self._api.calendarList().list(maxResults=PAGE, showHidden=True, pageToken=page))
            yield from answer.get("items", [])
            page = answer.get("nextPageToken")
            if not page:
                return

    def make_calendar(self, *, name: str, description: str, zone: str) -> str:
        """The new one's id."""
        body = {"summary": name, "description": description, "timeZone": zone}
        return str(self._call(self._api.calendars().insert(body=body))["id"])

    def drop_calendar(self, calendar_id: str) -> None:
        self._call(self._api.calendars().delete(calendarId=calendar_id))

    def has_calendar(self, calendar_id: str) -> bool:
        try:
            self._call(self._api.calendars().get(calendarId=calendar_id))
        except Gone:
            return False
        return True

    # --- events --------------------------------------------------------------------------------------------------------

    def insert(self, calendar_id: str, body: Found) -> Found:
        """Raises Exists where there is, or was, an event of that id."""
        return self._call(self._api.events().insert(calendarId=calendar_id, body=body))

    def update(self, calendar_id: str, body: Found, *, seen: str) -> Found:
        """Change an event that still has the ETag `seen`; what `body` does not name stays as it is. Raises ChangedThere, Gone."""
        whole_day_no_more = {name: {"date": None} | body[name] for name in ("start", "end")}
        request = self._api.events().patch(calendarId=calendar_id, eventId=body["id"], body=body | whole_day_no_more)
        request.headers["If-Match"] = seen
        return self._call(request)

    def event(self, calendar_id: str, event_id: str) -> Found:
        """A deleted one has the status `cancelled`, for as long as Google remembers it. Raises Gone."""
        return self._call(self._api.events().get(calendarId=calendar_id, eventId=event_id))

    def delete(self, calendar_id: str, event_id: str) -> None:
        """Raises Gone where it is deleted already."""
        self._call(self._api.events().delete(calendarId=calendar_id, eventId=event_id))

    def changes(self, calendar_id: str, *, since: str = "", after: datetime | None = None) -> Iterator[Changes]:
        """What changed after the position `since`; without one, everything that ends after `after`. Raises PositionForgotten, Gone."""
        known: dict[str, Any] = {"syncToken": since} if since else {"timeMin": after.isoformat() if after else None}
        page: str | None = None
        for _number in range(MOST_PAGES):
            request = self._api.events().list(calendarId=calendar_id, showDeleted=True, maxResults=PAGE, pageToken=page, **known)
            answer = self._call(request, reading=bool(since))
            page = answer.get("nextPageToken")
            yield Changes(answer.get("items", []), str(answer.get("nextSyncToken") or ""))
            if not page:
                return
        raise Unavailable(detail="endless")

    def busy(self, calendar_ids: Sequence[str], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """When the person is taken according to these calendars; never by what."""
        items = [{"id": calendar_id} for calendar_id in calendar_ids[:BUSY_CALENDARS]]
        body = {"timeMin": start.isoformat(), "timeMax": end.isoformat(), "items": items}
        answer = self._call(self._api.freebusy().query(body=body))
        spans = [span for calendar in answer.get("calendars", {}).values() for span in calendar.get("busy", [])]
        try:
            return sorted((datetime.fromisoformat(span["start"]), datetime.fromisoformat(span["end"])) for span in spans)
        except (KeyError, TypeError, ValueError):
            raise Unreadable(detail="busy") from None

    # --- how a call goes -----------------------------------------------------------------------------------------------

    def _call(self, request: HttpRequest, *, reading: bool = False) -> Found:
        try:
            return self._once(request, reading=reading)
        except Unauthorized:
            if self._renew is None:
                raise
            self._token = self._renew(self._token)
        return self._once(request, reading=reading)

    def _once(self, request: HttpRequest, *, reading: bool) -> Found:
        request.headers["authorization"] = f"Bearer {self._token}"
        try:
            answer = request.execute(http=self._http, num_retries=0) or {}
        except HttpError as error:
            raise _judged(error, reading=reading) from None
        except (GoogleError, UnicodeDecodeError):
            raise Unreadable(detail="answer") from None
        except BROKEN_LINE:
            raise Unavailable from None
        if not isinstance(answer, dict):  # the library hands over what is no JSON as it came
            raise Unreadable(detail="answer")
        return answer


def _judged(error: HttpError, *, reading: bool) -> Exception:
    status, reason = error.resp.status, reason_of(error)
    if status == 429 or (status == 403 and reason in RATE_REASONS):
        asked = error.resp.get("retry-after", "")
        return AskedToWait(min(float(asked), LONGEST_WAIT) if asked.isdecimal() else 0.0)
    if status == 403:
        return AccessWithdrawn() if reason == "insufficientPermissions" else Refused()
    if status == 410 and reading:
        return PositionForgotten()
    known = {401: Unauthorized, 404: Gone, 410: Gone, 409: Exists, 412: ChangedThere}
    if status in known:
        return known[status]()
    return Unreadable(detail=f"http_{status}") if status < 500 else Unavailable()
