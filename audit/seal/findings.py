"""What a verification may find, by name."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    ROW_EDITED = "row edited"
    CANONICAL_EDITED = "canonical text edited"
    ROW_REWRITTEN = "row and canonical text rewritten"
    ROW_DISCORDANT = "row differed from its canonical text when it was sealed"
    ROW_MISSING = "row missing"
    ROW_INSERTED = "row inserted"
    ROWS_REORDERED = "rows reordered"
    TAIL_CUT = "tail cut"
    MONTH_MISSING = "month missing"
    TABLE_MISSING = "table missing"
    TABLE_ALTERED = "table altered"
    SEAL_EDITED = "seal edited"
    SEAL_MISSING = "seal missing"
    SEAL_FORGED = "seal forged"
    LEAVES_EDITED = "row list of a seal edited"
    HEAD_REPLACED = "head replaced"
    HEADS_ALTERED = "heads outside altered"
    HEADS_UNREADABLE = "heads outside cannot be read"
    HEADS_LATE = "heads outside late"
    SEALING_LATE = "sealing late"
    ARCHIVE_FORGED = "archive record forged"
    ARCHIVE_ALTERED = "archive altered"
    ARCHIVE_MISSING = "archive missing"


@dataclass(frozen=True)
class Finding:
    kind: Kind
    text: str
    number: int | None = None  # of the seal

    def __str__(self) -> str:
        where = f"seal {self.number}: " if self.number is not None else ""
        return f"{self.kind.upper()}: {where}{self.text}"


@dataclass
class Report:
    """What was verified, and what was found."""

    rows: int = 0
    seals: int = 0
    first_seal: int | None = None
    last_seal: int | None = None
    epochs: set[int] = field(default_factory=set)
    keys: Counter[str] = field(default_factory=Counter)  # seals by key id
    unsealed: int = 0
    archived: dict[str, int] = field(default_factory=dict)  # month: rows
    anchored: dict[str, tuple[int, int]] = field(default_factory=dict)  # place: first and last seal whose head it has
    restores: list[str] = field(default_factory=list)  # what a restore from a backup gave up, as the places outside say
    findings: list[Finding] = field(default_factory=list)

    def find(self, kind: Kind, text: str, number: int | None = None) -> None:
        self.findings.append(Finding(kind, text, number))

    @property
    def is_intact(self) -> bool:
        return not self.findings

    @property
    def anchored_until(self) -> int:
        return max((last for _first, last in self.anchored.values()), default=0)
