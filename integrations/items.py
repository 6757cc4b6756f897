"""What travels from a connector through the engine to a destination. Bodies exist in `Item` only, in memory."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aaperture.lib.mime import Mail


@dataclass(frozen=True)
class Item:
    """One message as the provider gave it."""

    id: str
    thread_id: str
    received_at: datetime
    mail: Mail

    def __repr__(self) -> str:
        """Only the id: a repr ends up in tracebacks, and a mail has no business there."""
        return f"<Item {self.id}>"


@dataclass(frozen=True)
class KeptItem:
    """What is kept of a relevant message: never a body."""

    id: str
    thread_id: str
    received_at: datetime
    sender: str
    subject: str
    reply_references: tuple[str, ...]
    label: str
    confidence: float
    reasons: tuple[str, ...]
    company: str
    role: str

    def __repr__(self) -> str:
        return f"<KeptItem {self.id} {self.label}>"


@dataclass(frozen=True)
class Record:
    """One JSON object as the provider gave it."""

    id: str
    data: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Record {self.id}>"


@dataclass(frozen=True)
class KeptRecord:
    """What is kept of a record: the fields that the transformation names, and no others; `text` is them as JSON."""

    id: str
    data: dict[str, Any]
    text: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return f"<KeptRecord {self.id}>"


Kept = KeptItem | KeptRecord


@dataclass(frozen=True)
class StoreResult:
    """What the destination did with a page; `duplicates` were there already, of the `unusable` it could make nothing."""

    created: int = 0
    updated: int = 0
    duplicates: int = 0
    unusable: int = 0

    def __add__(self, other: "StoreResult") -> "StoreResult":
        return StoreResult(
            self.created + other.created, self.updated + other.updated, self.duplicates + other.duplicates, self.unusable + other.unusable
        )
