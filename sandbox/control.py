"""The console's powers as JSON below /_control/, for tests. README.md documents each path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import synthetic
from sandbox.authority import Client, canonical_scopes
from sandbox.gmail.mailbox import StoredMessage
from sandbox.id_tokens import DEFECTS, Defect
from sandbox.oauth import SIGN_IN, PageError, grant, read_request, refuse

if TYPE_CHECKING:
    from sandbox.world import Account, World

Body = dict[str, Any]
Handler = Callable[["World", Body, Request], Any]
SHOWN = 1000


class RefusedError(Exception):
    """What was asked makes no sense; the text says why."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def route(path: str, **handlers: Handler) -> Route:
    """One path, a plain function per HTTP method: `(world, body, request) -> JSON`."""

    async def endpoint(request: Request) -> Response:
        try:
            content = await request.body()
            body = json.loads(content) if content else {}
            if not isinstance(body, dict):
                raise RefusedError("The body must be a JSON object.")
            return JSONResponse(handlers[request.method](request.app.state.world, body, request))
        except RefusedError as refusal:
            return JSONResponse({"error": str(refusal)}, status_code=refusal.status)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)

    return Route("/_control" + path, endpoint, methods=list(handlers))


def account_of(world: World, email: str | None) -> Account:
    account = world.account(email or "camille@example.test")
    if account is None:
        raise RefusedError(f"No account {email}.", 404)
    return account


def message_at(world: World, request: Request) -> tuple[Account, StoredMessage]:
    account = account_of(world, request.path_params["email"])
    message = account.mailbox.messages.get(request.path_params["id"])
    if message is None:
        raise RefusedError("No such message.", 404)
    return account, message


def show_state(world: World, body: Body, request: Request) -> Body:
    return {
        "url": world.base_url,
        "smtp_port": world.smtp_port,
        "accounts": [
            {
                "email": account.email,
                "name": account.name,
                "sub": account.subject,
                "messages": len(account.mailbox.messages),
                "historyId": str(account.mailbox.history_id),
            }
            for account in world.accounts.values()
        ],
        "clients": list(world.authority.clients),
        "access_tokens": len(world.authority.access),
        "refresh_tokens": len(world.authority.refresh),
        "consents": [
            {"client_id": client, "email": email, "scopes": sorted(consent.scopes)}
            for (client, email), consent in world.authority.consents.items()
        ],
        "token_lifetime": world.authority.lifetime,
        "requests": world.requests.total,
        "mail": len(world.received),
    }


def reset(world: World, body: Body, request: Request) -> Body:
    world.reset(demo_mail=body.get("demo"))
    return show_state(world, body, request)


def add_account(world: World, body: Body, request: Request) -> Body:
    account = world.add_account(body["email"], body.get("name", ""))
    return {"email": account.email, "name": account.name, "sub": account.subject}


def add_client(world: World, body: Body, request: Request) -> Body:
    client = Client(body["client_id"], body["client_secret"], body.get("name", "Aaperture"))
    client.redirect_uris = list(body.get("redirect_uris", []))
    world.authority.clients[client.client_id] = client
    return {"client_id": client.client_id, "redirect_uris": client.redirect_uris}


def give_tokens(world: World, body: Body, request: Request) -> Body:
    """Tokens without any page, as if the person had consented."""
    account, authority = account_of(world, body.get("email")), world.authority
    client_id = body.get("client_id") or next(iter(authority.clients))
    scopes = body.get("scopes") or ["openid", "email", "profile", "https://www.googleapis.com/auth/gmail.readonly"]
    granted = canonical_scopes(scopes if isinstance(scopes, str) else " ".join(scopes))
    consent = authority.consent(client_id, account.email)
    consent.scopes |= granted
    consent.offline = True
    access = authority.issue_access(client_id, account.email, granted, body.get("lifetime"))
    refresh = authority.issue_refresh(client_id, account.email, granted)
    return {
        "access_token": access.value,
        "refresh_token": refresh.value,
        "expires_at": access.expires_at,
        "scope": " ".join(sorted(granted)),
        "sub": account.subject,
        "token_type": "Bearer",
    }


