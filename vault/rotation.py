"""Rotation: every data key that an older key of the ring wraps is wrapped anew by the first one.

What is left to do stands in the rows, so a killed rotation goes on where it was, and it may run while others seal and open:
each row is locked while it is wrapped anew, a data key itself never changes, and every process with the whole ring opens both.
"""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Count
from django.utils import timezone

from vault import ring
from vault.errors import SealedDataError
from vault.models import DataKey, KeySalt

BATCH = 500
MOST_PASSES = 20
NIL = UUID(int=0)
REWRAP = """
UPDATE vault_datakey SET kid = %s, wrapped = fresh.wrapped
FROM unnest(%s::uuid[], %s::bytea[]) AS fresh(id, wrapped) WHERE vault_datakey.id = fresh.id
"""


def older_kids() -> list[str]:
    """The ring's keys but the first."""
    return [kid for kid, _key in settings.ENCRYPTION_KEYS[1:]]


def wrapped_by() -> dict[str, Counter[str]]:
    """How many living data keys of each kind every key wraps, also keys that the ring no longer has."""
    found: dict[str, Counter[str]] = {}
    living = DataKey.objects.filter(destroyed_at=None).order_by()
    for kid, kind, count in living.values_list("kid", "kind").annotate(Count("pk")):
        found.setdefault(kid, Counter())[kind] = count
    return found


def left_over() -> int:
    """How many living data keys the ring's first key does not wrap."""
    return DataKey.objects.filter(destroyed_at=None).exclude(kid=ring.current_kid()).count()


def rewrap_all(*, size: int = BATCH) -> Iterator[int]:
    """Wrap anew whatever the ring's older keys wrap; yields how many rows each committed batch had.

    What does not open is left as it is: `unopened()` names it. Rows that others add meanwhile are found by a further pass.
    """
    ring.forget_keys()  # by the salts as they are stored now, whatever this process remembers
    ring.master_key(ring.current_kid())
    KeySalt.objects.filter(kid=ring.current_kid()).update(retired_at=None)
    for _ in range(MOST_PASSES):
        rewrapped, after = 0, NIL
        while True:
            seen, done = _rewrap_batch(after, size)
            if seen is None:
                break
            after, rewrapped = seen, rewrapped + done
            yield done
        if not rewrapped:
            break


@transaction.atomic
def _rewrap_batch(after: UUID, size: int) -> tuple[UUID | None, int]:
    """The last row looked at, None behind the end, and how many were wrapped anew."""
    waiting = DataKey.objects.filter(kid__in=older_kids(), destroyed_at=None, pk__gt=after).order_by("pk")
    rows = list(waiting.select_for_update()[:size])  # locked, or a key destroyed meanwhile would come back
    fresh = []
    for row in rows:
        try:
            fresh.append((row.pk, ring.wrap(ring.unwrap(row.kid, bytes(row.wrapped), row.associated()), row.associated())[1]))
        except SealedDataError:
            continue
    if fresh:
        with connection.cursor() as cursor:
            cursor.execute(REWRAP, [ring.current_kid(), [pk for pk, _wrapped in fresh], [wrapped for _pk, wrapped in fresh]])
    return (rows[-1].pk if rows else None), len(fresh)


def unopened() -> Counter[str]:
    """Opens every living data key by the key it names, and counts those that do not open, by that name."""
    ring.forget_keys()
    found: Counter[str] = Counter()
    for row in DataKey.objects.filter(destroyed_at=None).iterator(chunk_size=2_000):
        try:
            ring.unwrap(row.kid, bytes(row.wrapped), row.associated())
        except SealedDataError:
            found[row.kid] += 1
    return found


def retire_unused() -> list[str]:
    """Close every older key that wraps nothing, and return their ids.

    The database then refuses new data keys wrapped by it (`vault_refuse_retired_key`), so that "nothing depends on it" stays true
    whatever ring some process forgotten somewhere still has. A key in use by a transaction that goes on stays open.
    """
    return [kid for kid in older_kids() if _retire(kid)]


def _retire(kid: str) -> bool:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '10s'")
            salt = KeySalt.objects.select_for_update().filter(kid=kid, retired_at=None).first()  # waits for keys being made
            if salt is None or DataKey.objects.filter(kid=kid, destroyed_at=None).exists():
                return False
            salt.retired_at = timezone.now()
            salt.save(update_fields=["retired_at"])
    except OperationalError:
        return False
    return True
