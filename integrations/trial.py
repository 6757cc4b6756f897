"""The test bench: what each step of a transformation makes of one sample. Nothing is stored, nobody outside is asked."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.module_loading import import_string
from jmespath.exceptions import JMESPathError

from aaperture.lib.mime import Mail
from integrations import record_steps
from integrations.expressions import Budget, Expression
from integrations.items import Item, Record
from integrations.steps import MAIL, kind_of, redact, rules_of

SAMPLE = "sample"
HALF, MISSING = re.compile("[\ud800-\udfff]"), "\ufffd"
WENT_ON, DROPPED, FAILED = "went_on", "dropped", "failed"


@dataclass(frozen=True)
class Told:
    """What one step did, and what it was left with."""

    do: str
    outcome: str
    output: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """`name` tells what would be kept from others: two of one name are one."""

    kept: bool
    label: str
    reasons: list[str]
    steps: list[Told]
    name: str = SAMPLE


def try_mail(steps: list[dict[str, Any]], *, sender: str, subject: str, text: str) -> Trial:
    """A mail made up for the purpose. Raises ValueError when the steps are for records."""
    mail = Mail(sender=sender, recipients=(), subject=subject, text=text, headers={"from": sender, "subject": subject})
    return try_item(steps, Item(id=SAMPLE, thread_id=SAMPLE, received_at=timezone.now(), mail=mail))


def try_item(steps: list[dict[str, Any]], item: Item) -> Trial:
    """One mail. Raises ValueError when the steps are for records."""
    if kind_of(steps) != MAIL:
        raise ValueError("These steps are for records.")
    found = partial(import_string(settings.PIPELINE_CLASSIFIER), only_here=True)(item.mail)
    reasons, told = list(rules_of(found.reasons)), []
    for step in steps:
        if step["do"] == "classify":
            output = {"label": found.label, "confidence": round(found.confidence, 3), "reasons": reasons}
            told.append(Told("classify", WENT_ON, output))
        elif step["do"] == "filter":
            dropped = found.label in step.get("drop_labels", [])
            told.append(Told("filter", DROPPED if dropped else WENT_ON, {"label": found.label}))
            if dropped:
                return Trial(False, found.label, reasons, told, item.id)
        else:
            kept = asdict(redact(item, found))
            told.append(Told("redact", WENT_ON, kept | {"received_at": DjangoJSONEncoder().default(kept["received_at"])}))
    return Trial(True, found.label, reasons, told, item.id)


def try_record(steps: list[dict[str, Any]], data: dict[str, Any], *, name: str = SAMPLE) -> Trial:
    """A JSON object made up for the purpose. Raises ValueError when the steps are for mail."""
    if kind_of(steps) == MAIL:
        raise ValueError("These steps are for mail.")
    record, told = Record(name, data), []
    for step, compiled in zip(steps, record_steps.compile_steps(steps), strict=True):
        before = record
        try:
            record = compiled(record)
            seen = writable(_seen(step, before, record))
        except record_steps.Dropped:
            told.append(Told(step["do"], DROPPED, writable(_seen(step, before, record))))
            return Trial(False, record_steps.FILTERED, [], told, record.id)
        except Exception as error:  # noqa: BLE001 - the sample has another shape than the step expects: that is the answer
            told.append(Told(step["do"], FAILED, {"error": _fault(error)}))
            return Trial(False, "", [], told, record.id)
        told.append(Told(step["do"], WENT_ON, seen))
    try:
        record_steps.written(record.data)
    except ValueError as error:
        return Trial(False, "", [], [*told[:-1], Told(told[-1].do, FAILED, {"error": _fault(error)})], record.id)
    return Trial(True, "", [], told, record.id)


def writable(value: Any) -> Any:
    """What a page or an answer can hold of it: a character that is missing for half of one, a word for a number without end."""
    return json.loads(HALF.sub(MISSING, json.dumps(value, ensure_ascii=False, default=str)), parse_constant=str)


def _seen(step: dict[str, Any], before: Record, after: Record) -> dict[str, Any]:
    """What a step found, or what it left."""
    if step["do"] == "filter":
        return {"found": Expression(step["when"]).search(before.data, Budget.of_one())}
    return {"same_as": after.id} if step["do"] == "dedupe" else after.data


def _fault(error: Exception) -> str:
    """The kind of fault, and of JMESPath's own its words, which name types and functions; others may hold what was read."""
    words = str(error).splitlines()[0] if isinstance(error, JMESPathError) and str(error) else ""
    return f"{type(error).__name__}: {HALF.sub(MISSING, words[:200])}" if words else type(error).__name__


def overtaken(trials: Sequence[Trial]) -> dict[int, int]:
    """Of several tried together, in their order: those that would be kept but for a later one that is the same, and which that is."""
    last = {one.name: n for n, one in enumerate(trials) if one.kept}
    return {n: last[one.name] for n, one in enumerate(trials) if one.kept and last[one.name] != n}
