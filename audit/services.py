"""Writing to the activity log: one plain INSERT in the caller's transaction, no hashing, no lock."""

import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.http import HttpRequest
from django.utils import timezone
from psycopg.types.json import Jsonb

from aaperture.lib.client_address import client_address
from aaperture.lib.nudge import nudge
from aaperture.lib.redaction import SECRET_KEY
from audit.actions import ACTIONS
from audit.detectors import ACTIONS_AT_ONCE
from audit.models import Activity
from vault.errors import SealedDataError
from vault.services import keyed_hash

COLUMNS = (
    "id", "recorded_at", "action", "actor_kind", "actor_id", "credential", "credential_id", "organization_id", "target_type",
    "target_id", "request_id", "details", "address", "agent", "address_hash", "account_hash", "canonical",
)  # fmt: skip
INSERT = f"INSERT INTO audit_activity ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # nosec B608 - constants only
LONGEST_AGENT = 400


class UnknownAction(ValueError):
    """The action is not in `audit.actions.ACTIONS`."""


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
        from audit.tasks import detect  # tasks import services

        nudge(detect, activity.id)
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
    request.activity_after = pending  # type: ignore[attr-defined]


def as_record(activity: Activity, *, username: str) -> dict[str, Any]:
    """The log format of R-113; an erased person's address and agent read as empty."""
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
    if action not in ACTIONS:
        raise UnknownAction(action)
    for name in details:
        if SECRET_KEY.search(name):
            raise ValueError(f"{name} may not be written to the activity log")
    user = actor if actor is not None else getattr(request, "user", None)
    actor_id = user.pk if user is not None and getattr(user, "is_authenticated", False) else None
    kind = Activity.ActorKind
    activity = Activity(
        recorded_at=timezone.now(),
        action=action,
        actor_kind=kind.USER if actor_id else kind.ANONYMOUS if request is not None else kind.SYSTEM,
        actor_id=actor_id,
        credential=getattr(request, "credential", "session" if request is not None and actor_id else ""),
        credential_id=getattr(request, "credential_id", ""),
        organization_id=organization_id,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        request_id=getattr(request, "request_id", ""),
        details=details,
        account_hash=keyed_hash("account", account.strip().casefold()) if account else None,
    )
    if request is not None:
        _add_origin(activity, request)
    activity.canonical = _canonical(activity)
    return activity


def _add_origin(activity: Activity, request: HttpRequest) -> None:
    address = client_address(request)
    activity.address_hash = keyed_hash("address", address)
    for name, text in (("address", address), ("agent", request.headers.get("User-Agent", "")[:LONGEST_AGENT])):
        setattr(activity, name, text)
        activity.__dict__[name] = Activity._meta.get_field(name).pre_save(activity, True)  # type: ignore[union-attr]


def _stored(activity: Activity, column: str) -> Any:
    value = activity.__dict__[column]
    return value.data if hasattr(value, "data") and column in {"address", "agent"} else value


def _canonical(activity: Activity) -> str:
    """Stable JSON of every stored column but `canonical` itself: what the seal's hash is computed over."""
    values = {}
    for column in COLUMNS[:-1]:
        value = _stored(activity, column)
        if column == "recorded_at":
            value = _utc(value)
        elif isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, UUID):
            value = str(value)
        values[column] = value
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, cls=DjangoJSONEncoder)


def _insert(activities: list[Activity]) -> None:
    rows = []
    for activity in activities:
        row = [_stored(activity, column) for column in COLUMNS]
        row[COLUMNS.index("details")] = Jsonb(activity.details, dumps=_dumps)
        rows.append(row)
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(INSERT, rows[0])
        elif rows:
            cursor.executemany(INSERT, rows)


def _dumps(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)


def make_partitions(*, months: int = 3) -> None:
    """Make this month's partition and the next `months` ones where they are missing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_make_partition((date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date)"
            " FROM generate_series(0, %s) AS n",
            [months],
        )
