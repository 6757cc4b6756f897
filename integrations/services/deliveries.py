"""Deliveries to addresses of ours: checked, stored once, acknowledged; a run takes them in.

`X-Signature: v1=` HMAC-SHA256 in hex over `<X-Timestamp>.` and the raw body, good for five minutes either way. Every refusal is the same.
The digest in the table makes a second storing impossible; Valkey only spares the database what has come before.

What nobody would take in is not stored: of an owner whose runs do not start, or beyond what may wait, the answer says so, and so does the
source's page (`Connection.error_code`).
"""

import hashlib
import hmac
import re
import secrets
import time
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Count, Func, IntegerField, Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from aaperture.lib import limits
from accounts.models import User
from audit.services import record
from billing.services import is_premium
from integrations.models import Connection, Delivery, Pipeline

LARGEST = 256 * 1024  # bytes of a body
TOLERANCE = 300  # seconds between the signature and now
REMEMBERED = 2 * TOLERANCE + 60  # seconds for which a signature is known: longer than it can be good for
AT_ONCE = 1024 * 1024  # bytes, sealed, that a run opens together: a body may hold a hundred thousand records
PER_MINUTE = 30_000  # accepted deliveries of one connection
MOST_WAITING = 50_000  # deliveries that one connection has waiting, each counted for every pipeline that is to take it in
MOST_BYTES = 256 * 1024 * 1024  # of theirs, sealed
COUNTED = 1  # seconds for which that count is good: nothing counts tens of thousands of rows for each delivery
ROTATION = timedelta(days=7)  # for which the secret before is still good
EXPIRED = "hook_expired"  # what a source's page says when deliveries went unread
STAMP = re.compile(r"[1-9]\d{9}")
SIGNATURE = re.compile(r"v1=[0-9a-f]{64}")
_SIZE = Func("body", function="octet_length", output_field=IntegerField())  # of a body as it lies there, sealed
NOBODYS = secrets.token_bytes(32)  # what is computed for an address that is none, so that it takes as long


class DeliveryRefused(Exception):
    """`code` is for our log; whoever sent it learns nothing but that."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class NotTaken(Exception):
    """Rightly signed and not stored: `code` is for the source's page (`integrations.wording`), and its last words for whoever sent it."""

    FULL, NOT_ENTITLED = "hook_full", "hook_not_entitled"

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class TooMany(Exception):
    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(seconds)


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def new_secret() -> str:
    return f"hook_{secrets.token_urlsafe(32)}"


def secrets_of(connection: Connection) -> list[str]:
    """The present one, and the one before as long as it is good."""
    found = []
    for line in (connection.secret or "").splitlines():
        secret, _space, until = line.partition(" ")
        end = parse_datetime(until) if until else None
        if end is None or end > timezone.now():
            found.append(secret)
    return found


def receive(pk: UUID, *, body: bytes, timestamp: str, signature: str) -> Connection:
    """Store it once for every pipeline of its connection.

    Raises DeliveryRefused, NotTaken, TooMany, and RedisError when nothing can be remembered.
    """
    hooks = Connection.objects.filter(provider=Connection.Provider.INBOUND_WEBHOOK, status=Connection.Status.ACTIVE)
    connection = hooks.select_related("owner").filter(pk=pk).first()
    if not _is_signed(secrets_of(connection) if connection else [], body, timestamp, signature) or connection is None:
        raise DeliveryRefused("signature")
    if not STAMP.fullmatch(timestamp) or abs(time.time() - int(timestamp)) > TOLERANCE:
        raise DeliveryRefused("timestamp")
    if seconds := limits.take([limits.Key(f"hook|{connection.pk}", PER_MINUTE, 60)]):
        raise TooMany(seconds)
    if code := _why_not(connection):
        if connection.error_code != code:
            Connection.objects.filter(pk=pk).update(error_code=code)
        raise NotTaken(code)
    digest = hashlib.sha256(timestamp.encode() + b"." + body).digest()
    _store(connection, digest, body)
    return connection


def _why_not(connection: Connection) -> str:
    """What keeps its deliveries from being taken in; empty when nothing does."""
    if connection.owner is not None and not is_premium(connection.owner):
        return NotTaken.NOT_ENTITLED
    remembered, name = caches["limits"], f"hook|full|{connection.pk}"
    full = remembered.get(name)
    if full is None:
        number, size = Delivery.objects.waiting().filter(connection=connection).aggregate(n=Count("pk"), size=Sum(_SIZE)).values()
        full = number >= MOST_WAITING or (size or 0) >= MOST_BYTES
        remembered.set(name, full, COUNTED)
    return NotTaken.FULL if full else ""


def _is_signed(known: list[str], body: bytes, timestamp: str, signature: str) -> bool:
    """As many computations whether there are none, one or two secrets, and whichever of them it is."""
    given = signature if SIGNATURE.fullmatch(signature) else "v1=" + "0" * 64
    good = False
    for secret in [*known, *[NOBODYS.hex()] * (2 - len(known))]:
        same = hmac.compare_digest(signature_of(secret, timestamp[:32], body), given)
        good = good or (same and secret in known)
    return good


