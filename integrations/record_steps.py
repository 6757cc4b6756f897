"""The declarative steps for records, as data and as what they do to one of them.

`filter` keeps those for which the JMESPath expression `when` finds something; `dedupe` says what two records that are the same
have in common (`by`); `map` names the fields that go on and where each is found; `normalise` writes fields in one way each. Every chain
ends in `map`, after which only `normalise` may follow, so that nothing is kept that nobody named.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from integrations.expressions import SECONDS_OF_ONE, Budget, Expression, TooSlow
from integrations.items import KeptRecord, Record
from integrations.normalising import WAYS

STEPS: dict[str, str] = {"filter": "when", "dedupe": "by", "map": "fields", "normalise": "fields"}
LONGEST_EXPRESSION = 500
LONGEST_NAME = 80
LONGEST_ID = 255
MOST_FIELDS = 50
LARGEST = 32 * 1024  # bytes of JSON that are kept of one record
FILTERED = "filtered"
STRICT = json.JSONEncoder(allow_nan=False)  # made once: this is done to every record
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as JSON writes it, and not somebody who writes about it


class Dropped(Exception):
    """Nothing is kept of this record; `step` says which one decided, counted from 1."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"step {step}")


class TooLarge(ValueError):
    """What the fields come to is more than a row may hold."""


class NotStorable(ValueError):
    """Something that no column holds: NUL, half a character, a number without end."""


Step = Callable[[Record], Record]


def validate(steps: list[dict[str, Any]]) -> None:
    """Raises ValueError in words for the person editing the steps."""
    for step in steps:
        option = STEPS[step["do"]]
        if set(step) != {"do", option}:
            raise ValueError(f"{step['do']} needs {option}, and nothing else.")
        if step["do"] == "map":
            _validate_fields(step["fields"])
        elif step["do"] == "normalise":
            _validate_ways(step["fields"])
        else:
            _expression(step[option])
    after_map = [step["do"] for step in steps][::-1]
    while after_map and after_map[0] == "normalise":
        after_map.pop(0)
    if after_map[:1] != ["map"]:
        raise ValueError("The last step is map, but for normalise: only what it names is kept.")


def last_map(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The step that says which fields are kept."""
    return next((step for step in reversed(steps) if step["do"] == "map"), None)


def _validate_ways(fields: Any) -> None:
    if not isinstance(fields, dict) or not 0 < len(fields) <= MOST_FIELDS:
        raise ValueError(f"fields names up to {MOST_FIELDS} fields and how each is written.")
    for name, way in fields.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or way not in WAYS:
            raise ValueError(f"A field is written as one of {', '.join(WAYS)}.")


def _validate_fields(fields: Any) -> None:
    if not isinstance(fields, dict) or not 0 < len(fields) <= MOST_FIELDS:
        raise ValueError(f"fields names up to {MOST_FIELDS} fields and where each is found.")
    for name, expression in fields.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise ValueError(f"The name of a field has up to {LONGEST_NAME} plain characters.")
        _expression(expression)


def _expression(text: Any) -> Expression:
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_EXPRESSION:
        raise ValueError(f"A JMESPath expression has up to {LONGEST_EXPRESSION} characters.")
    try:
        return Expression(text)
    except ValueError:
        raise ValueError(f"This is no JMESPath expression: {text[:80]}") from None


def compile_steps(steps: list[dict[str, Any]]) -> list[Step]:
    """One function for each step; they raise Dropped, or what JMESPath raises over a record of another shape."""
    return [_compiled(number, step) for number, step in enumerate(steps, 1)]


def _compiled(number: int, step: dict[str, Any]) -> Step:
    if step["do"] == "map":
        fields = {name: _expression(text) for name, text in step["fields"].items()}
        return lambda record: Record(record.id, _mapped(fields, record.data))
    if step["do"] == "normalise":
        ways = {name: WAYS[way] for name, way in step["fields"].items()}
        return lambda record: Record(record.id, _normalised(ways, record.data))
    expression = _expression(step[STEPS[step["do"]]])
    if step["do"] == "dedupe":
        return lambda record: Record(_name(expression.search(record.data, Budget.of_one()), record.id), record.data)

    def keep(record: Record) -> Record:
        if expression.search(record.data, Budget.of_one()) in (None, False, "", [], {}):
            raise Dropped(number)
        return record

    return keep


def _mapped(fields: dict[str, Expression], data: Any) -> dict[str, Any]:
    """Raises what JMESPath raises, and TooMuch when the fields together are more than is worked out for one record."""
    budget = Budget.of_one()
    found = {name: expression.search(data, budget) for name, expression in fields.items()}
    budget.weigh(found)
    return found


def _normalised(ways: dict[str, Callable[[Any], Any]], data: dict[str, Any]) -> dict[str, Any]:
    """The same fields; one that is not there stays away."""
    return data | {name: way(data[name]) for name, way in ways.items() if name in data}


def _name(found: Any, otherwise: str) -> str:
    """What the record is told from others by; one in which nothing is found keeps its own name."""
    if found is None or found == "":
        return otherwise
    return (found if isinstance(found, str) else json.dumps(found, sort_keys=True))[:LONGEST_ID]


def run(steps: list[Step], record: Record) -> KeptRecord:
    """Raises Dropped, TooLarge, NotStorable, TooSlow."""
    until = time.thread_time() + SECONDS_OF_ONE  # for all steps together; the last of them may take as long again
    for step in steps:
        record = step(record)
        if time.thread_time() > until:
            raise TooSlow
    return KeptRecord(record.id, record.data, written(record.data))


def written(data: dict[str, Any]) -> str:
    """What is kept, as JSON. Raises TooLarge, NotStorable."""
    try:
        text = STRICT.encode(data)
        if "\\ud" in text:  # the first half of a character, or a letter of some scripts
            json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise NotStorable from None
    if "\\u0000" in text and NUL.search(text):
        raise NotStorable
    if len(text) > LARGEST:
        raise TooLarge
    return text
