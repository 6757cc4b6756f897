"""What a run would do: the real source, the real steps, and the real destination in a transaction that is taken back."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.models import User
from audit.services import record
from integrations import record_steps
from integrations.connectors import CONNECTORS, MailConnector
from integrations.errors import NotConnected
from integrations.items import Item, Kept, Record, StoreResult
from integrations.models import Connection, Pipeline, Run
from integrations.services import opening, pipelines, sampling
from integrations.steps import Dropped, compile_steps

MOST_RECORDS, MOST_MAILS, MOST_SECONDS = 500, 20, 15
MOST_SAMPLES = 10


@dataclass
class DryRun:
    """What was read and what would become of it. `complete` says whether the source had no more."""

    complete: bool = True
    read: int = 0
    kept: int = 0
    created: int = 0
    updated: int = 0
    duplicates: int = 0
    unreadable: int = 0
    not_storable: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    records: list[Record] = field(default_factory=list)
    mails: list[Item] = field(default_factory=list)


def dry_run(pipeline: Pipeline, *, actor: User, request: HttpRequest | None = None) -> DryRun:
    """Read a little and write nothing. Raises PermissionDenied, NotConnected, OAuthUnavailable, ProviderError."""
    pipelines.require_execute(pipeline, actor)
    if pipeline.connection.status != Connection.Status.ACTIVE or pipeline.lacks_person:
        raise NotConnected(pipeline.connection.error_code)
    found = DryRun()
    reads_mail = issubclass(CONNECTORS[pipeline.connection.provider], MailConnector)
    kept = _mails(pipeline, actor, found) if reads_mail else _records(pipeline, actor, found)
    found.kept = len(kept)
    _store_and_take_back(pipeline, kept, found)
    record("pipeline.dry_run", pipeline, actor=actor, request=request, read=found.read, kept=found.kept)
    return found


def _stopping(until: float, seconds: float) -> bool:
    """Somebody waits for the answer: nothing is tried a second time."""
    return seconds > 0 or time.monotonic() > until


def _records(pipeline: Pipeline, actor: User, found: DryRun) -> list[Kept]:
    until = time.monotonic() + MOST_SECONDS
    steps = record_steps.compile_steps(pipeline.steps)
    kept: dict[str, Kept] = {}
    connector = opening.open_source(pipeline.connection, acting_user=actor, stopping=partial(_stopping, until), pipeline=pipeline)
    try:
        for batch in connector.read(""):
            found.unreadable += len(batch.faults)
            for one in batch.records[: MOST_RECORDS - found.read]:
                found.read += 1
                found.records += [one] if len(found.records) < MOST_SAMPLES else []
                try:
                    left = record_steps.run(steps, one)
                except record_steps.Dropped as dropped:
                    found.dropped[str(dropped)] += 1
                except Exception:  # noqa: BLE001 - a record of another shape, as in a run
                    found.unreadable += 1
                else:
                    kept[left.id] = left
            if found.read >= MOST_RECORDS or time.monotonic() > until:
                found.complete = not batch.mark
                break
    finally:
        connector.close()
    return list(kept.values())


def _mails(pipeline: Pipeline, actor: User, found: DryRun) -> list[Kept]:
    until = time.monotonic() + MOST_SECONDS
    kept: list[Kept] = []
    transform = compile_steps(pipeline.steps, only_here=True)
    connector = opening.open_mailbox(pipeline.connection, acting_user=actor, stopping=partial(_stopping, until))
    try:
        renewing = sampling.Renewing(pipeline.connection, connector, actor)
        listed = renewing(lambda: connector.list_ids(None))
        known = import_string(settings.PIPELINE_DESTINATIONS[pipeline.destination])().known_ids(pipeline, listed.ids)
        wanted = [one for one in listed.ids if one not in known]
        found.duplicates = len(known)
        found.complete = not listed.next_page and len(wanted) <= MOST_MAILS
        for item in sampling.fetched(renewing, connector, wanted[:MOST_MAILS]):
            found.read += 1
            found.mails += [item] if len(found.mails) < MOST_SAMPLES else []
            result = transform(item)
            if isinstance(result, Dropped):
                found.dropped[result.label] += 1
            else:
                kept.append(result)
    finally:
        connector.close()
    return kept


def _store_and_take_back(pipeline: Pipeline, kept: list[Kept], found: DryRun) -> None:
    """Let the destination say what it would do, and undo it."""
    destination = import_string(settings.PIPELINE_DESTINATIONS[pipeline.destination])()
    with transaction.atomic():
        run = Run.objects.create(pipeline=pipeline, status=Run.Status.CANCELLED)
        store: Callable[[list[Kept]], StoreResult] = partial(destination.store_page, run)
        result = (_stored(store, kept) or _singly(store, kept, found)) if kept else StoreResult()
        found.created, found.updated = result.created, result.updated
        found.duplicates += result.duplicates
        found.not_storable += result.unusable
        transaction.set_rollback(True)


def _stored(store: Callable[[list[Kept]], StoreResult], page: list[Kept]) -> StoreResult | None:
    """None when something in it cannot be stored."""
    try:
        with transaction.atomic():
            return store(page)
    except OperationalError:
        raise
    except (DatabaseError, ValueError, TypeError):
        return None


def _singly(store: Callable[[list[Kept]], StoreResult], page: list[Kept], found: DryRun) -> StoreResult:
    results = [_stored(store, [one]) for one in page]
    found.not_storable += results.count(None)
    return sum((result for result in results if result is not None), StoreResult())
