"""The Gmail methods: one synchronous function from a request to a reply, shared by plain calls and batches."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

from sandbox.authority import Token, TokenError
from sandbox.gmail.fields import select
from sandbox.gmail.mailbox import SYSTEM_LABELS, Mailbox, StoredMessage, date_of
from sandbox.google_errors import ApiError, Reply, insufficient_scope, json_reply, unauthenticated

if TYPE_CHECKING:
    from sandbox.world import Account, World

SCOPE = "https://www.googleapis.com/auth/gmail."
FULL = frozenset({"https://mail.google.com/", SCOPE + "modify"})
READ = FULL | {SCOPE + "readonly"}
METADATA = READ | {SCOPE + "metadata"}
PREFIX = "/gmail/v1/users/"
MESSAGE_ID = re.compile(r"[0-9a-f]{1,16}")
CHANGES = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}
LIST_DEFAULT, LIST_LIMIT = 100, 500


class Call(NamedTuple):
    """One authorised call: whose mailbox, the path's ids, the query's parameters, the body."""

    account: Account
    token: Token
    ids: list[str]
    query: dict[str, list[str]]
    body: bytes

    @property
    def mailbox(self) -> Mailbox:
        return self.account.mailbox

    def get(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[-1]

    def number(self, name: str, default: int, limit: int) -> int:
        text = self.get(name)
        if not text:
            return default
        if not text.isdigit():
            raise ApiError(400, f"Invalid value at '{name}' (TYPE_INT32), \"{text}\"", reason="invalidArgument")
        return min(int(text) or default, limit)

    def only_metadata(self) -> bool:
        return self.token.scopes.isdisjoint(READ)


class Method(NamedTuple):
    verb: str
    path: tuple[str, ...]  # below /users/{me}; "*" is an id
    api: str
    scopes: frozenset[str]
    answer: Callable[[Call], Any]


def answer(world: World, verb: str, path: str, query: str, authorization: str, body: bytes = b"") -> Reply:
    """Answer one Gmail call, errors included."""
    api = account = ""
    try:
        method, user, ids = find_method(verb, path)
        api = method.api
        token = bearer(world, authorization)
        account = token.email
        call = Call(world.accounts[token.email], token, ids, parse_qs(query, keep_blank_values=True), body)
        if token.scopes.isdisjoint(method.scopes):
            raise insufficient_scope(f"gmail.v1.{method.api.removeprefix('gmail.')}", method.scopes)
        if user != "me" and user.lower() != token.email:
            raise ApiError(403, f"Delegation denied for {token.email}")
        world.quota.spend(account, api)
        return json_reply(select(method.answer(call), call.get("fields")), api=api, account=account)
    except ApiError as error:
        return error.reply(api=api, account=account)


def find_method(verb: str, path: str) -> tuple[Method, str, list[str]]:
    segments = [unquote(segment) for segment in path.removeprefix(PREFIX).split("/")]
    if not path.startswith(PREFIX) or len(segments) < 2:
        raise ApiError(404)
    user, rest = segments[0], segments[1:]
    fitting = [method for method in METHODS if fits(method.path, rest)]
    for method in fitting:
        if method.verb == verb:
            return method, user, [seg for seg, part in zip(rest, method.path, strict=True) if part == "*"]
    raise ApiError(405, "Request method not supported by this sandbox.") if fitting else ApiError(404)


def method_name(verb: str, path: str) -> str:
    """Return e.g. `gmail.users.messages.get`, or an empty text for what is no Gmail method."""
    try:
        return find_method(verb, path)[0].api
    except ApiError:
        return ""


def fits(pattern: tuple[str, ...], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(p in ("*", s) for p, s in zip(pattern, segments, strict=True))


def bearer(world: World, authorization: str) -> Token:
    if not authorization:
        raise unauthenticated(missing=True)
    try:
        token = world.authority.bearer(authorization)
    except TokenError:
        raise unauthenticated(missing=False) from None
    if token.email not in world.accounts:
        raise unauthenticated(missing=False)
    return token


def get_profile(call: Call) -> dict[str, Any]:
    messages = call.mailbox.messages.values()
    return {
        "emailAddress": call.account.email,
        "messagesTotal": len(messages),
        "threadsTotal": len({message.thread_id for message in messages}),
        "historyId": str(call.mailbox.history_id),
    }


def list_messages(call: Call) -> dict[str, Any]:
    query = call.get("q")
    if query and call.only_metadata():
        raise ApiError(403, "Metadata scope does not support 'q' parameter")
    found = call.mailbox.search(
        query,
        label_ids=known_labels(call),
        include_spam_trash=call.get("includeSpamTrash") in ("true", "True", "1"),
    )
    size = call.number("maxResults", LIST_DEFAULT, LIST_LIMIT)
    start = position_after(found, call.get("pageToken"))
    page = found[start : start + size]
    document: dict[str, Any] = {"messages": [{"id": m.id, "threadId": m.thread_id} for m in page]} if page else {}
    if start + size < len(found):
        document["nextPageToken"] = page_token(page[-1])
    return document | {"resultSizeEstimate": len(found)}


def known_labels(call: Call) -> list[str]:
    wanted = call.query.get("labelIds", [])
    for label in wanted:
        if label not in SYSTEM_LABELS and label not in call.mailbox.user_labels:
            raise ApiError(400, f"Invalid label: {label}", reason="invalidArgument")
    return wanted


def page_token(message: StoredMessage) -> str:
    """An opaque number that names the last message given, so that mail arriving meanwhile moves no page."""
    return str((message.internal_date << 64) + int(message.id, 16))


def position_after(found: list[StoredMessage], token: str) -> int:
    if not token:
        return 0
    if not token.isdigit():
        raise ApiError(400, "Invalid pageToken", reason="invalidArgument")
    last = divmod(int(token), 1 << 64)
    low, high = 0, len(found)
    while low < high:  # newest first: skip what is not older than the last one given
        middle = (low + high) // 2
        if (found[middle].internal_date, int(found[middle].id, 16)) >= last:
            low = middle + 1
        else:
            high = middle
    return low


def message_of(call: Call) -> StoredMessage:
    message_id = call.ids[0]
    if not MESSAGE_ID.fullmatch(message_id):
        raise ApiError(400, "Invalid id value", reason="invalidArgument")
    message = call.mailbox.messages.get(message_id)
    if message is None:
        raise ApiError(404)
    return message


def get_message(call: Call) -> dict[str, Any]:
    form = (call.get("format") or "full").lower()
    if form not in ("minimal", "metadata", "full", "raw"):
        raise ApiError(400, f"Invalid value at 'format', \"{form}\"", reason="invalidArgument")
    if form in ("full", "raw") and call.only_metadata():
        raise ApiError(403, f"Metadata scope doesn't allow format {form.upper()}")
    message = message_of(call)
    document = minimal(message)
    if form == "full":
        document["payload"] = message.payload.tree
    elif form == "metadata":
        document["payload"] = metadata(message, call.query.get("metadataHeaders", []))
    elif form == "raw":
        document["raw"] = base64.urlsafe_b64encode(message.raw).decode()
    return document


def minimal(message: StoredMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "threadId": message.thread_id,
        "labelIds": message.labels,
        "snippet": message.payload.snippet,
        "sizeEstimate": len(message.raw),
        "historyId": str(message.history_id),
        "internalDate": str(message.internal_date),
    }


def metadata(message: StoredMessage, names: list[str]) -> dict[str, Any]:
    wanted = {name.lower() for name in names}
    tree = message.payload.tree
    headers = [item for item in tree["headers"] if not wanted or item["name"].lower() in wanted]
    return {"mimeType": tree["mimeType"], "headers": headers} if headers else {"mimeType": tree["mimeType"]}


def get_attachment(call: Call) -> dict[str, Any]:
    data = message_of(call).payload.attachments.get(call.ids[1])
    if data is None:
        raise ApiError(400, "Invalid attachment token", reason="invalidArgument")
    return {"size": len(data), "data": base64.urlsafe_b64encode(data).decode()}


def insert_message(call: Call) -> dict[str, Any]:
    try:
        document = json.loads(call.body)
        raw = base64.urlsafe_b64decode(document["raw"] + "=" * (-len(document["raw"]) % 4))
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise ApiError(400, "'raw' RFC822 payload message string required", reason="invalidArgument") from None
    by_header = call.get("internalDateSource") == "dateHeader"
    message = call.mailbox.add(raw, labels=document.get("labelIds", []), internal_date=date_of(raw) if by_header else None)
    return {"id": message.id, "threadId": message.thread_id, "labelIds": message.labels}


def list_history(call: Call) -> dict[str, Any]:
    start, mailbox = call.get("startHistoryId"), call.mailbox
    if not start.isdigit():
        raise ApiError(400, "Missing required parameter: startHistoryId" if not start else "Invalid startHistoryId")
    if not mailbox.oldest_history_id <= int(start) <= mailbox.history_id:
        raise ApiError(404)
    types = {CHANGES.get(kind, kind) for kind in call.query.get("historyTypes", [])}
    label = call.get("labelId")
    records = [
        record
        for record in mailbox.history
        if record.id > int(start) and (not types or record.change in types) and (not label or label in record.message.labels)
    ]
    size = call.number("maxResults", LIST_DEFAULT, LIST_LIMIT)
    after = int(call.get("pageToken") or 0)
    waiting = [record for record in records if record.id > after]
    page = waiting[:size]
    document: dict[str, Any] = {"history": [history_record(record) for record in page]} if page else {}
    if len(waiting) > size:
        document["nextPageToken"] = str(page[-1].id)
    return document | {"historyId": str(mailbox.history_id)}


def history_record(record: Any) -> dict[str, Any]:
    message = record.message
    short = {"id": message.id, "threadId": message.thread_id}
    change: dict[str, Any] = {"message": {**short, "labelIds": message.labels}}
    if record.labels:
        change["labelIds"] = list(record.labels)
    return {"id": str(record.id), "messages": [short], record.change: [change]}


def list_labels(call: Call) -> dict[str, Any]:
    labels = [{"id": name, "name": name, "type": "system"} for name in SYSTEM_LABELS]
    labels += [{"id": label_id, "name": name, "type": "user"} for label_id, name in call.mailbox.user_labels.items()]
    return {"labels": labels}


def get_label(call: Call) -> dict[str, Any]:
    label = next((label for label in list_labels(call)["labels"] if label["id"] == call.ids[0]), None)
    if label is None:
        raise ApiError(404)
    messages = [message for message in call.mailbox.messages.values() if label["id"] in message.labels]
    unread = [message for message in messages if "UNREAD" in message.labels]
    return label | {"messagesTotal": len(messages), "messagesUnread": len(unread)}


METHODS = [
    Method("GET", ("messages", "*"), "gmail.users.messages.get", METADATA, get_message),
    Method("GET", ("messages",), "gmail.users.messages.list", METADATA, list_messages),
    Method("POST", ("messages",), "gmail.users.messages.insert", FULL | {SCOPE + "insert"}, insert_message),
    Method("GET", ("messages", "*", "attachments", "*"), "gmail.users.messages.attachments.get", READ, get_attachment),
    Method("GET", ("history",), "gmail.users.history.list", METADATA, list_history),
    Method("GET", ("profile",), "gmail.users.getProfile", METADATA | {SCOPE + "compose"}, get_profile),
    Method("GET", ("labels",), "gmail.users.labels.list", METADATA | {SCOPE + "labels"}, list_labels),
    Method("GET", ("labels", "*"), "gmail.users.labels.get", METADATA | {SCOPE + "labels"}, get_label),
]
