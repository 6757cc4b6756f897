"""Rotation of the master key as an operation: asked for once, carried out by one process at a time, on record."""

from collections.abc import Callable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from aaperture.lib.alone import alone
from accounts.models import User
from accounts.protections import DENIED, Refused
from accounts.services.users import step_up
from audit.seal import sealing
from audit.services import record
from vault import ring, rotation
from vault.models import KeyRotation, KeySalt

PERMISSION = "operations.rotate_keys"
LOCK = 0xC0DE
Progress = Callable[[int, int], None]


class BusyElsewhere(Exception):
    """Another process is at it."""


@transaction.atomic
def ask_for_rotation(actor: User | None = None, request: HttpRequest | None = None) -> KeyRotation:
    """The open rotation to the ring's first key, made if there is none. Without `actor` it is the operator at the command line.

    Raises Refused, StepUpRequired, and ValidationError where there is nothing to rotate to.
    """
    if actor is not None:
        _require_administrator(actor)
        step_up(request)
        if KeySalt.objects.filter(kid=ring.current_kid()).exclude(retired_at=None).exists():
            raise ValidationError(_("This server runs with an old ENCRYPTION_KEYS: its first key is retired. Restart it with the new one."))
    older = rotation.older_kids()
    if not older:
        raise ValidationError(_("ENCRYPTION_KEYS has one key only. Put a new one in front of it first."))
    now = timezone.now()
    superseded = KeyRotation.objects.filter(finished_at=None).exclude(kid=ring.current_kid())
    superseded.update(finished_at=now, outcome=KeyRotation.Outcome.SUPERSEDED)
    found, made = KeyRotation.objects.get_or_create(
        kid=ring.current_kid(), finished_at=None, defaults={"asked_by": actor.pk if actor else None, "asked_at": now}
    )
    if made:
        record("keys.rotation_started", found, actor=actor, request=request, to_id=found.kid, from_ids=older)
    return found


def _require_administrator(actor: User) -> None:
    if not actor.is_active or not actor.has_perm(PERMISSION):
        raise Refused(DENIED)


def open_rotations() -> list[UUID]:
    """What waits for a worker, or was left by one that died; nothing while one is at it."""
    waiting = list(KeyRotation.objects.filter(finished_at=None, kid=ring.current_kid()).values_list("pk", flat=True))
    if not waiting:
        return []
    with alone(LOCK) as is_ours:
        return waiting if is_ours else []


def carry_out(rotation_id: UUID, *, progress: Progress = lambda _done, _total: None) -> KeyRotation | None:
    """Do what is left of a rotation, prove the result, put it on record. None when it is over, or is for another ring than this one's.

    Raises BusyElsewhere. May be killed at any moment: whoever calls it next goes on.
    """
    with alone(LOCK) as is_ours:
        if not is_ours:
            raise BusyElsewhere
        asked = KeyRotation.objects.filter(pk=rotation_id, finished_at=None, kid=ring.current_kid()).first()
        if asked is None:
            return None
        _begin(asked)
        left = rotation.left_over()
        total = max(sum(asked.before.values()), left)
        progress(total - left, total)
        for done in rotation.rewrap_all():
            left -= done
            progress(min(total - left, total), total)
        _finish(asked)
    sealing.seal_pending()  # so that the new key signs on top of what the old one signed
    return asked


def _begin(asked: KeyRotation) -> None:
    if asked.started_at is None:
        older = set(rotation.older_kids())
        asked.started_at = timezone.now()
        asked.before = {kid: kinds.total() for kid, kinds in rotation.wrapped_by().items() if kid in older}
        asked.save(update_fields=["started_at", "before"])


def _finish(asked: KeyRotation) -> None:
    """The record says ids and counts only."""
    rotation.retire_unused()
    left, unopened = rotation.left_over(), rotation.unopened().total()
    wrapped = rotation.wrapped_by()
    rewrapped = {kid: count - wrapped[kid].total() if kid in wrapped else count for kid, count in asked.before.items()}
    retired = KeySalt.objects.filter(kid__in=rotation.older_kids()).exclude(retired_at=None).values_list("kid", flat=True)
    asked.outcome = KeyRotation.Outcome.INCOMPLETE if left or unopened else KeyRotation.Outcome.DONE
    asked.finished_at = timezone.now()
    with transaction.atomic():
        asked.save(update_fields=["outcome", "finished_at"])
        record(
            "keys.rotated", asked, actor=User.objects.filter(pk=asked.asked_by).first() if asked.asked_by else None, to_id=asked.kid,
            rewrapped=rewrapped, left=left, unopened=unopened, retired=sorted(retired),
        )  # fmt: skip
