"""The console: look at the sandbox and steer it by hand. Each form does what a path below /_control/ does."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox import synthetic
from sandbox.gmail.mailbox import StoredMessage
from sandbox.pages import render

if TYPE_CHECKING:
    from sandbox.world import Account, World

PER_PAGE = 50
RECENT = 30
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#b4632d"/>'
    '<path d="M8 20c3-9 13-9 16 0" stroke="#fff" stroke-width="3" fill="none" stroke-linecap="round"/></svg>'
)
FAULT_PATHS = [
    ("/gmail/", "Gmail"),
    ("/gmail/v1/users/me/messages/", "Gmail: reading one message"),
    ("/calendar/v3/", "Calendar"),
    ("/token", "Token endpoint"),
    ("/", "Everything"),
]


def world_of(request: Request) -> World:
    world: World = request.app.state.world
    return world


async def home(request: Request) -> Response:
    world = world_of(request)
    context = {
        "accounts": list(world.accounts.values()),
        "recent": list(islice(reversed(world.requests.entries), RECENT)),
        "fault_paths": FAULT_PATHS,
        "said": request.query_params.get("said", ""),
        "tokens": {email: count_tokens(world, email) for email in world.accounts},
    }
    return render(request, "console.html", context)


def count_tokens(world: World, email: str) -> int:
    tokens = (*world.authority.access.values(), *world.authority.refresh.values())
    return sum(token.email == email for token in tokens)


async def mailbox(request: Request) -> Response:
    account = world_of(request).account(request.path_params["email"])
    if account is None:
        return render(request, "not_found.html", {}, status=404)
    query = request.query_params.get("q", "")
    page = max(1, int(request.query_params.get("page", "1") or 1)) if request.query_params.get("page", "1").isdigit() else 1
    found = account.mailbox.search(query, include_spam_trash=not query)
    rows = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    context = {"account": account, "q": query, "rows": [summary(m) for m in rows], "found": len(found)}
    context["newer"] = page_link(query, page - 1) if page > 1 else ""
    context["older"] = page_link(query, page + 1) if page * PER_PAGE < len(found) else ""
    return render(request, "mailbox.html", context | {"said": request.query_params.get("said", "")})


def page_link(query: str, page: int) -> str:
    return "?" + urlencode({"q": query, "page": page})


def summary(message: StoredMessage) -> dict[str, Any]:
    headers = {item["name"].lower(): item["value"] for item in reversed(message.payload.tree["headers"])}
    return {
        "id": message.id,
        "sender": headers.get("from", ""),
        "subject": headers.get("subject", ""),
        "snippet": message.payload.text[:160],
        "at": message.internal_date / 1000,
        "unread": "UNREAD" in message.labels,
        "labels": [name for name in message.labels if name not in ("UNREAD", "INBOX")],
        "files": message.payload.filenames,
    }


async def message(request: Request) -> Response:
    account = world_of(request).account(request.path_params["email"])
    found = account.mailbox.messages.get(request.path_params["id"]) if account else None
    if account is None or found is None:
        return render(request, "not_found.html", {}, status=404)
    raw = found.raw.decode("utf-8", "replace")
    context = {"account": account, "message": found, "summary": summary(found), "text": found.payload.readable}
    return render(request, "message.html", context | {"raw": raw, "headers": found.payload.tree["headers"]})


async def act(request: Request) -> Response:
    """Every form of the console posts here; `do` names the action."""
    form = await request.form()
    action = ACTIONS.get(str(form.get("do", "")))
    said = action(world_of(request), form) if action else "Nothing done."
    back = str(form.get("back", "/"))
    back = back if back.startswith("/console/") else "/"
    return RedirectResponse(f"{back}?said={quote(said)}", status_code=303)


def number(form: FormData, name: str, default: int | None = None) -> int | None:
    text = str(form.get(name, "")).strip()
    return int(text) if text.isdigit() else default


def account_of(world: World, form: FormData) -> Account:
    return world.account(str(form.get("email", ""))) or next(iter(world.accounts.values()))


def send(world: World, form: FormData) -> str:
    account = account_of(world, form)
    fields = {name: str(form.get(name, "")) for name in ("from", "subject", "text")}
    account.mailbox.add(synthetic.compose(account.email, fields))
    return f"Delivered to {account.email}."


def expire(world: World, form: FormData) -> str:
    account = account_of(world, form)
    count = world.authority.expire_access(account.email)
    return f"{count} access tokens of {account.email} expired."


def revoke(world: World, form: FormData) -> str:
    account = account_of(world, form)
    count = world.authority.revoke_account(account.email)
    return f"{count} tokens of {account.email} revoked."


def add_fault(world: World, form: FormData) -> str:
    status, path = number(form, "status", 500) or 500, str(form.get("path", "/"))
    world.faults.add(status=min(max(status, 400), 599), path=path, remaining=number(form, "count"))
    return f"Requests to {path} now fail with {status}."


def set_latency(world: World, form: FormData) -> str:
    milliseconds, path = number(form, "ms", 0) or 0, str(form.get("path", "/"))
    world.faults.set_latency(milliseconds, path)
    return f"Requests to {path} now take {milliseconds} ms longer."


def clear_faults(world: World, form: FormData) -> str:
    world.faults.clear()
    return "No more faults or delays."


def toggle_quota(world: World, form: FormData) -> str:
    world.quota.set(None if world.quota.units_per_second else 250)
    return "Gmail's budget is on: 250 units a second." if world.quota.units_per_second else "Gmail's budget is off."


def reset(world: World, form: FormData) -> str:
    world.reset()
    return "Everything is as at the start."


ACTIONS = {
    "send": send,
    "expire": expire,
    "revoke": revoke,
    "fault": add_fault,
    "latency": set_latency,
    "clear-faults": clear_faults,
    "quota": toggle_quota,
    "reset": reset,
}


async def favicon(request: Request) -> Response:
    return Response(ICON, media_type="image/svg+xml")


routes = [
    Route("/", home),
    Route("/console/act", act, methods=["POST"]),
    Route("/console/{email}", mailbox),
    Route("/console/{email}/{id}", message),
]
