"""A month of the log outside the database: rows and seals compressed, and a signed manifest, each written as a stream.

`YYYY-MM/rows.copy.gz` holds the lines that were sealed, in their order (PostgreSQL's COPY reads them), `seals.jsonl.gz` the
month's seals and the leaves of each, `manifest.json` their hashes, signed. The manifest is written last: without one, there is
no archive.
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import IO, Any

from django.conf import settings
from django.utils import timezone

from audit.models import AuditArchive, AuditSeal, SealLeaves
from audit.seal import chain, rows
from audit.seal.chain import Seal
from audit.seal.findings import Kind, Report
from audit.seal.online import connect
from audit.seal.places import FAILURES, Place, place
from audit.seal.rows import BEGINNING

ROWS, SEALS, MANIFEST = "rows.copy.gz", "seals.jsonl.gz", "manifest.json"
LEVEL = 4
Progress = Callable[[int, int], None]


class NotWhatWasSealed(Exception):
    """The month's rows in the log do not fit their seals: nothing is archived, so nothing is dropped."""


def archive_place() -> Place | None:
    return place(settings.AUDIT_ARCHIVE) if settings.AUDIT_ARCHIVE else None


def name_of(month: date) -> str:
    return f"{month:%Y-%m}"


class _Hashed:
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: Any) -> int:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """gzip asks for it at its end; the place flushes when it is whole."""

    def facts(self) -> dict[str, Any]:
        return {"sha256": self.digest.hexdigest(), "size": self.size}


@contextmanager
def _compressed(where: Place, name: str) -> Iterator[tuple[gzip.GzipFile, _Hashed]]:
    with where.writing(name) as file:
        hashed = _Hashed(file)
        with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=hashed, mtime=0) as packed:
            yield packed, hashed


def write(month: date, where: Place, *, now: datetime) -> tuple[dict[str, Any], bytes]:
    """Write a month's archive, each seal checked while it streams; returns the manifest and its hash. Raises NotWhatWasSealed."""
    name, counts = name_of(month), {"rows": 0, "seals": 0, "last_seal": 0}
    with _compressed(where, f"{name}/{ROWS}") as (lines, row_file), _compressed(where, f"{name}/{SEALS}") as (seals, seal_file):
        for seal, leaves in _write_rows(month, lines):
            seals.write(f"{json.dumps({**seal.published(), 'row_list': leaves.hex()}, separators=(',', ':'))}\n".encode())
            counts = {"rows": counts["rows"] + seal.count, "seals": counts["seals"] + 1, "last_seal": seal.number}
    key = chain.current_key()
    said = {
        **counts,
        "columns": list(rows.COLUMNS),
        "files": {ROWS: row_file.facts(), SEALS: seal_file.facts()},
        "made_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "month": name,
        "public_key": chain.public_bytes(key).hex(),
        "v": 1,
    }
    digest = sha256(chain.as_text(said).encode()).digest()
    with where.writing(f"{name}/{MANIFEST}") as file:
        file.write(json.dumps({**said, "proof": chain.sign(key, chain.PAPER_PREFIX, digest).hex()}, indent=1).encode())
    return said, digest


def _write_rows(month: date, packed: gzip.GzipFile) -> Iterator[tuple[Seal, bytes]]:
    """Rows of one seal after another into `packed`; yields each seal that was written, with its leaves."""
    with connect() as own:
        for row in AuditSeal.objects.filter(month=month).order_by("number").iterator(chunk_size=500):
            seal = Seal.of(row)
            before = AuditSeal.objects.filter(number=seal.number - 1).values_list("to_tx", "to_id").first()
            after = rows.Mark(*before) if before else BEGINNING
            digest, count = sha256(), 0
            with own.transaction():
                own.execute(rows.SESSION)
                for line in rows.read(own, rows.query(after, seal.last)):
                    digest.update(line)
                    packed.write(line)
                    count += 1
            if digest.digest() != seal.rows_hash or count != seal.count:
                raise NotWhatWasSealed(f"seal {seal.number}")
            stored = SealLeaves.objects.filter(number=seal.number).values_list("leaves", flat=True).first()
            yield seal, bytes(stored or b"")


# --- reading -----------------------------------------------------------------------------------------------------------


def manifest(where: Place, name: str) -> dict[str, Any]:
    """The manifest of an archive. Raises FileNotFoundError, ValueError."""
    with where.reading(f"{name}/{MANIFEST}") as file:
        said = json.loads(file.read())
    if not isinstance(said, dict):
        raise ValueError(name)
    return said


def manifest_digest(said: dict[str, Any]) -> bytes:
    return sha256(chain.as_text({key: value for key, value in said.items() if key != "proof"}).encode()).digest()


