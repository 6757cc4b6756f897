"""The ZIP of an export as a stream of sealed pieces: never whole in memory, never in clear on a disk."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.utils import timezone, translation

from aaperture.lib.csv_safe import csv_lines
from accounts.models import User
from operations.models import DataExport
from operations.privacy.own_data import PARTS, Part, columns_of, records
from vault import services as vault

PIECE = 256 * 1024  # bytes of the ZIP in one sealed piece
Keep = Callable[[int, bytes], None]


def associated(export_id: Any, number: int, *, last: bool) -> str:
    """What a piece is bound to: none can be left out, moved, or be taken for the last one."""
    return f"operations_exportchunk|content|{export_id}|{number}|{'last' if last else 'more'}"


class Sealer(io.RawIOBase):
    """What is written here reaches `keep` as numbered, sealed pieces; `end()` seals the last one."""

    def __init__(self, export: DataExport, keep: Keep) -> None:
        self.export = export
        self.keep = keep
        self.buffer = bytearray()
        self.number = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.buffer += data
        while len(self.buffer) > PIECE:
            self._seal(bytes(self.buffer[:PIECE]), last=False)
            del self.buffer[:PIECE]
        return len(data)

    def end(self) -> None:
        self._seal(bytes(self.buffer), last=True)

    def _seal(self, piece: bytes, *, last: bool) -> None:
        owner = vault.person(self.export.user_id)
        self.keep(self.number, vault.seal(piece, owner, associated(self.export.pk, self.number, last=last)))
        self.number += 1


def opened(export: DataExport) -> Iterator[bytes]:
    """The ZIP, piece by piece. Raises SealedDataError for a piece that is missing, altered or out of place."""
    count = export.chunks.count()
    for number in range(count):
        row = export.chunks.filter(number=number).values_list("content", flat=True).first()
        name = associated(export.pk, number, last=number == count - 1)
        yield vault.open_sealed(bytes(row or b""), vault.person(export.user_id), name)


class Written(NamedTuple):
    part: Part
    rows: int


def write(export: DataExport, user: User, *, keep: Keep, progress: Callable[[int], None]) -> None:
    """Every part as JSON and as CSV, then the index that a person opens first; calls `progress` with the parts done."""
    sealer = Sealer(export, keep)
    written = []
    with zipfile.ZipFile(sealer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(PARTS, start=1):
            count = _write_json(archive, part, user)
            if count:
                _write_csv(archive, part, user)
            written.append(Written(part, count))
            progress(number)
        with translation.override(user.language), timezone.override(user.timezone):
            context = {"person": user, "parts": written, "made_at": timezone.now()}
            archive.writestr("index.html", render_to_string("operations/export_index.html", context))
    sealer.end()


def _write_json(archive: zipfile.ZipFile, part: Part, user: User) -> int:
    count = 0
    with archive.open(f"json/{part.name}.json", "w", force_zip64=True) as file:
        file.write(b"[")
        for count, row in enumerate(records(part, user), start=1):
            text = json.dumps(row, ensure_ascii=False, indent=1, default=str)
            file.write((",\n" if count > 1 else "\n").encode() + text.encode("utf-8", "replace"))
        file.write(b"\n]\n")
    return count


def _write_csv(archive: zipfile.ZipFile, part: Part, user: User) -> None:
    columns = columns_of(part)
    rows = ([_cell(row[column]) for column in columns] for row in records(part, user))
    with archive.open(f"csv/{part.name}.csv", "w", force_zip64=True) as file:
        file.write(b"\xef\xbb\xbf")  # or a spreadsheet takes UTF-8 for something else
        for line in csv_lines(columns, rows):
            file.write(line.encode("utf-8", "replace"))


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value
