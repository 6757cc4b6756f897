"""Where the pipeline "Gmail → opportunities" puts what it kept: one call per page, inside the engine's transaction."""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db import connection as database

from audit.services import record_many
from integrations.items import Kept, KeptItem, KeptRecord, StoreResult
from integrations.models import Connection, Pipeline, Run
from tracker import feed_items
from tracker.grouping import contact_of, continues, group_key, may_have_contact, reference_hashes
from tracker.models import ForgottenSignal, Opportunity, Signal, StageMove, forgotten_name
from tracker.replay import WRITTEN, replay, stages_set_by_hand
from tracker.stages import EFFECTS, moved_by
from vault.services import keyed_hash


def lock_board(owner_id: UUID) -> None:
    """One writer at a time per board, until the transaction ends: two mailboxes must not make one opportunity twice."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"tracker|{owner_id}"])


def forgotten_hash(connection_id: UUID, message_id: str) -> bytes:
    return keyed_hash("forgotten message", forgotten_name(connection_id, message_id))


class OpportunityDestination:
    """`known_ids()` and `store_page()`, as `settings.PIPELINE_DESTINATIONS` wants them. Of records see `tracker.feed_items`."""

    takes = frozenset({"mail", "records"})
    personal = True
    fields = feed_items.FIELDS

    def known_ids(self, pipeline: Pipeline, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that are stored, or were deleted by their owner and must not come back."""
        wanted, connection_id = list(ids), pipeline.connection_id
        stored = Signal.objects.filter(connection_id=connection_id, message_id__in=wanted).values_list("message_id", flat=True)
        known = set(stored)
        if not ForgottenSignal.objects.filter(connection_id=connection_id).exists():
            return known
        hashes = {forgotten_hash(connection_id, message_id): message_id for message_id in wanted}
        gone = ForgottenSignal.objects.filter(connection_id=connection_id, message_hash__in=list(hashes))
        return known | {hashes[bytes(value)] for value in gone.values_list("message_hash", flat=True)}

    def store_page(self, run: Run, kept: list[Kept]) -> StoreResult:
        """Store signals and the opportunities they make or move. The number of queries does not depend on the page's length."""
        owner_id = run.pipeline.person_id
        if owner_id is None:
            raise ValueError("Opportunities belong to a person; this connection belongs to the instance.")
        items = [feed_items.item_of(run.pipeline_id, one) if isinstance(one, KeptRecord) else one for one in kept]
        lock_board(owner_id)
        known = self.known_ids(run.pipeline, [item.id for item in items])
        fresh = sorted((item for item in {item.id: item for item in items}.values() if item.id not in known), key=lambda i: i.received_at)
        if not fresh:
            return StoreResult(duplicates=len(items))
        page = _Page(run.pipeline.connection, owner_id, fresh)
        page.place_all()
        page.write()
        return StoreResult(len(page.created), len(page.touched) - len(page.created), len(items) - len(fresh))


