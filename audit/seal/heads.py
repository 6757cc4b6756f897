"""The heads outside the database: one JSON line for each seal, in every place of `AUDIT_HEADS`, and always in the log stream.

A place that does not answer is tried again by the next tick, and its lag shows; sealing never waits for it.
"""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone

from aaperture.lib.alone import alone
from audit.models import AuditSeal, HeadTarget
from audit.seal.chain import Seal
from audit.seal.places import FAILURES, Bucket, Folder, Place, place

logger = logging.getLogger(__name__)

FILE = "audit_heads.jsonl"
OBJECTS = "heads/"
LOG = "log"
AT_ONCE = 1_000  # seals in one delivery
LOCK = 0x5EA2


class Lag(NamedTuple):
    """What a place has not got yet. `since` is when it began to fail, None while it answers."""

    target: str
    delivered_number: int
    missing: int
    oldest_missing_at: datetime | None
    since: datetime | None
    error: str


def addresses() -> list[str]:
    return [address.strip() for address in settings.AUDIT_HEADS.split(",") if address.strip()]


def publish() -> None:
    """Bring every place up to date. One process at a time; what a kill left unsaid is said again, which harms nobody."""
    for name in (LOG, *addresses()):
        with alone(LOCK, name) as is_ours:
            if is_ours:
                target, _ = HeadTarget.objects.get_or_create(name=name)
                _bring_up_to_date(target)


def _bring_up_to_date(target: HeadTarget) -> None:
    waiting = AuditSeal.objects.filter(number__gt=target.delivered_number).order_by("number")
    seals = [Seal.of(row) for row in waiting[:AT_ONCE]]
    if not seals:
        return
    try:
        _deliver(target.name, seals)
    except FAILURES as error:  # not the message: it may name the store's account
        target.failing_since = target.failing_since or timezone.now()
        target.error = type(error).__name__
        logger.warning("heads of the activity log not delivered", extra={"target": target.name, "error": target.error})
    else:
        target.delivered_number, target.delivered_at = seals[-1].number, timezone.now()
        target.failing_since, target.error = None, ""
    target.save()


def _deliver(name: str, seals: list[Seal]) -> None:
    if name == LOG:
        for seal in seals:
            logger.info("audit head", extra={"seal": seal.published()})
        return
    text = "".join(f"{json.dumps(seal.published(), separators=(',', ':'))}\n" for seal in seals).encode()
    where, file = _file_of(name)
    if isinstance(where, Bucket):  # its own object for each delivery; the names sort as they were written
        file = f"{OBJECTS}{_since_restore(where)}{seals[0].number:015d}-{seals[-1].number:015d}.jsonl"
    where.append(file, text)


def _since_restore(where: Bucket) -> str:
    """After a restore numbers begin again lower: the objects from then on have a folder of their own, sorted behind."""
    return max((name.removeprefix(OBJECTS).rpartition("/")[0] + "/" for name in where.names(f"{OBJECTS}r")), default="")


def append_restore(name: str, line: bytes) -> None:
    """A line of `audit.seal.restores`. Raises one of FAILURES."""
    where, file = _file_of(name)
    if isinstance(where, Bucket):
        number = int(_since_restore(where).strip("r/") or 0) + 1
        file = f"{OBJECTS}r{number:04d}/{0:015d}-restored.jsonl"
    where.append(file, line)


def _file_of(name: str) -> tuple[Place, str]:
    """An address of AUDIT_HEADS is a folder, a file that ends in .jsonl, or s3://bucket/prefix."""
    where = place(name)
    if isinstance(where, Folder) and where.path.suffix == ".jsonl":
        return Folder(where.path.parent), where.path.name
    return where, FILE


def read(address: str) -> Iterator[dict[str, Any] | None]:
    """The lines of a place, in order; None for a line that is none. Raises FileNotFoundError."""
    where, file = _file_of(address)
    names = [file] if isinstance(where, Folder) else list(where.names(OBJECTS))
    if not names:
        raise FileNotFoundError(address)
    for name in names:
        with where.reading(name) as lines:
            for line in lines:
                if not line.strip():
                    continue
                try:
                    said = json.loads(line)
                except ValueError:
                    said = None
                yield said if isinstance(said, dict) else None


def lags() -> list[Lag]:
    """One entry for each configured place, for monitoring."""
    known = HeadTarget.objects.in_bulk([LOG, *addresses()])
    found = []
    for name in (LOG, *addresses()):
        target = known.get(name) or HeadTarget(name=name)
        missing = AuditSeal.objects.filter(number__gt=target.delivered_number)
        oldest = missing.order_by("number").values_list("sealed_at", flat=True).first()
        count = missing.count() if oldest else 0
        found.append(Lag(name, target.delivered_number, count, oldest, target.failing_since, target.error))
    return found
