"""What people do to their board: each in one transaction with its activity record. Activity holds ids and stages, no names."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from audit.services import record
from tracker.destination import forgotten_hash, lock_board
from tracker.grouping import group_key
from tracker.models import ForgottenSignal, Opportunity, Signal, StageMove
from tracker.replay import WRITTEN, replay, stages_set_by_hand
from tracker.stages import Ball, Stage, Task

EDITABLE = ("kind", "company", "role", "contact_name", "contact_email", "ball", "task", "task_text", "task_due_on", "notes")
TASK_FIELDS = frozenset({"ball", "task", "task_text", "task_due_on"})
FORGOTTEN_AT_ONCE = 1000
FILLED_BY_MERGE = ("company", "role", "contact_name", "contact_email", "task_text", "notes")


class CannotMerge(ValueError):
    """The two are one, or belong to two people."""


def _locked(opportunity: Opportunity) -> Opportunity:
    """The row as it is now, to be changed by nobody else until this transaction ends.

    Raises Opportunity.DoesNotExist when it was deleted or merged since it was read.
    """
    lock_board(opportunity.owner_id)
    return Opportunity.objects.select_for_update().get(pk=opportunity.pk, merged_into=None)


def _save(opportunity: Opportunity, *, fields: tuple[str, ...] | list[str]) -> None:
    signals = opportunity.signals.order_by("-received_at").values_list("subject", "sender")[:20]
    opportunity.search_text = opportunity.build_search_text(" ".join(f"{subject} {sender}" for subject, sender in signals))
    opportunity.save(update_fields=sorted({*fields, "search_text"}))


def _replay(opportunity: Opportunity) -> None:
    by_hand = stages_set_by_hand([opportunity]).get(opportunity.pk)
    if move := replay(opportunity, opportunity.signals.all(), by_hand=by_hand):
        move.save(force_insert=True)


@transaction.atomic
def add_opportunity(user: User, *, fields: dict[str, Any], request: HttpRequest | None = None) -> Opportunity:
    """One that no mail told of. `fields` may hold the editable ones and `stage`."""
    values = {name: fields[name] for name in (*EDITABLE, "stage") if name in fields}
    opportunity = Opportunity(owner=user, is_manual=True, **values)
    opportunity.group_key = group_key(opportunity.company, opportunity.role)
    opportunity.task_set_manually_at = timezone.now() if TASK_FIELDS & set(values) else None
    opportunity.search_text = opportunity.build_search_text()
    opportunity.save(force_insert=True)
    record("opportunity.created", opportunity, actor=user, request=request, cause="manual", stage=str(opportunity.stage))
    return opportunity


@transaction.atomic
def edit_opportunity(opportunity: Opportunity, *, fields: dict[str, Any], actor: User, request: HttpRequest | None = None) -> Opportunity:
    """Store changed fields; the record says which, never their values."""
    opportunity = _locked(opportunity)
    changed = [name for name in EDITABLE if name in fields and getattr(opportunity, name) != fields[name]]
    if not changed:
        return opportunity
    for name in changed:
        setattr(opportunity, name, fields[name])
    opportunity.group_key = group_key(opportunity.company, opportunity.role)
    if TASK_FIELDS & set(changed):
        opportunity.task_set_manually_at = timezone.now()
    _save(opportunity, fields=[*changed, "group_key", "task_set_manually_at"])
    record("opportunity.updated", opportunity, actor=actor, request=request, fields=sorted(changed))
    return opportunity


@transaction.atomic
def move_opportunity(opportunity: Opportunity, *, to: str, actor: User, request: HttpRequest | None = None) -> Opportunity:
    """Move by hand: any stage to any other. Signals older than now will not move it again. Raises ValueError for no stage."""
    target = Stage(to)
    opportunity = _locked(opportunity)
    before, now = opportunity.stage, timezone.now()
    if before == target:
        return opportunity
    opportunity.stage, opportunity.stage_changed_at, opportunity.stage_set_manually_at = target, now, now
    StageMove.objects.create(opportunity=opportunity, from_stage=before, to_stage=target, moved_by_id=actor.pk, at=now)
    record("opportunity.moved", opportunity, actor=actor, request=request, from_stage=str(before), to_stage=str(target))
    opportunity.save(update_fields=["stage", "stage_changed_at", "stage_set_manually_at"])
    return opportunity


@transaction.atomic
def complete_task(opportunity: Opportunity, *, actor: User, request: HttpRequest | None = None) -> Opportunity:
    """The next step is done: it is their turn, until a newer signal says otherwise."""
    opportunity = _locked(opportunity)
    opportunity.task, opportunity.task_text, opportunity.task_due_on = Task.NONE, "", None
    opportunity.ball, opportunity.task_set_manually_at = Ball.THEM, timezone.now()
    _save(opportunity, fields=["task", "task_text", "task_due_on", "ball", "task_set_manually_at"])
    record("opportunity.updated", opportunity, actor=actor, request=request, fields=["task"])
    return opportunity


@transaction.atomic
def merge_opportunities(kept: Opportunity, other: Opportunity, *, actor: User, request: HttpRequest | None = None) -> Opportunity:
    """Put `other`'s signals and history into `kept`; what `kept` does not know it takes from `other`. Raises CannotMerge."""
    if kept.pk == other.pk or kept.owner_id != other.owner_id:
        raise CannotMerge
    lock_board(kept.owner_id)
    rows = {row.pk: row for row in Opportunity.objects.select_for_update().filter(pk__in=[kept.pk, other.pk], merged_into=None)}
    if len(rows) < 2:
        raise CannotMerge
    kept, other = rows[kept.pk], rows[other.pk]
    Signal.objects.filter(opportunity=other).update(opportunity=kept)
    StageMove.objects.filter(opportunity=other).update(opportunity=kept)
    Opportunity.objects.filter(Q(pk=other.pk) | Q(merged_into=other)).update(merged_into=kept)
    for name in FILLED_BY_MERGE:
        if not getattr(kept, name):
            setattr(kept, name, getattr(other, name))
    kept.project_id = kept.project_id or other.project_id
    # the history is one now, so the newest move by hand counts, whichever of the two it was made on
    kept.stage_set_manually_at = max(filter(None, [kept.stage_set_manually_at, other.stage_set_manually_at]), default=None)
    _replay(kept)
    _save(kept, fields=[*WRITTEN, "notes", "project", "stage_set_manually_at"])
    record("opportunity.merged", kept, actor=actor, request=request, other_id=str(other.pk))
    return kept