def decide(world: World, body: Body, request: Request) -> Body:
    """Answer an authorization URL as a person would and return where the browser goes next."""
    account = account_of(world, body.get("email"))
    try:
        wanted = read_request(world, dict(parse_qsl(urlsplit(body["url"]).query, keep_blank_values=True)))
    except PageError as error:
        raise RefusedError(f"{error.error}: {error}") from None
    if body.get("deny"):
        return {"redirect": refuse(world, wanted, "access_denied").headers["location"]}
    ticked = canonical_scopes(" ".join(body["scopes"])) | SIGN_IN if "scopes" in body else wanted.scopes
    scopes = frozenset(wanted.scopes & ticked)
    return {"redirect": grant(world, wanted, account, scopes, asked=True).headers["location"]}


def expire_tokens(world: World, body: Body, request: Request) -> Body:
    return {"expired": world.authority.expire_access(body.get("email"))}


def revoke_tokens(world: World, body: Body, request: Request) -> Body:
    return {"revoked": world.authority.revoke_account(body.get("email"))}


def set_lifetime(world: World, body: Body, request: Request) -> Body:
    world.authority.lifetime = int(body["seconds"])
    return {"seconds": world.authority.lifetime}


def list_faults(world: World, body: Body, request: Request) -> Body:
    latencies = [{"ms": entry.milliseconds, "path": entry.path} for entry in world.faults.latencies]
    return {"faults": [fault.as_dict() for fault in world.faults.faults], "latencies": latencies}


def add_fault(world: World, body: Body, request: Request) -> Body:
    status = int(body["status"])
    if not 400 <= status <= 599:
        raise RefusedError("A fault has a status from 400 to 599.")
    fault = world.faults.add(
        status=status,
        path=body.get("path", "/"),
        remaining=body.get("count"),
        after=int(body.get("after", 0)),
        reason=body.get("reason", ""),
        retry_after=body.get("retry_after"),
    )
    return fault.as_dict()


def clear_faults(world: World, body: Body, request: Request) -> Body:
    world.faults.clear()
    return list_faults(world, body, request)


def remove_fault(world: World, body: Body, request: Request) -> Body:
    number = request.path_params["id"]
    world.faults.faults = [fault for fault in world.faults.faults if fault.id != number]
    return list_faults(world, body, request)


def set_latency(world: World, body: Body, request: Request) -> Body:
    world.faults.set_latency(float(body["ms"]), body.get("path", "/"))
    return list_faults(world, body, request)


def set_quota(world: World, body: Body, request: Request) -> Body:
    world.quota.set(body.get("units_per_second", 250), body.get("burst"))
    return show_quota(world, body, request)


def unset_quota(world: World, body: Body, request: Request) -> Body:
    world.quota.set(None)
    return show_quota(world, body, request)


def show_quota(world: World, body: Body, request: Request) -> Body:
    quota = world.quota
    return {"units_per_second": quota.units_per_second, "burst": quota.burst, "refused": quota.refused}


def spoil_id_tokens(world: World, body: Body, request: Request) -> Body:
    kind = body.get("defect", "")
    if kind and kind not in DEFECTS:
        raise RefusedError(f"Defects are {', '.join(DEFECTS)}.")
    world.id_tokens.defect = Defect(kind, body.get("claims", {}), body.get("count"))
    return {"defect": kind, "meaning": DEFECTS.get(kind, "other claims")}


def mend_id_tokens(world: World, body: Body, request: Request) -> Body:
    world.id_tokens.defect = None
    return {"defect": ""}


def rotate_keys(world: World, body: Body, request: Request) -> Body:
    world.id_tokens.rotate()
    return {"kid": world.id_tokens.kid}


def add_message(world: World, body: Body, request: Request) -> Body:
    account = account_of(world, body.get("email"))
    raw = synthetic.raw_from(body) if "raw" in body else synthetic.compose(account.email, body)
    return short(synthetic.deliver(account.mailbox, raw, body))


def short(message: StoredMessage) -> Body:
    return {"id": message.id, "threadId": message.thread_id, "internalDate": str(message.internal_date)}


def change_labels(world: World, body: Body, request: Request) -> Body:
    account, message = message_at(world, request)
    account.mailbox.relabel(message.id, add=body.get("add", []), remove=body.get("remove", []))
    return short(message) | {"labelIds": message.labels}


def delete_message(world: World, body: Body, request: Request) -> Body:
    account, message = message_at(world, request)
    account.mailbox.remove(message.id)
    return {"deleted": message.id}


