"""What steps there are and what each has to be told, as data: the console draws its forms from it.

What a step does stands in `integrations.steps` (mail) and `integrations.record_steps` (records).
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from integrations import record_steps
from integrations.steps import MAIL, RECORDS

EXPRESSION, LABELS, FIELDS, WAYS = "expression", "labels", "fields", "ways"
WAY_WORDS = {
    "text": _("one line, without spaces around it"), "lower": _("small letters"), "email": _("e-mail address"),
    "phone": _("phone number"), "number": _("number"), "date": _("day, as 2026-11-22"),
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One thing a step is told; `shape` says what it looks like."""

    name: str
    shape: str
    label: Any
    help: Any


@dataclass(frozen=True)
class StepKind:
    """A kind of step of one kind of chain. A `fixed` one stands at its end of every chain and cannot be left out."""

    chain: str
    do: str
    title: Any
    help: Any
    options: tuple[Option, ...] = ()
    fixed: bool = False


KINDS = (
    StepKind(
        MAIL, "classify", _("Recognise"),
        _("Finds out what each mail is about, by rules on this server. It comes first."), fixed=True,
    ),
    StepKind(
        MAIL, "filter", _("Leave out"), _("Drops mail of the kinds you tick. Of what is dropped only a count is kept."),
        (Option("drop_labels", LABELS, _("Kinds to leave out"), _("Everything that is not ticked goes on.")),),
    ),
    StepKind(
        MAIL, "redact", _("Keep the essentials"),
        _("Keeps sender, subject, dates and what was recognised. The text of a mail is never kept, so this comes last."), fixed=True,
    ),
    StepKind(
        RECORDS, "filter", _("Keep only some"),
        _("A record goes on when what you write here finds something in it; otherwise it is dropped."),
        (Option("when", EXPRESSION, _("Go on when"), _("JMESPath, such as open, or price > `100`.")),),
    ),
    StepKind(
        RECORDS, "dedupe", _("Recognise the same again"),
        _("Two records in which this finds the same thing count as one: the last one is kept. Without it the source’s own id counts."),
        (Option("by", EXPRESSION, _("They are the same when they share"), _("JMESPath, such as reference, or [title, date].")),),
    ),
    StepKind(
        RECORDS, "map", _("Choose what is kept"),
        _("Only the fields you name here are kept, each with what is found at its place. Nothing but “Write in one way” comes after it."),
        (
            Option(
                "fields", FIELDS, _("Fields"),
                _(
                    "On the left what you call it, on the right where it is found: JMESPath, such as place.town. "
                    'A heading with spaces, hyphens or accents stands in quotation marks, such as "E-mail". Empty rows do not count.'
                ),
            ),
        ),
    ),
    StepKind(
        RECORDS, "normalise", _("Write in one way"),
        _("Sources write the same in many ways; this writes it in one, before or after the choice. What does not fit becomes nothing."),
        (Option("fields", WAYS, _("Fields"), _("On the left the field, on the right how it is to be written. Empty rows do not count.")),),
    ),
)  # fmt: skip
BY_NAME = {(kind.chain, kind.do): kind for kind in KINDS}
LONGEST = {EXPRESSION: record_steps.LONGEST_EXPRESSION, FIELDS: record_steps.LONGEST_NAME}


def to_begin_with(chain: str) -> list[dict[str, Any]]:
    """The steps that a new chain of this kind shows."""
    if chain == MAIL:
        return [{"do": "classify"}, {"do": "filter", "drop_labels": ["not_relevant"]}, {"do": "redact"}]
    return [{"do": "map", "fields": {}}]


def lines(chain: str, steps: list[dict[str, Any]]) -> list[str]:
    """The steps in words, a line for each thing that can be said of them: to be read, and to be compared."""
    from integrations.wording import LABELS as LABEL_WORDS

    found: list[str] = []
    for number, step in enumerate(steps, 1):
        kind = BY_NAME[chain, step["do"]]
        found.append(f"{number}. {kind.title}")
        for option in kind.options:
            value = step.get(option.name)
            if option.shape == FIELDS:
                found += [f"    {name} ← {place}" for name, place in sorted((value or {}).items())]
            elif option.shape == WAYS:
                found += [f"    {name}: {WAY_WORDS.get(way, way)}" for name, way in sorted((value or {}).items())]
            elif option.shape == LABELS:
                found += [f"    {LABEL_WORDS.get(label, label)}" for label in sorted(value or [])]
            else:
                found.append(f"    {option.label}: {value}")
    return found
