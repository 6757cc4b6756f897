"""The Calendar methods: one synchronous function from a request to a reply."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

from sandbox.authority import Token
from sandbox.calendar.store import Calendar, Calendars, Event, instant
from sandbox.gmail.api import bearer, fits
from sandbox.google_errors import ApiError, Reply, insufficient_scope, json_reply, raw_reply

if TYPE_CHECKING:
    from sandbox.world import Account, World

PREFIX = "/calendar/v3/"
SCOPE = "https://www.googleapis.com/auth/calendar"
OWN = SCOPE + ".app.created"  # only what this client made
EVERYTHING = frozenset({SCOPE})
EVENTS = EVERYTHING | {SCOPE + ".events", SCOPE + ".events.owned", OWN}
READ_EVENTS = EVENTS | {SCOPE + ".readonly", SCOPE + ".events.readonly"}
CALENDARS = EVERYTHING | {SCOPE + ".calendars", OWN}
READ_CALENDARS = CALENDARS | {SCOPE + ".readonly", SCOPE + ".calendars.readonly"}
LISTS = EVERYTHING | {SCOPE + ".readonly", SCOPE + ".calendarlist", SCOPE + ".calendarlist.readonly"}
LIST_ENTRIES = LISTS | {OWN}  # one of which the client knows the id
FREE_BUSY = EVERYTHING | {SCOPE + ".readonly", SCOPE + ".freebusy", SCOPE + ".events.freebusy"}
EVENT_ID = re.compile(r"[a-v0-9]{5,1024}")
PAGE, MOST = 250, 2500
WITH_TOKEN_REFUSED = ("iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin")
WRITABLE = {
    "summary", "description", "location", "start", "end", "extendedProperties", "status", "transparency", "visibility", "colorId",
    "attendees", "recurrence", "reminders", "source",
}  # fmt: skip


class Call(NamedTuple):
    account: Account
    token: Token
    ids: list[str]
    query: dict[str, list[str]]
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def calendars(self) -> Calendars:
        return self.account.calendars

    def get(self, name: str) -> str:
        return self.query.get(name, [""])[-1]

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    def document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.body or b"{}")
        except ValueError:
            raise ApiError(400, "Parse Error", reason="parseError") from None
        if not isinstance(document, dict):
            raise ApiError(400, "Parse Error", reason="parseError")
        return document

    def only_own(self) -> bool:
        """The grant opens no calendar but those that the client made itself."""
        return self.token.scopes.isdisjoint((READ_EVENTS | READ_CALENDARS) - {OWN})

    def calendar(self) -> Calendar:
        calendar = self.calendars.get(self.ids[0])
        if calendar is None or (self.only_own() and calendar.made_by != self.token.client_id):
            raise ApiError(404)
        return calendar

    def event(self) -> Event:
        event = self.calendar().events.get(self.ids[1])
        if event is None:
            raise ApiError(404)
        return event


class Method(NamedTuple):
    verb: str
    path: tuple[str, ...]
    api: str
    scopes: frozenset[str]
    answer: Callable[[Call], Any]


def answer(world: World, verb: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes = b"") -> Reply:
    api = account = ""
    try:
        method, ids = find_method(verb, path)
        api = method.api
        token = bearer(world, headers.get(b"authorization", b"").decode("latin-1"))
        account = token.email
        if token.scopes.isdisjoint(method.scopes):
            raise insufficient_scope(f"calendar.v3.{api.removeprefix('calendar.')}", method.scopes)
        call = Call(world.accounts[token.email], token, ids, parse_qs(query, keep_blank_values=True), headers, body)
        document = method.answer(call)
        if document is None:
            return raw_reply(b"", status=204, api=api, account=account)
        etag = document.get("etag", "")
        return json_reply(document, headers=[(b"etag", etag.encode())] if etag else None, api=api, account=account)
    except ApiError as error:
        return error.reply(api=api, account=account)


def find_method(verb: str, path: str) -> tuple[Method, list[str]]:
    segments = [unquote(segment) for segment in path.removeprefix(PREFIX).split("/")]
    fitting = [method for method in METHODS if fits(method.path, segments)]
    for method in fitting:
        if method.verb == verb:
            return method, [segment for segment, part in zip(segments, method.path, strict=True) if part == "*"]
    raise ApiError(405, "Request method not supported by this sandbox.") if fitting else ApiError(404)


# --- calendars ---------------------------------------------------------------------------------------------------------------


def list_calendars(call: Call) -> dict[str, Any]:
    return {"kind": "calendar#calendarList", "etag": '"p"', "items": [entry(call, calendar) for calendar in call.calendars.all.values()]}


def get_list_entry(call: Call) -> dict[str, Any]:
    return entry(call, call.calendar())


def entry(call: Call, calendar: Calendar) -> dict[str, Any]:
    shown = calendar.document() | {"kind": "calendar#calendarListEntry", "accessRole": "owner", "selected": True}
    return shown | ({"primary": True} if calendar.id == call.account.email else {})


def insert_calendar(call: Call) -> dict[str, Any]:
    document = call.document()
    if not document.get("summary"):
        raise ApiError(400, "Missing title.", reason="required")
    calendar = call.calendars.make(str(document["summary"]), zone=document.get("timeZone") or "UTC", made_by=call.token.client_id)
    calendar.description = str(document.get("description", ""))
    return calendar.document()


def get_calendar(call: Call) -> dict[str, Any]:
    return call.calendar().document()


def patch_calendar(call: Call) -> dict[str, Any]:
    calendar, document = call.calendar(), call.document()
    calendar.summary = str(document.get("summary", calendar.summary))
    calendar.zone = str(document.get("timeZone", calendar.zone))
    return calendar.document()


def delete_calendar(call: Call) -> None:
    calendar = call.calendar()
    if calendar.id == call.account.email:
        raise ApiError(400, "Cannot delete the primary calendar.", reason="invalid")
    del call.calendars.all[calendar.id]


# --- events ------------------------------------------------------------------------------------------------------------------


def list_events(call: Call) -> dict[str, Any]:
    calendar, token = call.calendar(), call.get("syncToken")
    since = 0
    if token:
        if any(call.get(name) for name in WITH_TOKEN_REFUSED):
            raise ApiError(400, "Sync token cannot be used together with this parameter.", reason="badRequest")
        if not token.isdigit() or int(token) <= calendar.forgotten or int(token) > max(calendar.number, 0):
            raise ApiError(410, "Sync token is no longer valid, a full sync is required.", reason="fullSyncRequired")
        since = int(token)
    found = [event for event in sorted(calendar.events.values(), key=lambda event: event.number) if event.number > since]
    with_deleted = bool(token) or call.get("showDeleted") == "true"
    found = [event for event in found if (with_deleted or not event.is_cancelled) and wanted(call, calendar, event)]
    if call.get("orderBy") == "startTime":
        if call.get("singleEvents") != "true":
            raise ApiError(400, "The requested ordering is not available for the particular query.", reason="badRequest")
        found.sort(key=lambda event: event.span(calendar.zone))
    start = int(call.get("pageToken") or 0)
    size = min(int(call.get("maxResults") or PAGE), MOST)
    document: dict[str, Any] = {
        "kind": "calendar#events", "etag": calendar.etag, "summary": calendar.summary, "timeZone": calendar.zone, "accessRole": "owner",
        "items": [event.document(calendar.id) for event in found[start : start + size]],
    }  # fmt: skip
    further = {"nextPageToken": str(start + size)} if start + size < len(found) else {"nextSyncToken": str(calendar.number)}
    return document | further


def wanted(call: Call, calendar: Calendar, event: Event) -> bool:
    if event.is_cancelled:
        return True
    start, end = event.span(calendar.zone)
    if (text := call.get("timeMin")) and end <= moment(text, "timeMin"):
        return False
    if (text := call.get("timeMax")) and start >= moment(text, "timeMax"):
        return False
    private = event.data.get("extendedProperties", {}).get("private", {})
    pairs = [pair.partition("=") for pair in call.query.get("privateExtendedProperty", [])]
    return all(private.get(name) == value for name, _equals, value in pairs)


def moment(text: str, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ApiError(400, f"Invalid value for: {name}", reason="badRequest") from None
    if at.tzinfo is None:
        raise ApiError(400, f"Invalid value for: {name}: a time zone is needed", reason="badRequest")
    return at


def get_event(call: Call) -> dict[str, Any]:
    return call.event().document(call.calendar().id)


def insert_event(call: Call) -> dict[str, Any]:
    calendar, document = call.calendar(), call.document()
    event_id = document.get("id") or secrets.token_hex(13).translate(str.maketrans("", "", "wxyz"))
    if not EVENT_ID.fullmatch(str(event_id)):
        raise ApiError(400, "Invalid resource id value.", reason="invalid")
    if event_id in calendar.events:
        raise ApiError(409, "The requested identifier already exists.", reason="duplicate")
    event = Event(event_id, said(document, calendar), call.account.email)
    return calendar.change(event).document(calendar.id)


def patch_event(call: Call) -> dict[str, Any]:
    document = {name: value for name, value in call.document().items() if name in WRITABLE}
    return change_event(call, merged(call.event().data, document))


def merged(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """As PATCH does it: objects within objects are merged, and null takes away."""
    found = dict(data)
    for name, value in changes.items():
        inner = found.get(name)
        found[name] = merged(inner if isinstance(inner, dict) else {}, value) if isinstance(value, dict) else value
        if found[name] is None:
            del found[name]
    return found


def update_event(call: Call) -> dict[str, Any]:
    return change_event(call, call.document())


def change_event(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    calendar, event = call.calendar(), call.event()
    require_match(call, event)
    data = said(document, calendar)
    moved = (data["start"], data["end"]) != (event.data.get("start"), event.data.get("end"))
    event.data, event.sequence = data, event.sequence + moved
    return calendar.change(event).document(calendar.id)


def delete_event(call: Call) -> None:
    calendar, event = call.calendar(), call.event()
    if event.is_cancelled:
        raise ApiError(410, "Resource has been deleted", reason="deleted")
    require_match(call, event)
    event.data = {"status": "cancelled"}
    calendar.change(event)


def require_match(call: Call, event: Event) -> None:
    match = call.header(b"if-match")
    if match and match not in ("*", event.etag):
        raise ApiError(412, "Precondition Failed", reason="conditionNotMet", location="If-Match")


def said(document: dict[str, Any], calendar: Calendar) -> dict[str, Any]:
    """The fields a client may write, with times that make sense."""
    data = {name: value for name, value in document.items() if name in WRITABLE and value is not None}
    try:
        start, end = instant(data["start"], calendar.zone), instant(data["end"], calendar.zone)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ApiError(400, "Missing end time." if "start" in data else "Missing start time.", reason="required") from None
    if end < start:
        raise ApiError(400, "The specified time range is empty.", reason="timeRangeEmpty")
    if data.pop("status", "") == "cancelled":
        return {"status": "cancelled"}
    return data | ({"status": "tentative"} if document.get("status") == "tentative" else {})


def free_busy(call: Call) -> dict[str, Any]:
    document = call.document()
    start, end = moment(str(document.get("timeMin", "")), "timeMin"), moment(str(document.get("timeMax", "")), "timeMax")
    found: dict[str, Any] = {}
    for item in document.get("items", []):
        calendar = call.calendars.get(str(item.get("id")))
        if calendar is None:
            found[str(item.get("id"))] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
            continue
        spans = sorted(event.span(calendar.zone) for event in calendar.live() if event.data.get("transparency") != "transparent")
        busy = [{"start": a.isoformat(), "end": b.isoformat()} for a, b in spans if a < end and b > start]
        found[str(item["id"])] = {"busy": busy}
    return {"kind": "calendar#freeBusy", "timeMin": start.isoformat(), "timeMax": end.isoformat(), "calendars": found}


EVENT = ("calendars", "*", "events", "*")
METHODS = [
    Method("GET", ("users", "me", "calendarList"), "calendar.calendarList.list", LISTS, list_calendars),
    Method("GET", ("users", "me", "calendarList", "*"), "calendar.calendarList.get", LIST_ENTRIES, get_list_entry),
    Method("POST", ("calendars",), "calendar.calendars.insert", CALENDARS, insert_calendar),
    Method("GET", ("calendars", "*"), "calendar.calendars.get", READ_CALENDARS, get_calendar),
    Method("PATCH", ("calendars", "*"), "calendar.calendars.patch", CALENDARS, patch_calendar),
    Method("DELETE", ("calendars", "*"), "calendar.calendars.delete", CALENDARS, delete_calendar),
    Method("GET", ("calendars", "*", "events"), "calendar.events.list", READ_EVENTS, list_events),
    Method("POST", ("calendars", "*", "events"), "calendar.events.insert", EVENTS, insert_event),
    Method("GET", EVENT, "calendar.events.get", READ_EVENTS, get_event),
    Method("PATCH", EVENT, "calendar.events.patch", EVENTS, patch_event),
    Method("PUT", EVENT, "calendar.events.update", EVENTS, update_event),
    Method("DELETE", EVENT, "calendar.events.delete", EVENTS, delete_event),
    Method("POST", ("freeBusy",), "calendar.freebusy.query", FREE_BUSY, free_busy),
]
