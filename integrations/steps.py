"""The declarative steps of a Transformation, as data and as what they do to one message.

`classify` asks the configured classifier; `filter` drops the labels named in `drop_labels`; `redact` reduces a
message to the metadata that may be kept. Every chain for mail begins with `classify` and ends in `redact`, so that none can
let a body through. Other chains are for records: `integrations.record_steps`.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from aaperture.lib.mime import Mail
from integrations import record_steps
from integrations.items import Item, KeptItem

LONGEST_SUBJECT = 300
LONGEST_SENDER = 320
LONGEST_NAME = 200
MOST_REFERENCES = 50
STEPS: dict[str, set[str]] = {"classify": set(), "filter": {"drop_labels"}, "redact": set()}
MAIL, RECORDS = "mail", "records"


@dataclass(frozen=True)
class Dropped:
    """A message nothing is kept of, but a count by label and reason."""

    label: str
    reason: str


Transform = Callable[[Item], KeptItem | Dropped]


def kind_of(steps: list[dict[str, Any]]) -> str:
    """What a chain is for."""
    return RECORDS if any(step["do"] in ("map", "dedupe", "normalise") or "when" in step for step in steps) else MAIL


def validate(steps: Any) -> None:
    """Raises ValueError in words for the person editing the steps."""
    if not isinstance(steps, list) or not steps:
        raise ValueError('Steps are a list of objects like {"do": "classify"}.')
    known = [*STEPS, *(name for name in record_steps.STEPS if name not in STEPS)]
    for step in steps:
        if not isinstance(step, dict) or step.get("do") not in known:
            raise ValueError(f"Every step names what to do: {', '.join(known)}.")
    if kind_of(steps) == MAIL:
        _validate_mail(steps)
    elif any(step["do"] not in record_steps.STEPS for step in steps):
        raise ValueError("A chain is for mail (classify, filter, redact) or for records (filter, dedupe, map, normalise).")
    else:
        record_steps.validate(steps)


def _validate_mail(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        if unknown := set(step) - {"do"} - STEPS[step["do"]]:
            raise ValueError(f"Unknown option: {', '.join(sorted(unknown))}.")
        labels = step.get("drop_labels", [])
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("drop_labels is a list of labels.")
    if [step["do"] for step in steps].count("classify") != 1 or steps[0]["do"] != "classify":
        raise ValueError("The first step is classify, and there is one only.")
    if steps[-1]["do"] != "redact":
        raise ValueError("The last step is redact.")


def compile_steps(steps: list[dict[str, Any]], *, only_here: bool = False) -> Transform:
    """One function for a whole chain for mail; raises ValueError for steps that make no sense.

    With `only_here` the classifier may ask nobody outside: the owner of the mail objects to it.
    """
    validate(steps)
    if kind_of(steps) != MAIL:
        raise ValueError("These steps are for records, not for mail.")
    classify = import_string(settings.PIPELINE_CLASSIFIER)
    if only_here:
        classify = partial(classify, only_here=True)
    drop = {label for step in steps if step["do"] == "filter" for label in step.get("drop_labels", [])}

    def transform(item: Item) -> KeptItem | Dropped:
        result = classify(item.mail)
        if result.label in drop:
            return Dropped(result.label, next(iter(rules_of(result.reasons)), ""))
        return redact(item, result)

    return transform


def rules_of(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The rules that spoke, without the words they matched: those are words of the mail, and none of them is kept."""
    return tuple(dict.fromkeys(printable(reason.partition(":")[0], LONGEST_NAME) for reason in reasons))


def redact(item: Item, classification: Any) -> KeptItem:
    """Only the metadata that may be kept, in lengths and characters a row can hold."""
    mail = item.mail
    return KeptItem(
        id=item.id,
        thread_id=item.thread_id,
        received_at=item.received_at,
        sender=printable(mail.sender, LONGEST_SENDER),
        subject=printable(mail.subject, LONGEST_SUBJECT),
        reply_references=references(mail),
        label=classification.label,
        confidence=classification.confidence,
        reasons=rules_of(classification.reasons),
        company=printable(classification.company, LONGEST_NAME),
        role=printable(classification.role, LONGEST_NAME),
    )


def references(mail: Mail) -> tuple[str, ...]:
    """The message ids this mail answers, its own first."""
    found = [mail.headers.get(name, "") for name in ("message-id", "in-reply-to", "references")]
    ids = dict.fromkeys(part for value in found for part in value.split() if part.startswith("<"))
    return tuple(printable(part, 255) for part in list(ids)[:MOST_REFERENCES])


def printable(text: str, longest: int) -> str:
    """One line without control characters or lone surrogates, which PostgreSQL or a page would choke on."""
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text)
    return " ".join(plain.split())[:longest]
