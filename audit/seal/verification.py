"""Checking the log: the chain of seals, their rows, and the heads outside. Streams, and finds more than the first fault."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from psycopg import sql

from audit.models import Activity, AuditArchive, AuditSeal
from audit.seal import archive_records, archives, chain, rows, tables
from audit.seal.chain import Seal
from audit.seal.diagnosis import Diagnosis
from audit.seal.findings import Kind, Report
from audit.seal.online import Hasher, Place, connect
from audit.seal.outside import Outside
from audit.seal.rows import BEGINNING, Mark

LATE = timedelta(minutes=5)
TABLES = (Activity._meta.db_table, AuditSeal._meta.db_table, AuditArchive._meta.db_table)
Progress = Callable[[int, int], None]


def verify(
    *,
    first: int | None = None,
    last: int | None = None,
    heads: Iterable[str] = (),
    public_keys: Iterable[bytes] = (),
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Verify the seals from number `first` to `last` and their rows; `public_keys` instead of the ring's own."""
    report = Report()
    if _tables_are_missing(report):
        return report
    tables.check(report)
    trusted = frozenset(public_keys) or chain.trusted_keys()
    verifier = _Verifier(report, trusted, [Outside(address, trusted, report) for address in heads])
    verifier.run(first, last, progress)
    return report


def _tables_are_missing(report: Report) -> bool:
    for table in TABLES:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NULL", [f"public.{table}"])
            if cursor.fetchone()[0]:
                report.find(Kind.TABLE_MISSING, table)
    return bool(report.findings)


