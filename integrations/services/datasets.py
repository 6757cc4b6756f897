"""The destination `dataset`: rows kept for whoever owns the connection, until nobody has seen them for long enough."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection as database
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from aaperture.lib.uuid7 import uuid7
from accounts.models import User
from audit.services import record
from integrations.items import Kept, KeptRecord, StoreResult
from integrations.models import DatasetRow, Pipeline, Run
from integrations.record_steps import last_map

SEEN_TO = timedelta(days=1)  # how exactly: a row that is found every hour is not written every hour
BATCH = 5_000
NAME = "dataset"
WHOLE = "record"  # the one field of a chain that keeps everything as it comes; its own names are then the columns
MOST_COLUMNS = 60
TABLE = DatasetRow._meta.db_table
# one array and one JSON document instead of parameters for each row: what is planned does not grow with the page
GIVEN = "ROWS FROM (unnest(%s::text[]), jsonb_array_elements(%s::jsonb)) AS given(item_id, data)"
THERE = f"""
SELECT there.item_id, there.data IS DISTINCT FROM given.data, there.seen_at
FROM {GIVEN} JOIN {TABLE} AS there USING (item_id) WHERE there.pipeline_id = %s FOR UPDATE OF there"""  # nosec B608 - names of ours
ADD = f"""
INSERT INTO {TABLE} (pipeline_id, owner_id, stored_at, seen_at, item_id, data, id)
SELECT %s, %s, %s, %s, given.item_id, given.data, given.id
FROM ROWS FROM (unnest(%s::text[]), jsonb_array_elements(%s::jsonb), unnest(%s::uuid[])) AS given(item_id, data, id)"""  # nosec B608 - constants only
CHANGE = f"""
UPDATE {TABLE} AS there SET seen_at = %s, data = given.data FROM {GIVEN}
WHERE there.pipeline_id = %s AND there.item_id = given.item_id"""  # nosec B608 - constants only


class DatasetDestination:
    """`known_ids()` and `store_page()`, as `settings.PIPELINE_DESTINATIONS` wants them."""

    takes = frozenset({"mail", "records"})
    personal = False

    def known_ids(self, pipeline: Pipeline, ids: Iterable[str]) -> set[str]:
        return set(pipeline.rows.filter(item_id__in=list(ids)).values_list("item_id", flat=True))

    def store_page(self, run: Run, items: list[Kept]) -> StoreResult:
        """One look and one statement for each kind of change, however long the page; runs of one pipeline never overlap."""
        texts = {item.id: _text(item) for item in items}
        names, now = list(texts), timezone.now()
        with database.cursor() as cursor:
            cursor.execute(THERE, [names, _array(texts, names), run.pipeline_id])
            there = {name: (changed, seen_at) for name, changed, seen_at in cursor.fetchall()}
            new = [name for name in names if name not in there]
            changed = [name for name, (differs, _seen_at) in there.items() if differs]
            stale = [name for name, (differs, seen_at) in there.items() if not differs and seen_at < now - SEEN_TO]
            if new:
                owner_id = run.pipeline.connection.owner_id
                ids = sorted(uuid7() for _ in new)  # in the rows' order, though they are made within a millisecond
                cursor.execute(ADD, [run.pipeline_id, owner_id, now, now, new, _array(texts, new), ids])
            if changed:
                cursor.execute(CHANGE, [now, changed, _array(texts, changed), run.pipeline_id])
            if stale:
                run.pipeline.rows.filter(item_id__in=stale).update(seen_at=now)
        return StoreResult(len(new), len(changed), len(items) - len(new) - len(changed))


def _array(texts: dict[str, str], names: list[str]) -> str:
    return f"[{','.join([texts[name] for name in names])}]"


def _text(item: Kept) -> str:
    """What is kept of it as JSON."""
    return (item.text if isinstance(item, KeptRecord) else "") or json.dumps(_data(item))


def _data(item: Kept) -> dict[str, Any]:
    """Of mail the metadata that redaction left, in values that JSON knows."""
    if isinstance(item, KeptRecord):
        return item.data
    kept = {name: value for name, value in asdict(item).items() if name != "id"}
    return kept | {"received_at": DjangoJSONEncoder().default(item.received_at), "reasons": list(item.reasons),
                   "reply_references": list(item.reply_references)}  # fmt: skip


def columns(pipeline: Pipeline) -> list[str]:
    """What its rows hold: the last step's fields by name, or those of the newest records kept whole; of mail what redaction leaves."""
    last = last_map(pipeline.steps)
    if last is None:
        return ["received_at", "sender", "subject", "label", "confidence", "company", "role"]
    if list(last["fields"]) != [WHOLE]:
        return sorted(last["fields"])
    newest = pipeline.rows.order_by("-stored_at", "-id").values_list("data", flat=True)[:100]
    return list(dict.fromkeys(name for data in newest for name in cells(data)))[:MOST_COLUMNS]


def cells(data: dict[str, Any]) -> dict[str, Any]:
    """A row by column."""
    whole = data.get(WHOLE)
    return whole if len(data) == 1 and isinstance(whole, dict) else data


def lines(pipeline: Pipeline) -> Iterator[list[Any]]:
    """Every row as the cells of `columns()`, never all at once in memory."""
    names = columns(pipeline)
    for name, stored_at, data in pipeline.rows.order_by("-stored_at", "-id").values_list("item_id", "stored_at", "data").iterator(500):
        found = cells(data)
        yield [name, stored_at.isoformat(), *(_cell(found.get(column)) for column in names)]


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def require(pipeline: Pipeline, user: User, permission: str) -> None:
    """One's own, or the instance's with `permission`. Raises PermissionDenied."""
    owner_id = pipeline.connection.owner_id
    if owner_id != user.pk and not (owner_id is None and user.has_perm(permission)):
        raise PermissionDenied


def record_export(pipeline: Pipeline, *, actor: User, request: HttpRequest | None = None) -> None:
    """Raises PermissionDenied."""
    require(pipeline, actor, "operations.export_data")
    record("dataset.exported", pipeline, actor=actor, request=request, rows=pipeline.rows.count())


@transaction.atomic
def empty(pipeline: Pipeline, *, actor: User, request: HttpRequest | None = None) -> int:
    """Delete every row; how many. The next run reads from the beginning. Raises PermissionDenied."""
    require(pipeline, actor, "integrations.delete_pipeline")
    deleted, _tables = pipeline.rows.all().delete()
    record("dataset.emptied", pipeline, actor=actor, request=request, rows=deleted)
    return deleted


def keep_retention() -> int:
    """Delete what was last seen longer ago than its pipeline keeps rows, in batches; how many."""
    now, deleted = timezone.now(), 0
    for pipeline in Pipeline.objects.filter(destination=NAME).only("keep_days"):
        gone = pipeline.rows.filter(seen_at__lt=now - timedelta(days=pipeline.keep_days)).values("pk")
        while batch := DatasetRow.objects.filter(pk__in=list(gone[:BATCH].values_list("pk", flat=True))).delete()[0]:
            deleted += batch
    return deleted
