"""Writing to the activity log: one plain INSERT in the caller's transaction, no hashing, no lock."""

from collections.abc import Iterable
from datetime import UTC
from functools import lru_cache
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # CPython's own, not in the stubs
from json.encoder import encode_basestring as quoted
from typing import Any
from uuid import UUID

import psycopg
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.base import ModelState
from django.http import HttpRequest
from django.utils import timezone

from aaperture.lib.client_address import client_address
from aaperture.lib.redaction import SECRET_KEY
from aaperture.lib.uuid7 import uuid7
from audit.actions import ACTIONS
from audit.alerts.waking import look_at_once
from audit.detectors import ACTIONS_AT_ONCE
from audit.models import Activity
from vault.errors import SealedDataError
from vault.fields import Sealed
from vault.services import Owner, instance_month, keyed_hash, person, seal_many

COLUMNS = (
    "id", "recorded_at", "action", "actor_kind", "actor_id", "credential", "credential_id", "organization_id", "target_type",
    "target_id", "request_id", "details", "address", "agent", "address_hash", "account_hash", "canonical",
)  # fmt: skip
INSERT = f"INSERT INTO audit_activity ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # nosec B608 - constants only
DETAILS, SEALED = COLUMNS.index("details"), (COLUMNS.index("address"), COLUMNS.index("agent"))
LONGEST_AGENT = 400
USER, ANONYMOUS, SYSTEM = (kind.value for kind in (Activity.ActorKind.USER, Activity.ActorKind.ANONYMOUS, Activity.ActorKind.SYSTEM))
_encoder = DjangoJSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
# what `_encoder.encode` makes anew at each call
_chunks = (
    c_make_encoder(None, _encoder.default, quoted, None, ":", ",", True, False, True)
    if c_make_encoder
    else lambda value, _level: _encoder.iterencode(value)
)


class UnknownAction(ValueError):
    """The action is not in `audit.actions.ACTIONS`."""


class NotStored(DatabaseError):
    """The database took the INSERT and stored no row."""


def record(
    action: str,
    target: models.Model | None = None,
    *,
    actor: models.Model | None = None,
    request: HttpRequest | None = None,
    organization_id: UUID | None = None,
    account: str = "",
    **details: Any,
) -> Activity:
    """Append one activity in the caller's transaction.

    `actor` defaults to the request's user; `account` is a name that was tried (kept as a keyed hash only); `details` are
    ids, states and numbers, never names, addresses, subjects or secrets. Raises UnknownAction.
    """
    activity = _build(action, target, actor, request, organization_id, account, details)
    _insert([activity])
    if action in ACTIONS_AT_ONCE:
        look_at_once(activity)
    return activity


def record_many(
    action: str, targets: Iterable[models.Model], *, actor: models.Model | None = None, request: HttpRequest | None = None, **details: Any
) -> list[Activity]:
    """One activity per target, in one statement."""
    activities = [_build(action, target, actor, request, None, "", details) for target in targets]
    _insert(activities)
    return activities


def record_after(request: HttpRequest, action: str, target: models.Model | None = None, **details: Any) -> None:
    """Note a refusal to be recorded once the view's own transaction has ended (`ActivityMiddleware` writes it)."""
    pending: list[tuple[str, models.Model | None, dict[str, Any]]] = getattr(request, "activity_after", [])
    pending.append((action, target, details))
    request.activity_after = pending  # type: ignore[attr-defined]  # ours, on the request


def as_record(activity: Activity, *, username: str) -> dict[str, Any]:
    """As everything shows it; an erased person's address and agent read as empty."""
    return {
        "id": str(activity.id),
        "user_id": str(activity.actor_id) if activity.actor_id else None,
        "username": username,
        "action": activity.action,
        "details": activity.details,
        "ip_address": opened_or_empty(activity, "address"),
        "user_agent": opened_or_empty(activity, "agent"),
        "timestamp": _utc(activity.recorded_at),
    }


def opened_or_empty(activity: Activity, field: str) -> str:
    try:
        return getattr(activity, field) or ""
    except SealedDataError:
        return ""


def _utc(instant: Any) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _build(
    action: str,
    target: models.Model | None,
    actor: models.Model | None,
    request: HttpRequest | None,
    organization_id: UUID | None,
    account: str,
    details: dict[str, Any],
) -> Activity:
    """The row as it will stand, sealed and with its canonical text; not made by `Activity(…)`, which costs more than the INSERT."""
    if action not in ACTIONS:
        raise UnknownAction(action)
    for detail in details:
        if _is_secret(detail):
            raise ValueError(f"{detail} may not be written to the activity log")
    user = actor if actor is not None else getattr(request, "user", None)
    actor_id = user.pk if user is not None and getattr(user, "is_authenticated", False) else None
    id_ = uuid7()
    name = str(id_)  # once: a UUID's text is slow to make
    values: dict[str, Any] = {
        "id": id_,
        "recorded_at": timezone.now(),
        "action": action,
        "actor_kind": USER if actor_id else ANONYMOUS if request is not None else SYSTEM,
        "actor_id": actor_id,
        "credential": getattr(request, "credential", "session" if request is not None and actor_id else ""),
        "credential_id": getattr(request, "credential_id", ""),
        "organization_id": organization_id,
        "target_type": target._meta.label_lower if target is not None else "",
        "target_id": str(target.pk) if target is not None else "",
        "request_id": getattr(request, "request_id", ""),
        "details": encode(details) if details else "{}",
        "address": None,
        "agent": None,
        "address_hash": None,
        "account_hash": keyed_hash("account", account.strip().casefold()) if account else None,
    }
    if request is not None:
        _add_origin(values, request, name)
    return _assembled(values, name, details)


