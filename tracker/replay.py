"""What an opportunity looks like after its signals, in the order they were received and not in the order they were read."""

from collections.abc import Iterable
from uuid import UUID

from tracker.models import Opportunity, Signal, StageMove
from tracker.stages import EFFECTS, Stage, moved_by

WRITTEN = (
    "stage", "stage_changed_at", "ball", "task", "task_text", "task_due_on", "first_signal_at", "last_signal_at", "last_subject",
    "last_label", "company", "role", "contact_name", "contact_email", "group_key", "search_text",
)  # fmt: skip


def stages_set_by_hand(opportunities: Iterable[Opportunity]) -> dict[UUID, str]:
    """Where a person last moved each of `opportunities`, in one query; without those that nobody has moved."""
    moved = [opportunity.pk for opportunity in opportunities if opportunity.stage_set_manually_at is not None]
    if not moved:
        return {}
    moves = StageMove.objects.filter(opportunity_id__in=moved).exclude(moved_by_id=None).order_by("at", "id")
    return dict(moves.values_list("opportunity_id", "to_stage"))


def replay(opportunity: Opportunity, signals: Iterable[Signal], *, by_hand: str | None = None) -> StageMove | None:
    """Set stage, turn, task and the last_… fields from all `signals`; returns the move, if the stage changed.

    A stage set `by_hand` is where the replay starts: only newer signals move it, forward only. Likewise a task.
    """
    ordered = sorted(signals, key=lambda signal: (signal.received_at, signal.message_id))
    _note_extent(opportunity, ordered)
    by_hand_at = opportunity.stage_set_manually_at
    if by_hand_at is not None or opportunity.is_manual:
        stage, moving = opportunity.stage, [s for s in ordered if by_hand_at is None or s.received_at > by_hand_at]
        if by_hand_at is not None:
            stage = by_hand or opportunity.stage
    else:
        stage = EFFECTS[ordered[0].label].starts_at if ordered else opportunity.stage
        moving = ordered
    cause = ""
    for signal in moving:
        after = moved_by(signal.label, stage)
        if after != stage:
            stage, cause = after, signal.label
    move = None
    if stage != opportunity.stage:
        move = StageMove(opportunity=opportunity, from_stage=opportunity.stage, to_stage=stage, label=cause)
        opportunity.stage = Stage(stage)
        opportunity.stage_changed_at = move.at
    _note_turn(opportunity, ordered)
    return move


def _note_extent(opportunity: Opportunity, ordered: list[Signal]) -> None:
    newest = ordered[-1] if ordered else None
    opportunity.first_signal_at = ordered[0].received_at if ordered else None
    opportunity.last_signal_at = newest.received_at if newest else None
    opportunity.last_subject = newest.subject if newest else ""
    opportunity.last_label = newest.label if newest else ""


def _note_turn(opportunity: Opportunity, ordered: list[Signal]) -> None:
    newest = ordered[-1] if ordered else None
    since = opportunity.task_set_manually_at
    if newest is None or (since is not None and newest.received_at <= since):
        return
    effect = EFFECTS[newest.label]
    opportunity.ball, opportunity.task = effect.ball, effect.task
    opportunity.task_text, opportunity.task_due_on = "", None
