"""What every stored field is, what it is for and how long it stays: data_classification.yaml, read and checked."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from django.apps import apps

SOURCE = Path(__file__).with_suffix(".yaml")

# class: (the level of the security policy, how it is protected)
CLASSES = {
    "public": ("PUBLIC", "may be shown to anybody"),
    "internal": ("LOW", "shown to its owner and to staff whose role allows it; says nothing about a person by itself"),
    "personal": (
        "MEDIUM",
        "shown to its owner, and to staff only where the matrix says so; never in logs; in exports; goes with the account",
    ),
    "sensitive": ("HIGH", "sealed with AES-256-GCM under the person's key; shown to its owner; in exports where it can be opened"),
    "secret": (
        "CRITICAL",
        "hashed one way, or sealed with AES-256-GCM; never shown again, never in logs, errors, exports or the activity log",
    ),
}

RETENTIONS = {
    "account": "until its owner deletes it, or 30 days after they ask for the account's erasure",
    "studio": "until it is deleted, or with the last account that belongs to the studio",
    "document": "until it is deleted while a draft; once issued, as long as the law asks (invoices and payments: ten years)",
    "session": "12 hours for browsers, 7 days for the API; ended ones 30 days more at most",
    "export": "24 hours after it was built",
    "activity": "AUDIT_ONLINE_DAYS in the database and AUDIT_ARCHIVE_DAYS in the archive",
    "evidence": "as long as the instance: it proves what was there",
    "log": "90 days, the newest of each pipeline longer",
    "maintenance": "a year",
    "record": "as long as the instance: it shows that an obligation was met",
    "envelope": "18 months after it came, unless it still waits to be applied",
    "keys": "as long as anything they seal; a person's is destroyed at erasure",
    "instance": "as long as the instance",
    "unused": "nothing is written",
}


class Field(NamedTuple):
    name: str
    level: str
    purpose: str


class Table(NamedTuple):
    """One model: what it is, how long its rows stay, its fields in order."""

    label: str
    about: str
    retention: str
    fields: dict[str, Field]


@cache
def tables() -> dict[str, Table]:
    """By model label. Raises ValueError for a line that is not of the form "class, purpose"."""
    source: dict[str, dict[str, str]] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return {label: _table(label, dict(lines)) for label, lines in source.items()}


def _table(label: str, lines: dict[str, str]) -> Table:
    retention, about = _split(label, lines.pop("_", ""), RETENTIONS)
    fields = {name: Field(name, *_split(f"{label}.{name}", str(text), CLASSES)) for name, text in lines.items()}
    return Table(label, about, retention, fields)


def _split(where: str, text: str, known: dict[str, Any]) -> tuple[str, str]:
    word, _comma, rest = text.partition(", ")
    if word not in known or not rest:
        raise ValueError(f"{where}: {text!r} is not one of {', '.join(known)}, and a purpose")
    return word, rest


def stored_fields() -> Iterator[tuple[str, str]]:
    """(model label, field name) of everything that has a column of its own, auto-made tables and other people's apps included."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            yield from ((model._meta.label, field.name) for field in model._meta.local_fields)
            yield from ((model._meta.label, field.name) for field in model._meta.local_many_to_many)


def faults() -> list[str]:
    """Fields without an entry, and entries without a field."""
    stored = set(stored_fields())
    known = {(table.label, field) for table in tables().values() for field in table.fields}
    missing = [f"{label}.{field} has no class and purpose" for label, field in sorted(stored - known)]
    return missing + [f"{label}.{field} is classified, but there is no such field" for label, field in sorted(known - stored)]


def document() -> str:
    """docs/security/data_classification.md."""
    return "\n".join([*_introduction(), *(line for table in tables().values() for line in _section(table))]).rstrip() + "\n"


def _introduction() -> Iterator[str]:
    yield from ["# Data classification", ""]
    yield "Made by `manage.py data_classification` from `operations/data_classification.yaml`; a test fails for a field that it lacks."
    yield from ["", "| class | level | protection | fields |", "| --- | --- | --- | --- |"]
    levels = [field.level for table in tables().values() for field in table.fields.values()]
    yield from (f"| {name} | {level} | {rule} | {levels.count(name)} |" for name, (level, rule) in CLASSES.items())
    yield from ["", "| kept | how long |", "| --- | --- |"]
    yield from (f"| {word} | {text} |" for word, text in RETENTIONS.items())
    yield ""


def _section(table: Table) -> Iterator[str]:
    yield from [f"## {table.label}", "", f"{table.about}. Kept: {table.retention}.", ""]
    yield from ["| field | class | purpose |", "| --- | --- | --- |"]
    yield from (f"| `{field.name}` | {field.level} | {field.purpose} |" for field in table.fields.values())
    yield ""
