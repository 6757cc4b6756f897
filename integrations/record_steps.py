"""The declarative steps for records, as data and as what they do to one of them.

`filter` keeps those for which the JMESPath expression `when` finds something; `dedupe` says what two records that are the same
have in common (`by`); `map` names the fields that go on and where each is found. Every chain ends in `map`, so that nothing is kept
that nobody named.
"""

import json
from collections.abc import Callable
from typing import Any

from integrations.expressions import MOST_OF_ONE, Budget, Expression
from integrations.items import KeptRecord, Record

STEPS: dict[str, str] = {"filter": "when", "dedupe": "by", "map": "fields"}
LONGEST_EXPRESSION = 500
LONGEST_NAME = 80
LONGEST_ID = 255
MOST_FIELDS = 50
LARGEST = 32 * 1024  # bytes of JSON that are kept of one record
FILTERED = "filtered"


class Dropped(Exception):
    """Nothing is kept of this record; `step` says which one decided, counted from 1."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"step {step}")


class TooLarge(ValueError):
    """What the fields come to is more than a row may hold."""


Step = Callable[[Record], Record]


def validate(steps: list[dict[str, Any]]) -> None:
    """Raises ValueError in words for the person editing the steps."""
    for step in steps:
        option = STEPS[step["do"]]
        if set(step) != {"do", option}:
            raise ValueError(f"{step['do']} needs {option}, and nothing else.")
        if step["do"] == "map":
            _validate_fields(step["fields"])
        else:
            _expression(step[option])
    if steps[-1]["do"] != "map":
        raise ValueError("The last step is map: only what it names is kept.")


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
    expression = _expression(step[STEPS[step["do"]]])
    if step["do"] == "dedupe":
        return lambda record: Record(_name(expression.search(record.data, Budget(MOST_OF_ONE)), record.id), record.data)

    def keep(record: Record) -> Record:
        if expression.search(record.data, Budget(MOST_OF_ONE)) in (None, False, "", [], {}):
            raise Dropped(number)
        return record

    return keep


def _mapped(fields: dict[str, Expression], data: Any) -> dict[str, Any]:
    """Raises what JMESPath raises, and TooMuch when the fields together are more than is worked out for one record."""
    budget = Budget(MOST_OF_ONE)
    found = {name: expression.search(data, budget) for name, expression in fields.items()}
    budget.weigh(found)
    return found


def _name(found: Any, otherwise: str) -> str:
    """What the record is told from others by; one in which nothing is found keeps its own name."""
    if found is None or found == "":
        return otherwise
    return (found if isinstance(found, str) else json.dumps(found, sort_keys=True))[:LONGEST_ID]


def run(steps: list[Step], record: Record) -> KeptRecord:
    """Raises Dropped, TooLarge."""
    for step in steps:
        record = step(record)
    text = json.dumps(record.data)
    if len(text) > LARGEST:
        raise TooLarge
    return KeptRecord(record.id, record.data, text)