class _Verifier:
    def __init__(self, report: Report, trusted: frozenset[bytes], outside: list[Outside]) -> None:
        self.report, self.trusted, self.outside = report, trusted, outside
        self.previous: Seal | None = None
        self.unvouched: dict[bytes, list[int]] = {}  # key: first and last seal under it since the last one of a trusted key
        self.vouched_keys: set[bytes] = set(trusted)
        self.seals_of_month: Counter[date] = Counter()
        self.archived = archive_records.Archived()
        self.emptied: list[Place] = []  # archived seals that follow on each other

    def run(self, first: int | None, last: int | None, progress: Progress) -> None:
        seals = AuditSeal.objects.order_by("number")
        if last is not None:
            seals = seals.filter(number__lte=last)
        if first is not None:
            before = AuditSeal.objects.filter(number__lt=first).order_by("-number").first()
            self.previous = Seal.of(before) if before else None
            seals = seals.filter(number__gte=first)
        total = seals.aggregate(rows=Sum("count"))["rows"] or 0
        done = 0

        def count(hashed: int) -> None:
            nonlocal done
            done += hashed
            progress(done, total)

        with Hasher(count) as hasher, connect() as own:
            for row in seals.iterator(chunk_size=500):
                self._take(Seal.of(row), hasher, own, is_first=first is not None)
            self._flush_emptied(own)
            bad = hasher.finish()
            self._diagnose(own, bad)
            if last is None:
                self._end(own)
        progress(total, total)
        self._conclude(is_whole=first is None and last is None)

    def _take(self, seal: Seal, hasher: Hasher, own: psycopg.Connection[Any], *, is_first: bool) -> None:
        follows = self._check_link(seal, is_first=is_first and self.report.seals == 0)
        self._check_signature(seal)
        for place in self.outside:
            place.compare(seal)
        self._count(seal)
        after = (self.previous.last if self.previous else BEGINNING) if follows else _just_before(seal.first)
        if self.archived.holds(seal):
            self.emptied.append(Place(seal, after))
            if len(self.emptied) >= 1_000:
                self._flush_emptied(own)
        else:
            self._flush_emptied(own)
            self.report.rows += seal.count
            hasher.add(Place(seal, after))
        self.previous = seal

    def _count(self, seal: Seal) -> None:
        report = self.report
        report.first_seal = report.first_seal or seal.number
        report.last_seal = seal.number
        report.seals += 1
        report.epochs.add(seal.epoch)
        report.keys[chain.key_id(seal.public_key)] += 1
        self.seals_of_month[seal.month] += 1
        if seal.discordant:
            report.find(Kind.ROW_DISCORDANT, f"{seal.discordant} rows", seal.number)

    def _check_link(self, seal: Seal, *, is_first: bool) -> bool:
        """Whether the rows of this seal begin where those of the one before end."""
        previous = self.previous
        expected = previous.number + 1 if previous else 1
        if seal.number != expected and not (is_first and previous is None):
            span = f"seals {expected}–{seal.number - 1} are" if seal.number - expected > 1 else f"seal {expected} is"
            self.report.find(Kind.SEAL_MISSING, f"{span} gone")
            return False
        if seal.previous_head != (previous.head if previous else chain.FIRST_HEAD):
            number = previous.number if previous else None
            self.report.find(Kind.HEAD_REPLACED, f"seal {seal.number} was chained to another head than this one", number)
        if previous is not None and not previous.last < seal.first <= seal.last:
            self.report.find(Kind.SEAL_EDITED, "its range does not follow on the one before", seal.number)
            return False
        return True

    def _check_signature(self, seal: Seal) -> None:
        if seal.head != seal.computed_head():
            self.report.find(Kind.SEAL_EDITED, "what it says is not what its head was computed over", seal.number)
        if not chain.is_signed(seal.public_key, chain.HEAD_PREFIX, seal.head, seal.proof):
            self.report.find(Kind.SEAL_FORGED, "its signature does not fit", seal.number)
        if seal.doubt:
            self.report.find(Kind.SEAL_FORGED, "was not the sealer's own when the next seal was made", seal.number - 1)
            self._name_unvouched()
        if seal.public_key not in self.trusted:
            span = self.unvouched.setdefault(seal.public_key, [seal.number, seal.number])
            span[1] = seal.number
        elif self.unvouched:  # a key of the ring signed on top of them: older keys of ours, since retired
            self.vouched_keys |= self.unvouched.keys()
            self.unvouched.clear()

    def _name_unvouched(self) -> None:
        for key, (first, last) in self.unvouched.items():
            self.report.find(Kind.SEAL_FORGED, f"seals {first}–{last} are signed by {chain.key_id(key)}, which is not our key", first)
        self.unvouched.clear()

    def _flush_emptied(self, own: psycopg.Connection[Any]) -> None:
        """Rows of an archived month are gone; any that stand there all the same were put there."""
        if not self.emptied:
            return
        for line in _lines(own, self.emptied[0].after, self.emptied[-1].seal.last):
            mark = rows.mark_of(line)
            number = next(place.seal.number for place in self.emptied if mark <= place.seal.last)
            self.report.find(Kind.ROW_INSERTED, f"row {mark.id} stands where only archived rows were", number)
        self.emptied.clear()

    def _diagnose(self, own: psycopg.Connection[Any], bad: list[Place]) -> None:
        diagnosis = Diagnosis(self.report, last_number=self.previous.number if self.previous else 0)
        self.archived = archive_records.Archived()  # a month may have gone meanwhile
        for place in bad:
            if not self.archived.holds(place.seal):
                diagnosis.look_at(own, place.seal, place.after)
        diagnosis.finish(self.seals_of_month)

    def _end(self, own: psycopg.Connection[Any]) -> None:
        """What comes after the last seal: not sealed yet, so not protected, and it should be there for seconds only."""
        last = self.previous.last if self.previous else BEGINNING
        late = timezone.now() - LATE
        with own.transaction():
            future = own.execute(f"SELECT {rows.NEXT}").fetchone()
        late_rows = 0
        for line in _lines(own, last, None):
            columns = rows.values(line)
            self.report.unsealed += 1
            if future is not None and columns["tx"] > future[0] + 1_000_000:
                self.report.find(Kind.ROW_INSERTED, f"row {columns['id']} has a transaction number that was never given")
            elif columns["recorded_at"] < f"{late:%Y-%m-%d %H:%M:%S}":
                late_rows += 1
            if differing := rows.differing(columns):
                self.report.find(Kind.ROW_EDITED, f"row {columns['id']}, not sealed yet: {', '.join(differing)}")
        if late_rows:
            self.report.find(
                Kind.SEALING_LATE,
                f"{late_rows} rows older than {LATE.seconds // 60} minutes are not sealed: no sealer runs, or seals were cut off",
            )
        for place in self.outside:
            place.check_end(self.previous.number if self.previous else 0)

    def _conclude(self, *, is_whole: bool) -> None:
        self._name_unvouched()
        for place in self.outside:
            place.check_restores(self.vouched_keys)
            if place.first:
                self.report.anchored[place.address] = (place.first, min(place.last, self.report.last_seal or 0))
        self.archived.check(self.report, self.vouched_keys, is_whole=is_whole)
        if is_whole:
            archives.check_there(self.archived.records.values(), self.report)


def _just_before(mark: Mark) -> Mark:
    return Mark(mark.tx, UUID(int=mark.id.int - 1)) if mark.id.int else Mark(mark.tx - 1, UUID(int=2**128 - 1))


def _lines(own: psycopg.Connection[Any], after: Mark, until: Mark | None) -> Iterator[bytes]:
    statement: sql.Composed = rows.query(after, until)
    with own.transaction():
        own.execute(rows.SESSION)
        yield from rows.read(own, statement)