def _store(connection: Connection, digest: bytes, body: bytes) -> None:
    """Raises DeliveryRefused for what was stored before."""
    remembered, name = caches["limits"], f"hook|{connection.pk}|{digest.hex()}"
    if remembered.get(name):
        raise DeliveryRefused("replay")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise DeliveryRefused("encoding") from None
    reading: list[UUID | None] = list(Pipeline.objects.filter(connection=connection, enabled=True).values_list("pk", flat=True))
    rows = [Delivery(connection=connection, pipeline_id=pk, digest=digest, body=text) for pk in reading or [None]]
    try:
        with transaction.atomic():
            Delivery.objects.bulk_create(rows)
    except IntegrityError:
        raise DeliveryRefused("replay") from None
    remembered.set(name, 1, REMEMBERED)  # after the commit: a crash in between costs a look at the table, not a delivery


def is_first_for_a_while(connection: Connection, seconds: int = 2) -> bool:
    """Whether a worker should be woken: one that has just been takes the rest."""
    return bool(caches["limits"].add(f"hook|woken|{connection.pk}", 1, seconds))


class HeldInbox:
    """`connectors.base.HeldDeliveries`: what waits for one pipeline, or, to be counted, for a whole connection."""

    def __init__(self, connection: Connection, pipeline: Pipeline | None) -> None:
        self._connection = connection
        self._places: dict[str, tuple[datetime, UUID]] = {}
        self._rows = Delivery.objects.waiting_for(pipeline) if pipeline else Delivery.objects.waiting().filter(connection=connection)

    def take(self, after: str, most: int) -> list[tuple[str, str]]:
        rows = self._rows
        if after and (place := self._places.get(after)):
            received_at, pk = place
            rows = rows.filter(Q(received_at__gt=received_at) | Q(received_at=received_at, id__gt=pk))
        found = []
        for row in rows.order_by("received_at", "id")[: self._fitting(rows, most)]:
            row.connection = self._connection  # whose key opens it: not asked for with each
            found.append((str(row.pk), row.body or ""))
            self._places = {str(row.pk): (row.received_at, row.pk)}  # of the last one only
        return found

    def _fitting(self, rows: QuerySet[Delivery], most: int) -> int:
        """How many of the first together are no larger than what is taken at once; one at least."""
        sizes = rows.order_by("received_at", "id").values_list(_SIZE, flat=True)
        return max(1, sum(total <= AT_ONCE for total in accumulate(size or 0 for size in sizes[:most])))

    def settle(self, names: list[str]) -> None:
        Delivery.objects.filter(pk__in=names).update(body=None, applied_at=timezone.now())

    def count(self) -> int:
        return self._rows.count()


def rotate(connection: Connection, *, actor: User, request: HttpRequest | None = None) -> str:
    """Another secret; the one before stays good for a week. Raises PermissionDenied."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        _require(row, actor)
        secret, before = new_secret(), (row.secret or "").splitlines()[:1]
        ends = (timezone.now() + ROTATION).isoformat()
        row.secret = "\n".join([secret, *(f"{one.partition(' ')[0]} {ends}" for one in before)])
        row.save(update_fields=["secret"])
        record("connection.secret_rotated", row, actor=actor, request=request)
    return secret


def end_former(connection: Connection, *, actor: User, request: HttpRequest | None = None) -> None:
    """The secret before the present one is good no longer. Raises PermissionDenied."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        _require(row, actor)
        row.secret = (row.secret or "").splitlines()[0]
        row.save(update_fields=["secret"])
        record("connection.former_secret_ended", row, actor=actor, request=request)


def _require(row: Connection, actor: User) -> None:
    its_own = row.owner_id == actor.pk or (row.owner_id is None and actor.has_perm("integrations.change_connection"))
    if row.provider != Connection.Provider.INBOUND_WEBHOOK or row.status == Connection.Status.REVOKED or not its_own:
        raise PermissionDenied


def address_of(connection: Connection) -> str:
    """Where others deliver to."""
    return settings.PUBLIC_URL.rstrip("/") + reverse("integrations:hook", args=[connection.pk])


def sweep() -> int:
    """Delete what was taken in some time ago, and what nobody has taken in for a week, which its source's page then says; how many."""
    going = Delivery.objects.to_remove(timezone.now())
    unread = set(going.waiting().order_by().values_list("connection_id", flat=True).distinct())
    Connection.objects.filter(pk__in=unread, status=Connection.Status.ACTIVE).update(error_code=EXPIRED)
    count: int = going.delete()[0]
    return count


def waiting_pipelines() -> set[Any]:
    """Those for which something waits; of a connection that had none when it came, all that read from it."""
    waiting = Delivery.objects.waiting()
    its_own = set(waiting.exclude(pipeline=None).values_list("pipeline_id", flat=True).distinct()[:1000])
    early = waiting.filter(pipeline=None).values("connection_id")
    return its_own | set(Pipeline.objects.filter(connection_id__in=early).values_list("pk", flat=True))
