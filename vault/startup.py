"""Whether the key ring fits the database: asked once when the web server or a worker starts.

A ring that lacks a key in use, or has another one under its id, would show up hours later, person by person, as data that does not
open; and data keys made meanwhile would make the way back harder.
"""

import sys

from django.conf import settings
from django.db import DatabaseError, connection

from aaperture.lib.env import EX_CONFIG
from vault import ring, rotation
from vault.errors import SealedDataError
from vault.models import DataKey, KeySalt


def ring_faults() -> list[str]:
    """What is wrong with `ENCRYPTION_KEYS` for this database, in sentences that name ids and counts, never a key."""
    known, first = {kid for kid, _key in settings.ENCRYPTION_KEYS}, ring.current_kid()
    faults = []
    for kid, kinds in sorted(rotation.wrapped_by().items()):
        if kid not in known:
            faults.append(f"lacks key {kid}, which still wraps {kinds.total()} data keys: put it back, then run manage.py rotate_keys")
        elif not _opens_a_sample(kid):
            faults.append(f"has another key under the id {kid} than the one that wraps {kinds.total()} data keys")
    if retired := KeySalt.objects.filter(kid=first).exclude(retired_at=None).first():
        faults.append(f"begins with {first}, retired on {retired.retired_at:%Y-%m-%d}: put a new key with a new id first")
    return faults


def _opens_a_sample(kid: str) -> bool:
    """Whether the newest of its data keys opens, or another: one damaged row must not keep everybody out."""
    for row in DataKey.objects.filter(kid=kid, destroyed_at=None).order_by("-pk")[:20]:
        try:
            ring.unwrap(kid, bytes(row.wrapped), row.associated())
        except SealedDataError:
            continue
        return True
    return False


def refuse_a_ring_that_does_not_fit(**_kwargs: object) -> None:
    """Print the faults and exit with EX_CONFIG. A database that does not answer, or has no tables yet, is no fault of the ring."""
    try:
        faults = ring_faults()
    except DatabaseError:
        return
    finally:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # the server forks after this
    if faults:
        sys.stderr.write("\n".join(["Aaperture cannot start; please correct:", *(f"  ENCRYPTION_KEYS {one}" for one in faults), ""]))
        raise SystemExit(EX_CONFIG)
