"""A seal whose rows do not fit: which rows, and what was done to them."""

from collections import Counter
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg

from audit.models import SealLeaves
from audit.seal import rows
from audit.seal.chain import Seal
from audit.seal.findings import Kind, Report
from audit.seal.rows import LEAF, Mark

NAMED = 20  # rows of one kind that are named one by one in a seal


class Diagnosis:
    """Looks at one seal after another; what can only be said of all of them together is said by `finish()`."""

    def __init__(self, report: Report, *, last_number: int) -> None:
        self.report = report
        self.last_number = last_number
        self.gone: dict[date, list[int]] = {}  # seals of which not one row is left
        self.missing: dict[UUID, int] = {}
        self.inserted: dict[UUID, int] = {}

    def look_at(self, connection: psycopg.Connection[Any], seal: Seal, after: Mark) -> None:
        with connection.transaction():
            connection.execute(rows.SESSION)
            lines = list(rows.read(connection, rows.query(after, seal.last)))
        if not lines and seal.count:
            self.gone.setdefault(seal.month, []).append(seal.number)
            return
        stored = SealLeaves.objects.filter(number=seal.number).values_list("leaves", flat=True).first()
        leaves = bytes(stored) if stored is not None else b""
        if sha256(leaves).digest() != seal.leaves_hash:
            self.report.find(Kind.LEAVES_EDITED, "so the rows at fault can be named only by what their columns say", seal.number)
            self._without_leaves(seal, lines)
            return
        expected = {leaves[at : at + 16]: leaves[at + 16 : at + LEAF] for at in range(0, len(leaves), LEAF)}
        self._compare(seal, expected, lines)

    def _compare(self, seal: Seal, expected: dict[bytes, bytes], lines: list[bytes]) -> None:
        found = {rows.mark_of(line).id.bytes: line for line in lines}
        missing = [UUID(bytes=key) for key in expected if key not in found]
        self.missing |= dict.fromkeys(missing, seal.number)
        for key, line in found.items():
            if key not in expected:
                self.inserted[UUID(bytes=key)] = seal.number
            elif sha256(line).digest()[:8] != expected[key]:
                self._name_edit(seal, line, expected[key])
        if seal.number == self.last_number and missing and list(expected)[-1] not in found:
            self.report.find(Kind.TAIL_CUT, "rows at the end of what is sealed are gone", seal.number)
        common = [key for key in expected if key in found]
        if common != [key for key in found if key in expected]:
            self.report.find(Kind.ROWS_REORDERED, f"{len(common)} rows stand in another order than they were sealed in", seal.number)

    def _name_edit(self, seal: Seal, line: bytes, digest: bytes) -> None:
        columns = rows.values(line)
        differing = rows.differing(columns)
        if not differing:
            kind, text = Kind.ROW_REWRITTEN, "its columns and its canonical text agree, and are not what was sealed (or `tx` was changed)"
        elif sha256(rows.with_canonical_rebuilt(line, columns)).digest()[:8] == digest:
            kind, text = Kind.CANONICAL_EDITED, "its columns are what was sealed"
        else:
            kind, text = Kind.ROW_EDITED, f"not what was sealed: {', '.join(differing)}"
        self.report.find(kind, f"row {columns['id']}: {text}", seal.number)

    def _without_leaves(self, seal: Seal, lines: list[bytes]) -> None:
        for line in lines:
            columns = rows.values(line)
            if differing := rows.differing(columns):
                self.report.find(Kind.ROW_EDITED, f"row {columns['id']}: {', '.join(differing)}", seal.number)
        count = len(lines)
        if count != seal.count:
            kind = Kind.ROW_MISSING if count < seal.count else Kind.ROW_INSERTED
            self.report.find(kind, f"{count} rows, {seal.count} were sealed", seal.number)

    def finish(self, seals_of_month: Counter[date]) -> None:
        """Moved rows, and months that are gone as a whole."""
        for row in self.missing.keys() & self.inserted.keys():
            origin, now = self.missing.pop(row), self.inserted.pop(row)
            self.report.find(Kind.ROWS_REORDERED, f"row {row} was moved to the rows of seal {now}", origin)
        self._list(Kind.ROW_MISSING, self.missing, "was sealed and is gone")
        self._list(Kind.ROW_INSERTED, self.inserted, "was not there when its neighbours were sealed")
        for month, numbers in self.gone.items():
            span = f"seals {min(numbers)}–{max(numbers)}" if len(numbers) > 1 else f"seal {numbers[0]}"
            if len(numbers) == seals_of_month[month]:
                self.report.find(Kind.MONTH_MISSING, f"{month:%Y-%m}: every sealed row is gone ({span}), and no archive has them")
            else:
                self.report.find(Kind.ROW_MISSING, f"{month:%Y-%m}: all rows of {len(numbers)} seals are gone ({span})")
            if self.last_number in numbers:
                self.report.find(Kind.TAIL_CUT, "the last rows that were sealed are gone", self.last_number)

    def _list(self, kind: Kind, found: dict[UUID, int], text: str) -> None:
        per_seal: Counter[int] = Counter()
        for row, number in found.items():
            per_seal[number] += 1
            if per_seal[number] <= NAMED:
                self.report.find(kind, f"row {row} {text}", number)
        for number, count in per_seal.items():
            if count > NAMED:
                self.report.find(kind, f"and {count - NAMED} more", number)
