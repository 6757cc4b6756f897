"""The ledger of erasures, outside the database: which accounts an instance restored from an older backup must erase again.

`ERASURE_LEDGER` is a folder or `s3://bucket/prefix`. A line holds an account's random id and a time, nothing else. In a folder all
lines stand in one file; a bucket, whose objects cannot grow, has one object for each.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.conf import settings

from audit.seal.places import FAILURES, Folder, place

__all__ = ["FAILURES", "add", "entries", "is_kept"]
NAME = "erasures"


def is_kept() -> bool:
    """Whether a ledger is configured at all."""
    return bool(settings.ERASURE_LEDGER)


def add(account_id: UUID, *, at: datetime) -> bool:
    """Write an erasure down for good; False when it was there or no ledger is configured. Raises one of FAILURES."""
    if not is_kept() or account_id in set(entries()):
        return False
    target = place(settings.ERASURE_LEDGER)
    name = f"{NAME}.jsonl" if isinstance(target, Folder) else f"{NAME}/{account_id}.jsonl"
    target.append(name, (json.dumps({"account": str(account_id), "at": at.isoformat()}) + "\n").encode())
    return True


def entries() -> Iterator[UUID]:
    """Every account in the ledger, oldest first in a folder. A line that a power cut left unfinished is passed over."""
    if not is_kept():
        return
    target = place(settings.ERASURE_LEDGER)
    for name in target.names(NAME):
        with target.reading(name) as file:
            for line in file.read().splitlines():
                try:
                    yield UUID(json.loads(line)["account"])
                except (ValueError, KeyError, TypeError):
                    continue
