"""The sealer: chains what is committed and settled, in the order of (tx, id), and signs each batch.

One at a time by an advisory lock; a seal and its leaves are one transaction, so a kill leaves a whole seal or none, and the
next sealer goes on behind the last one.
"""

import logging
from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby

from django.db import connection, transaction
from django.utils import timezone

from audit.models import AuditSeal, SealLeaves
from audit.seal import chain, rows
from audit.seal.chain import Seal
from audit.seal.rows import BEGINNING

logger = logging.getLogger(__name__)

BATCH = 5_000
LONGEST = 200  # batches in one go: a million rows
LOCK = 0x5EA1


def seal_pending() -> int:
    """Seal everything that is settled; returns how many rows. Nothing when another sealer is at it."""
    sealed = 0
    for _ in range(LONGEST):
        count = _seal_batch()
        sealed += count
        if count < BATCH:
            break
    return sealed


def last_seal() -> Seal | None:
    row = AuditSeal.objects.order_by("-number").first()
    return Seal.of(row) if row else None


def begin_epoch() -> int:
    """After a restore, before anything is written: rows must not sort before what is sealed. Does nothing when they do not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_begin_epoch()")
        return int(cursor.fetchone()[0])


@transaction.atomic
def _seal_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(rows.SESSION)
    previous = last_seal()
    lines = list(rows.read(connection.connection, rows.query(previous.last if previous else BEGINNING, settled=True, limit=BATCH)))
    if not lines:
        _notice_a_counter_that_went_back(previous)
        return 0
    key, trusted = chain.current_key(), chain.trusted_keys()
    seals, leaves = [], []
    for batch in _batches(lines):
        doubt = previous is not None and not (previous.public_key in trusted and previous.is_genuine())
        if doubt:
            logger.critical("the last seal of the activity log is not ours", extra={"number": previous.number if previous else 0})
        packed = b"".join(map(rows.leaf, batch))
        previous = _made(batch, packed, previous, doubt=doubt).seal_with(key)
        seals.append(previous.stored())
        leaves.append(SealLeaves(number=previous.number, month=previous.month, leaves=packed))
    AuditSeal.objects.bulk_create(seals)
    SealLeaves.objects.bulk_create(leaves)
    return len(lines)


def _batches(lines: list[bytes]) -> Iterator[list[bytes]]:
    """A seal's rows are of one month, so that a month can go as a whole, and of one epoch."""
    for _, batch in groupby(lines, key=lambda line: (rows.month_of(line), rows.mark_of(line).tx >> rows.EPOCH_BITS)):
        yield list(batch)


def _made(batch: list[bytes], leaves: bytes, previous: Seal | None, *, doubt: bool) -> Seal:
    first, last = rows.mark_of(batch[0]), rows.mark_of(batch[-1])
    return Seal(
        number=previous.number + 1 if previous else 1,
        epoch=last.tx >> rows.EPOCH_BITS,
        month=rows.month_of(batch[0]),
        first=first,
        last=last,
        count=len(batch),
        discordant=sum(1 for line in batch if rows.differing(rows.values(line))),
        doubt=doubt,
        rows_hash=sha256(b"".join(batch)).digest(),
        leaves_hash=sha256(leaves).digest(),
        previous_head=previous.head if previous else chain.FIRST_HEAD,
        sealed_at=timezone.now(),
    )


def _notice_a_counter_that_went_back(previous: Seal | None) -> None:
    """Somebody restored the database without `begin_epoch`: at least what comes from now on is sealed."""
    if previous is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rows.NEXT} <= %s", [previous.last.tx])
        if cursor.fetchone()[0]:
            logger.critical("the database's transaction numbers went back", extra={"epoch": begin_epoch()})