@transaction.atomic
def delete_opportunity(opportunity: Opportunity, *, actor: User, request: HttpRequest | None = None) -> None:
    """Delete it with its signals, which no rescan brings back."""
    opportunity = _locked(opportunity)
    _forget(list(opportunity.signals.all()))
    record("opportunity.deleted", opportunity, actor=actor, request=request, signals=opportunity.signals.count())
    opportunity.delete()


@transaction.atomic
def delete_signal(signal: Signal, *, actor: User, request: HttpRequest | None = None) -> Opportunity | None:
    """Delete one signal for good. Returns its opportunity, or None when nothing else held it on the board."""
    opportunity = _locked(signal.opportunity)
    _forget([signal])
    record("signal.deleted", signal, actor=actor, request=request, opportunity_id=str(opportunity.pk))
    signal.delete()
    if not opportunity.signals.exists() and not opportunity.is_manual and opportunity.stage_set_manually_at is None:
        record("opportunity.deleted", opportunity, actor=actor, request=request, signals=0)
        opportunity.delete()
        return None
    _replay(opportunity)
    _save(opportunity, fields=WRITTEN)
    return opportunity


def _forget(signals: list[Signal]) -> None:
    rows = [ForgottenSignal(connection_id=s.connection_id, message_hash=forgotten_hash(s.connection_id, s.message_id)) for s in signals]
    ForgottenSignal.objects.bulk_create(rows, ignore_conflicts=True)


def record_export(user: User, *, count: int, request: HttpRequest | None = None) -> None:
    record("opportunities.exported", user, actor=user, request=request, count=count)


@transaction.atomic
def forget_mail(user: User, *, request: HttpRequest | None = None) -> int:
    """Delete the details of every mail of a person and what was made of them; returns of how many mails.

    Opportunities made by hand stay, without what mail added to their history. No rescan brings anything back.
    """
    lock_board(user.pk)
    signals = Signal.objects.filter(opportunity__owner=user)
    count = 0
    for batch in batched(signals.only("connection_id", "message_id").iterator(chunk_size=FORGOTTEN_AT_ONCE), FORGOTTEN_AT_ONCE):
        _forget(list(batch))
        count += len(batch)
    signals.delete()
    own = Opportunity.objects.filter(owner=user)
    by_hand = own.filter(Q(is_manual=True) | Q(merged_from__is_manual=True)).distinct()
    kept = set(by_hand.values_list("pk", flat=True))
    gone = own.exclude(pk__in=kept)
    record("mail_details.deleted", user, actor=user, request=request, signals=count, opportunities=gone.count())
    gone.delete()
    StageMove.objects.filter(opportunity__in=kept).exclude(label="").delete()
    for opportunity in own.filter(pk__in=kept):
        opportunity.first_signal_at = opportunity.last_signal_at = None
        opportunity.last_subject = opportunity.last_label = ""
        _save(opportunity, fields=["first_signal_at", "last_signal_at", "last_subject", "last_label"])
    return count


def batched(rows: Iterable[Signal], size: int) -> Iterator[tuple[Signal, ...]]:
    """`itertools.batched`, which this Python does not have yet."""
    left = iter(rows)
    while batch := tuple(islice(left, size)):
        yield batch
