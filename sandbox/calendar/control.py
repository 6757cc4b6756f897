"""What a person would do in Google Calendar, as JSON below /_control/, for tests: look, add, move, delete; and forgotten sync tokens."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sandbox.calendar.store import Calendar, Event
from sandbox.control import Body, RefusedError, account_of, route

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.world import Account, World


def calendar_of(world: World, request: Request, calendar_id: str) -> tuple[Account, Calendar]:
    account = account_of(world, request.path_params["email"])
    calendar = account.calendars.get(calendar_id)
    if calendar is None:
        raise RefusedError("No such calendar.", 404)
    return account, calendar


def look(world: World, body: Body, request: Request) -> Body:
    calendars = account_of(world, request.path_params["email"]).calendars.all.values()
    shown = [calendar.document() | {"events": [event.document(calendar.id) for event in calendar.live()]} for calendar in calendars]
    return {"calendars": shown}


def add(world: World, body: Body, request: Request) -> Body:
    account, calendar = calendar_of(world, request, body.pop("calendar", "primary"))
    event = calendar.change(Event(secrets.token_hex(8).translate(str.maketrans("wxyz", "abcd")), dict(body), account.email))
    return event.document(calendar.id)


def event_of(world: World, body: Body, request: Request) -> tuple[Calendar, Event]:
    for calendar in account_of(world, request.path_params["email"]).calendars.all.values():
        if event := calendar.events.get(request.path_params["id"]):
            return calendar, event
    raise RefusedError("No such event.", 404)


def change(world: World, body: Body, request: Request) -> Body:
    calendar, event = event_of(world, body, request)
    event.data = {**event.data, **body}
    event.sequence += 1
    return calendar.change(event).document(calendar.id)


def remove(world: World, body: Body, request: Request) -> Body:
    calendar, event = event_of(world, body, request)
    event.data = {"status": "cancelled"}
    return calendar.change(event).document(calendar.id)


def forget(world: World, body: Body, request: Request) -> Body:
    """Sync tokens given until now are answered with 410 from now on."""
    calendars = account_of(world, request.path_params["email"]).calendars.all.values()
    for calendar in calendars:
        calendar.forgotten = calendar.number
    return {"forgotten": len(calendars)}


def drop(world: World, body: Body, request: Request) -> Body:
    """The person deletes a whole calendar."""
    account, calendar = calendar_of(world, request, body["calendar"])
    del account.calendars.all[calendar.id]
    return {}


routes = [
    route("/calendar/{email}", GET=look, DELETE=drop),
    route("/calendar/{email}/events", POST=add),
    route("/calendar/{email}/events/{id}", PATCH=change, DELETE=remove),
    route("/calendar/{email}/forget", POST=forget),
]