def fill_mailbox(world: World, body: Body, request: Request) -> Body:
    """Many at once: `count` synthetic mails, or `messages` given raw."""
    account = account_of(world, body.get("email"))
    if body.get("clear"):
        account.mailbox.clear()
    given = [synthetic.deliver(account.mailbox, synthetic.raw_from(item), item) for item in body.get("messages", [])]
    made = synthetic.fill(account.mailbox, body) if body.get("count") else []
    for message in made:  # ready before the first call is timed
        message.payload, message.entry  # noqa: B018 - works out what is lazy, before it is answered
    return {"added": len(given) + len(made), "ids": [message.id for message in (*given, *made)]}


def look_into_mailbox(world: World, body: Body, request: Request) -> Body:
    account = account_of(world, request.query_params.get("email"))
    found = account.mailbox.search(request.query_params.get("q", ""), include_spam_trash=True)
    limit = int(request.query_params.get("limit", SHOWN))
    listed = [short(m) | {"labelIds": m.labels, "subject": subject_of(m)} for m in found[:limit]]
    return {"email": account.email, "found": len(found), "messages": listed}


def subject_of(message: StoredMessage) -> str:
    headers = message.payload.tree["headers"]
    return next((str(item["value"]) for item in headers if item["name"].lower() == "subject"), "")


def empty_mailbox(world: World, body: Body, request: Request) -> Body:
    account = account_of(world, request.query_params.get("email") or body.get("email"))
    account.mailbox.clear()
    return {"email": account.email, "messages": 0}


def forget_history(world: World, body: Body, request: Request) -> Body:
    account = account_of(world, body.get("email"))
    account.mailbox.forget_history()
    return {"email": account.email, "historyId": str(account.mailbox.history_id)}


def list_requests(world: World, body: Body, request: Request) -> Body:
    """What was asked, newest last; filters: api, path (prefix), account, status, limit."""
    query, log = request.query_params, world.requests
    entries = [
        entry
        for entry in log.entries
        if query.get("api", entry.api) == entry.api
        and entry.path.startswith(query.get("path", ""))
        and query.get("account", entry.account) == entry.account
        and query.get("status", str(entry.status)) == str(entry.status)
    ]
    shown = entries[-int(query.get("limit", SHOWN)) :]
    return {
        "total": log.total,
        "counts": dict(log.counts),
        "found": len(entries),
        "requests": [entry.as_dict() for entry in shown],
    }


def clear_requests(world: World, body: Body, request: Request) -> Body:
    world.requests.clear()
    return {"total": 0}


def list_mail(world: World, body: Body, request: Request) -> Body:
    to = request.query_params.get("to", "").lower()
    found = [mail for mail in world.received if not to or to in (address.lower() for address in mail.recipients)]
    return {"mail": [mail.as_dict() for mail in found]}


def clear_mail(world: World, body: Body, request: Request) -> Body:
    world.received.clear()
    return {"mail": []}


routes = [
    route("/state", GET=show_state),
    route("/reset", POST=reset),
    route("/accounts", POST=add_account),
    route("/clients", POST=add_client),
    route("/grant", POST=give_tokens),
    route("/authorize", POST=decide),
    route("/tokens/expire", POST=expire_tokens),
    route("/tokens/revoke", POST=revoke_tokens),
    route("/token-lifetime", POST=set_lifetime),
    route("/faults", GET=list_faults, POST=add_fault, DELETE=clear_faults),
    route("/faults/{id:int}", DELETE=remove_fault),
    route("/latency", POST=set_latency),
    route("/quota", GET=show_quota, POST=set_quota, DELETE=unset_quota),
    route("/id-token", POST=spoil_id_tokens, DELETE=mend_id_tokens),
    route("/keys/rotate", POST=rotate_keys),
    route("/messages", POST=add_message),
    route("/messages/{email}/{id}", PATCH=change_labels, DELETE=delete_message),
    route("/mailbox", GET=look_into_mailbox, POST=fill_mailbox, DELETE=empty_mailbox),
    route("/history/forget", POST=forget_history),
    route("/requests", GET=list_requests, DELETE=clear_requests),
    route("/mail", GET=list_mail, DELETE=clear_mail),
]
