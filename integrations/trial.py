"""The test bench: what each step of a transformation makes of one sample. Nothing is stored, nobody outside is asked."""

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone
from django.utils.module_loading import import_string

from aaperture.lib.mime import Mail
from integrations import record_steps
from integrations.items import Item, Record
from integrations.steps import MAIL, kind_of, redact, rules_of

SAMPLE = "sample"
WENT_ON, DROPPED, FAILED = "went_on", "dropped", "failed"


@dataclass(frozen=True)
class Told:
    """What one step did, and what it was left with."""

    do: str
    outcome: str
    output: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    kept: bool
    label: str
    reasons: list[str]
    steps: list[Told]


def try_mail(steps: list[dict[str, Any]], *, sender: str, subject: str, text: str) -> Trial:
    """A mail made up for the purpose. Raises ValueError when the steps are for records."""
    if kind_of(steps) != MAIL:
        raise ValueError("These steps are for records.")
    mail = Mail(sender=sender, recipients=(), subject=subject, text=text, headers={"from": sender, "subject": subject})
    item = Item(id=SAMPLE, thread_id=SAMPLE, received_at=timezone.now(), mail=mail)
    found = partial(import_string(settings.PIPELINE_CLASSIFIER), only_here=True)(mail)
    reasons, told = list(rules_of(found.reasons)), []
    for step in steps:
        if step["do"] == "classify":
            output = {"label": found.label, "confidence": round(found.confidence, 3), "reasons": reasons}
            told.append(Told("classify", WENT_ON, output))
        elif step["do"] == "filter":
            dropped = found.label in step.get("drop_labels", [])
            told.append(Told("filter", DROPPED if dropped else WENT_ON, {}))
            if dropped:
                return Trial(False, found.label, reasons, told)
        else:
            kept = asdict(redact(item, found))
            told.append(Told("redact", WENT_ON, kept | {"received_at": DjangoJSONEncoder().default(kept["received_at"])}))
    return Trial(True, found.label, reasons, told)


def try_record(steps: list[dict[str, Any]], data: dict[str, Any]) -> Trial:
    """A JSON object made up for the purpose. Raises ValueError when the steps are for mail."""
    if kind_of(steps) == MAIL:
        raise ValueError("These steps are for mail.")
    record, told = Record(SAMPLE, data), []
    for step, compiled in zip(steps, record_steps.compile_steps(steps), strict=True):
        try:
            record = compiled(record)
        except record_steps.Dropped:
            told.append(Told(step["do"], DROPPED, {}))
            return Trial(False, record_steps.FILTERED, [], told)
        except Exception as error:  # noqa: BLE001 - the sample has another shape than the step expects: that is the answer
            told.append(Told(step["do"], FAILED, {"error": type(error).__name__}))
            return Trial(False, "", [], told)
        output = {"same_as": record.id} if step["do"] == "dedupe" else record.data if step["do"] == "map" else {}
        told.append(Told(step["do"], WENT_ON, output))
    return Trial(True, "", [], told)
