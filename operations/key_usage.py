"""What still depends on which key of the ring, and what the operator should do next. Reads only."""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from audit.models import AuditArchive, AuditSeal
from audit.seal import chain
from operations.known_secrets import DUE, began, ring_since
from vault import ring, rotation
from vault.models import DataKey, KeyRotation, KeySalt


class KeyUse(NamedTuple):
    """One key and what depends on it; `signs` is whether the activity log could not be verified without it."""

    kid: str
    is_first: bool
    in_ring: bool
    since: datetime | None
    data_keys: Counter[str]
    signs: bool
    retired_at: datetime | None
    was_used: bool

    @property
    def wraps(self) -> int:
        return self.data_keys.total()

    @property
    def is_needed(self) -> bool:
        return self.is_first or self.signs or bool(self.wraps)

    @property
    def is_removable(self) -> bool:
        """Nothing depends on it, and the database lets nothing new depend on it."""
        return self.in_ring and not self.is_needed and (self.retired_at is not None or not self.was_used)

    @property
    def persons(self) -> int:
        return self.data_keys[DataKey.Kind.PERSON]

    @property
    def organizations(self) -> int:
        return self.data_keys[DataKey.Kind.ORGANIZATION]

    @property
    def instance(self) -> int:
        """Keys of the instance: of keyed hashes, and one for each month's anonymous activity."""
        return self.data_keys[DataKey.Kind.INSTANCE]


class Step(StrEnum):
    """What there is to do, most urgent first."""

    PUT_BACK = "put_back"
    RUNNING = "running"
    REWRAP = "rewrap"
    SEAL = "seal"
    REMOVE = "remove"
    RENEW = "renew"
    NOTHING = "nothing"


def key_uses() -> list[KeyUse]:
    """Every key of the ring, newest first, then keys that are not in it and are needed all the same."""
    wrapped, salts = rotation.wrapped_by(), KeySalt.objects.in_bulk()
    inside = [kid for kid, _key in settings.ENCRYPTION_KEYS]
    signers, seen = _signers(inside), ring_since()
    found = []
    for kid in [*inside, *sorted(wrapped.keys() - set(inside))]:
        salt = salts.get(kid)
        since = seen.get(kid) or began(kid, salt.created_at if salt else None)
        found.append(KeyUse(
            kid, kid == ring.current_kid(), kid in inside, since, wrapped.get(kid, Counter()), kid in signers,
            salt.retired_at if salt else None, salt is not None,
        ))  # fmt: skip
    return found


def _signers(kids: list[str]) -> set[str]:
    """The keys without which a seal or a record of the archive would have nobody to vouch for it.

    Seals by a key that has left the ring are vouched for by a later seal of one that is in it, so only the newest seal counts.
    """
    newest = AuditSeal.objects.order_by("-number").values_list("public_key", flat=True).first()
    sealed = AuditSeal.objects.filter(public_key=OuterRef("public_key"))
    alone = AuditArchive.objects.filter(~Exists(sealed)).values_list("public_key", flat=True).distinct()
    needed = {bytes(key) for key in (newest, *alone) if key is not None}
    return {kid for kid in kids if needed and chain.public_bytes(chain.signing_key(kid)) in needed}


def next_step(uses: list[KeyUse], current: KeyRotation | None, *, now: datetime | None = None) -> Step:
    if any(not use.in_ring for use in uses):
        return Step.PUT_BACK
    if current is not None and current.finished_at is None:
        return Step.RUNNING
    older = [use for use in uses if not use.is_first]
    if any(use.wraps or (use.was_used and use.retired_at is None) for use in older):
        return Step.REWRAP
    if any(use.signs for use in older):
        return Step.SEAL
    if older:
        return Step.REMOVE
    first = uses[0].since
    return Step.RENEW if first and (now or timezone.now()) - first > DUE - timedelta(days=7) else Step.NOTHING


def latest_rotation() -> KeyRotation | None:
    return KeyRotation.objects.order_by("-asked_at").first()


def progress(current: KeyRotation) -> tuple[int, int]:
    """(done, total) data keys of a rotation, from the rows themselves."""
    total = sum(current.before.values())
    return max(total - rotation.left_over(), 0), total
