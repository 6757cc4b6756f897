"""Google Calendar as a person sees it: what stands in their calendars, moved, renamed, added and deleted by forms."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.calendar.store import Calendar, Event
from sandbox.pages import render

if TYPE_CHECKING:
    from sandbox.world import Account, World

HOUR = timedelta(hours=1)


def account_of(request: Request) -> Account | None:
    world: World = request.app.state.world
    return world.account(request.path_params["email"])


def shown(event: Event, calendar: Calendar) -> dict[str, Any]:
    """An event on the clock that it names."""
    zone = ZoneInfo(event.data["start"].get("timeZone") or calendar.zone)
    start, end = (at.astimezone(zone) for at in event.span(calendar.zone))
    return {
        "id": event.id,
        "data": event.data,
        "start": start,
        "end": end,
        "zone": zone.key,
        "tentative": event.data.get("status") == "tentative",
    }


async def calendars(request: Request) -> Response:
    account = account_of(request)
    if account is None:
        return render(request, "not_found.html", {}, status=404)
    found = []
    for calendar in account.calendars.all.values():
        events = sorted((shown(event, calendar) for event in calendar.live()), key=lambda event: event["start"])
        found.append({"calendar": calendar, "events": events, "is_main": calendar.id == account.email})
    tomorrow = (datetime.now() + timedelta(days=1)).date()  # noqa: DTZ005 - a proposal on this machine's clock
    context = {"account": account, "calendars": found, "said": request.query_params.get("said", ""), "tomorrow": tomorrow}
    return render(request, "calendar.html", context)


async def act(request: Request) -> Response:
    """Every form of the page posts here; `do` names the action."""
    account = account_of(request)
    if account is None:
        return render(request, "not_found.html", {}, status=404)
    form = await request.form()
    action = ACTIONS.get(str(form.get("do", "")))
    try:
        said = action(account, form) if action else "Nothing done."
    except (KeyError, ValueError):
        said = "That could not be understood; nothing was changed."
    return RedirectResponse(f"/calendar/{account.email}?said={quote(said)}", status_code=303)


def find(account: Account, form: FormData) -> tuple[Calendar, Event]:
    calendar = account.calendars.all[str(form["calendar"])]
    return calendar, calendar.events[str(form["event"])]


def times(form: FormData, zone: str) -> dict[str, Any]:
    """A day and two times; an end before the beginning is the next day's."""
    start = datetime.fromisoformat(f"{form['day']}T{form['start']}").replace(tzinfo=ZoneInfo(zone))
    end = datetime.fromisoformat(f"{form['day']}T{form['end']}").replace(tzinfo=ZoneInfo(zone))
    end = end if end > start else end + timedelta(days=1)
    return {name: {"dateTime": at.isoformat(), "timeZone": zone} for name, at in (("start", start), ("end", end))}


def change(account: Account, form: FormData) -> str:
    calendar, event = find(account, form)
    zone = event.data["start"].get("timeZone") or calendar.zone
    texts = {name: str(form[name]) for name in ("summary", "location") if name in form}
    event.data = {**event.data, **times(form, zone), **texts}
    event.sequence += 1
    calendar.change(event)
    return "Saved."


def delete(account: Account, form: FormData) -> str:
    calendar, event = find(account, form)
    event.data = {"status": "cancelled"}
    calendar.change(event)
    return "Event deleted."


def add(account: Account, form: FormData) -> str:
    calendar = account.calendars.all[str(form["calendar"])]
    event_id = secrets.token_hex(8)
    calendar.change(Event(event_id, {"summary": str(form.get("summary") or "(No title)"), **times(form, calendar.zone)}, account.email))
    return "Event added."


def drop(account: Account, form: FormData) -> str:
    calendar_id = str(form["calendar"])
    if calendar_id == account.email:
        return "The main calendar stays."
    del account.calendars.all[calendar_id]
    return "Calendar deleted."


def forget(account: Account, form: FormData) -> str:
    for calendar in account.calendars.all.values():
        calendar.forgotten = calendar.number
    return "Sync tokens given until now are answered with 410."


ACTIONS = {"change": change, "delete": delete, "add": add, "drop": drop, "forget": forget}

routes = [
    Route("/calendar/{email}", calendars),
    Route("/calendar/{email}/act", act, methods=["POST"]),
]