def encode(details: dict[str, Any]) -> str:
    return "".join(_chunks(details, 0))


@lru_cache(maxsize=4096)
def _address_hash(address: str) -> bytes:
    return keyed_hash("address", address)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return SECRET_KEY.search(name) is not None


def _add_origin(values: dict[str, Any], request: HttpRequest, name: str) -> None:
    """Address and agent, sealed for this row under the actor's key as `SealedTextField` would."""
    address = client_address(request)
    values["address_hash"] = _address_hash(address)
    owner: Owner = person(values["actor_id"]) if values["actor_id"] else instance_month(values["recorded_at"])
    agent = request.META.get("HTTP_USER_AGENT", "")[:LONGEST_AGENT]
    plain = [(address.encode(), f"audit_activity|address|{name}"), (agent.encode(), f"audit_activity|agent|{name}")]
    if agent:
        values["address"], values["agent"] = seal_many(plain, owner)
    else:
        (values["address"],) = seal_many(plain[:1], owner)


def _canonical(values: dict[str, Any], name: str, instant: str, actor: str | None, organization: str | None) -> str:
    """Stable JSON of every stored column but `canonical` itself, in the order of their names: part of what is sealed.

    Written out because `json.dumps` of the same takes several times as long; a test compares the two.
    """
    return (
        f'{{"account_hash":{_hex(values["account_hash"])},"action":"{values["action"]}","actor_id":{_id(actor)}'
        f',"actor_kind":"{values["actor_kind"]}","address":{_hex(values["address"])},"address_hash":{_hex(values["address_hash"])}'
        f',"agent":{_hex(values["agent"])},"credential":{quoted(values["credential"])},"credential_id":{quoted(values["credential_id"])}'
        f',"details":{values["details"]},"id":"{name}","organization_id":{_id(organization)}'
        f',"recorded_at":"{instant}","request_id":{quoted(values["request_id"])}'
        f',"target_id":{quoted(values["target_id"])},"target_type":{quoted(values["target_type"])}}}'
    )


def _hex(value: bytes | None) -> str:
    return "null" if value is None else f'"{value.hex()}"'


def _id(value: str | None) -> str:
    return "null" if value is None else f'"{value}"'


def _assembled(values: dict[str, Any], name: str, details: dict[str, Any]) -> Activity:
    """The activity, with its canonical text and the row that the INSERT takes."""
    instant = f"{values['recorded_at'].isoformat(timespec='microseconds')[:-6]}Z"
    actor, organization = (None if values[one] is None else str(values[one]) for one in ("actor_id", "organization_id"))
    values["canonical"] = _canonical(values, name, instant, actor, organization)
    row = [*values.values()]
    row[0], row[1], row[4], row[7] = name, instant, actor, organization  # psycopg would take longer to write them
    activity = Activity.__new__(Activity)
    values["_state"], values["stored_row"], values["details"] = ModelState(), row, details
    for column in ("address", "agent"):
        if values[column] is not None:
            values[column] = Sealed(values[column])
    activity.__dict__.update(values)
    return activity


def row_of(activity: Activity) -> list[Any]:
    """What the INSERT takes."""
    stored = activity.__dict__
    if (written := stored.get("stored_row")) is not None:
        return written
    row = [stored[column] for column in COLUMNS]
    row[DETAILS] = encode(stored["details"])
    for place in SEALED:
        row[place] = row[place] and row[place].data
    return row


def _insert(activities: list[Activity]) -> None:
    rows = [row_of(activity) for activity in activities]
    if not rows:
        return
    database = connections[DEFAULT_DB_ALIAS]  # once: `connection` looks up its thread's at every attribute
    if database.queries_logged or database.execute_wrappers:  # somebody counts or wraps statements
        with database.cursor() as cursor:
            cursor.executemany(INSERT, rows) if len(rows) > 1 else cursor.execute(INSERT, rows[0])
            _check_stored(cursor.rowcount, len(rows))
        return
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_thread_sharing()
    database.validate_no_broken_transaction()
    _insert_prepared(database, rows)


def _insert_prepared(database: BaseDatabaseWrapper, rows: list[list[Any]]) -> None:
    """The same by a prepared statement, on the same connection and so in the same transaction: half the time of Django's cursor."""
    raw = database.connection
    if raw.prepare_threshold is None:  # Django's default; its own cursors bind on our side and prepare nothing whatever it says
        raw.prepare_threshold = 5
    cursor = getattr(raw, "activity_cursor", None)
    if cursor is None:
        cursor = raw.activity_cursor = psycopg.Cursor(raw)  # kept: it remembers how to write each kind of value
    with database.wrap_database_errors:
        if len(rows) == 1:
            cursor.execute(INSERT, rows[0], prepare=True)
        else:
            cursor.executemany(INSERT, rows)
    _check_stored(cursor.rowcount, len(rows))


def _check_stored(stored: int, wanted: int) -> None:
    """A trigger or rule of the tables' owner that swallows rows shall not go unnoticed. Raises NotStored."""
    if stored != wanted:
        raise NotStored(f"{stored} of {wanted} activities were stored")


def make_partitions(*, months: int = 3) -> None:
    """Make this month's partition and the next `months` ones where they are missing. Raises OperationalError if the log is in use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_make_partition((date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date)"
            " FROM generate_series(0, %s) AS n",
            [months],
        )