def lines(where: Place, name: str) -> Iterator[bytes]:
    """The sealed lines of an archived month, one at a time."""
    with where.reading(f"{name}/{ROWS}") as file, gzip.GzipFile(fileobj=file) as unpacked:
        yield from unpacked


def verify(address: str, *, public_keys: Iterable[bytes] = (), progress: Progress = lambda _done, _total: None) -> Report:
    """Verify one archived month by itself; `address` is its folder, or s3://bucket/prefix/YYYY-MM."""
    base, _, name = address.rstrip("/").rpartition("/")
    return verify_in(place(base or "."), name, public_keys=public_keys, progress=progress)


def verify_in(where: Place, name: str, *, public_keys: Iterable[bytes] = (), progress: Progress = lambda _done, _total: None) -> Report:
    report = Report()
    try:
        said = manifest(where, name)
        if _check_manifest(said, report, frozenset(public_keys) or chain.trusted_keys()):
            _check_files(where, name, said["files"], report)
            _check_rows(where, name, said, report, progress)
    except FileNotFoundError as error:
        report.find(Kind.ARCHIVE_ALTERED, f"{name}: {error.filename or error} is missing")
    except (*FAILURES, ValueError, KeyError, TypeError, EOFError, IndexError) as error:
        report.find(Kind.ARCHIVE_ALTERED, f"{name}: cannot be read ({type(error).__name__})")
    return report


def check_there(records: Iterable[AuditArchive], report: Report, *, today: date | None = None) -> None:
    """Whether the archive still has the manifest of every month that should be there; `verify` reads the rest of it."""
    where, today = archive_place(), today or timezone.now().date()
    if where is None:
        return
    for record in records:
        name = name_of(record.month)
        if record.month + timedelta(days=settings.AUDIT_ONLINE_DAYS + settings.AUDIT_ARCHIVE_DAYS) <= today:  # may be gone
            continue
        try:
            if manifest_digest(manifest(where, name)) != bytes(record.manifest_hash):
                report.find(Kind.ARCHIVE_ALTERED, f"{name}: its manifest is not the one that was put on record")
        except FileNotFoundError:
            report.find(Kind.ARCHIVE_MISSING, f"{name}: no manifest in the archive")
        except (*FAILURES, ValueError) as error:
            report.find(Kind.ARCHIVE_MISSING, f"{name}: cannot be read ({type(error).__name__})")


def _check_manifest(said: dict[str, Any], report: Report, trusted: frozenset[bytes]) -> bool:
    key = bytes.fromhex(said["public_key"])
    if not chain.is_signed(key, chain.PAPER_PREFIX, manifest_digest(said), bytes.fromhex(said["proof"])):
        report.find(Kind.ARCHIVE_FORGED, f"{said['month']}: the signature of its manifest does not fit")
        return False
    if key not in trusted:
        report.find(Kind.ARCHIVE_FORGED, f"{said['month']}: signed by {chain.key_id(key)}, a key that is not trusted here (--public-key)")
    return True


def _check_files(where: Place, name: str, files: dict[str, Any], report: Report) -> None:
    for file_name in (ROWS, SEALS):
        with where.reading(f"{name}/{file_name}") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != files[file_name]["sha256"]:
            report.find(Kind.ARCHIVE_ALTERED, f"{name}/{file_name} is not the file that was signed")


def _check_rows(where: Place, name: str, said: dict[str, Any], report: Report, progress: Progress) -> None:
    row = lines(where, name)
    with where.reading(f"{name}/{SEALS}") as file, gzip.GzipFile(fileobj=file) as seals:
        for text in seals:
            seal = Seal.from_published(json.loads(text))
            report.first_seal, report.last_seal = report.first_seal or seal.number, seal.number
            report.seals += 1
            report.keys[chain.key_id(seal.public_key)] += 1
            if not seal.is_genuine():
                report.find(Kind.SEAL_FORGED, "its signature does not fit", seal.number)
            digest = sha256()
            for _ in range(seal.count):
                digest.update(next(row, b""))
            report.rows += seal.count
            progress(report.rows, said["rows"])
            if digest.digest() != seal.rows_hash:
                report.find(Kind.ROW_EDITED, "its archived rows are not what was sealed", seal.number)
    if next(row, None) is not None:
        report.find(Kind.ROW_INSERTED, f"{name}: rows after the last seal")
    if (report.rows, report.seals) != (said["rows"], said["seals"]):
        report.find(
            Kind.ARCHIVE_ALTERED, f"{name}: {report.rows} rows in {report.seals} seals, {said['rows']} in {said['seals']} were signed"
        )