class _Page:
    """The signals of one page on their way to their opportunities."""

    def __init__(self, mailbox: Connection, owner_id: UUID, items: list[KeptItem]) -> None:
        self.mailbox = mailbox
        self.owner_id = owner_id
        self.items = items
        self.hashes = {item.id: reference_hashes(item.reply_references) for item in items}
        self.keys = {item.id: group_key(item.company, item.role) for item in items}
        self.created: dict[UUID, Opportunity] = {}
        self.touched: dict[UUID, Opportunity] = {}
        self.signals: dict[UUID, list[Signal]] = defaultdict(list)
        self.stages: dict[UUID, str] = {}
        self._find_candidates()

    def _find_candidates(self) -> None:
        owner_id = self.owner_id
        mine = Signal.objects.filter(opportunity__owner_id=owner_id)
        threads = mine.filter(connection=self.mailbox, thread_id__in=[item.thread_id for item in self.items])
        self.by_thread = dict(threads.order_by("received_at").values_list("thread_id", "opportunity_id"))
        wanted = sorted({value for values in self.hashes.values() for value in values})
        self.by_reference: dict[str, UUID] = {}
        for references, opportunity_id in mine.filter(references__has_any_keys=wanted).values_list("references", "opportunity_id"):
            self.by_reference.update(dict.fromkeys(references, opportunity_id))
        keys = [key for key in set(self.keys.values()) if key]
        same_key = Opportunity.objects.filter(owner_id=owner_id, group_key__in=keys).values_list("group_key", "id", "merged_into_id")
        by_key = [(key, merged or own) for key, own, merged in same_key]
        found = {*self.by_thread.values(), *self.by_reference.values(), *(id_ for _, id_ in by_key)}
        self.opportunities = {row.pk: row for row in Opportunity.objects.select_for_update().filter(pk__in=found)}
        self.by_key: dict[str, list[UUID]] = defaultdict(list)
        for key, id_ in by_key:
            self.by_key[key].append(id_)

    def place_all(self) -> None:
        for item in self.items:
            opportunity = self._existing(item) or self._new(item)
            self.by_thread[item.thread_id] = opportunity.pk
            self.by_reference.update(dict.fromkeys(self.hashes[item.id], opportunity.pk))
            if key := self.keys[item.id]:
                self.by_key[key].append(opportunity.pk)
            self._fill(opportunity, item)
            self._advance(opportunity, item)
            self.touched[opportunity.pk] = opportunity
            self.signals[opportunity.pk].append(self._signal(opportunity, item))

    def _existing(self, item: KeptItem) -> Opportunity | None:
        found = self.by_thread.get(item.thread_id)
        if found is None:
            found = next((self.by_reference[value] for value in self.hashes[item.id] if value in self.by_reference), None)
        if found is not None:
            return self.opportunities.get(found)
        for candidate in reversed(self.by_key.get(self.keys[item.id], [])):
            opportunity = self.opportunities.get(candidate)
            if opportunity and continues(
                stage=self.stages.get(candidate, opportunity.stage),
                last_signal_at=opportunity.last_signal_at,
                label=item.label,
                received_at=item.received_at,
            ):
                return opportunity
        return None

    def _new(self, item: KeptItem) -> Opportunity:
        effect = EFFECTS[item.label]
        opportunity = Opportunity(owner_id=self.owner_id, kind=effect.kind, stage=effect.starts_at)
        self.opportunities[opportunity.pk] = self.created[opportunity.pk] = opportunity
        return opportunity

    def _fill(self, opportunity: Opportunity, item: KeptItem) -> None:
        """What was unknown so far; what is there, perhaps by hand, stays."""
        opportunity.company = opportunity.company or item.company
        opportunity.role = opportunity.role or item.role
        opportunity.group_key = opportunity.group_key or self.keys[item.id]
        opportunity.last_signal_at = max(filter(None, [opportunity.last_signal_at, item.received_at]))
        if not opportunity.contact_email and may_have_contact(opportunity.kind):
            opportunity.contact_name, opportunity.contact_email = contact_of(item.sender)

    def _advance(self, opportunity: Opportunity, item: KeptItem) -> None:
        """Know within the page how far it has come: what follows a refusal on the same page may begin another story."""
        by_hand_at = opportunity.stage_set_manually_at
        if by_hand_at is None or item.received_at > by_hand_at:
            self.stages[opportunity.pk] = moved_by(item.label, self.stages.get(opportunity.pk, opportunity.stage))

    def _signal(self, opportunity: Opportunity, item: KeptItem) -> Signal:
        return Signal(
            opportunity=opportunity,
            connection=self.mailbox,
            message_id=item.id,
            thread_id=item.thread_id,
            references=self.hashes[item.id],
            sender=item.sender,
            subject=item.subject,
            received_at=item.received_at,
            label=item.label,
            confidence=item.confidence,
            reasons=list(item.reasons),
        )

    def write(self) -> None:
        known = {pk: opportunity for pk, opportunity in self.touched.items() if pk not in self.created}
        earlier: dict[UUID, list[Signal]] = defaultdict(list)
        for signal in Signal.objects.filter(opportunity_id__in=list(known)):
            earlier[signal.opportunity_id].append(signal)
        by_hand = stages_set_by_hand(self.touched.values())
        moves: list[StageMove] = []
        for pk, opportunity in self.touched.items():
            signals = earlier[pk] + self.signals[pk]
            move = replay(opportunity, signals, by_hand=by_hand.get(pk))
            if move and pk not in self.created:
                moves.append(move)
            opportunity.search_text = opportunity.build_search_text(" ".join(f"{s.subject} {s.sender}" for s in signals[-20:]))
        Opportunity.objects.bulk_create(self.created.values())
        Opportunity.objects.bulk_update(known.values(), WRITTEN)
        Signal.objects.bulk_create(signal for signals in self.signals.values() for signal in signals)
        StageMove.objects.bulk_create(moves)
        if self.created:
            record_many("opportunity.created", self.created.values(), actor=self.mailbox.owner, cause="signal")
