"""Files that somebody uploads: a table with headings, each row a record by heading. Read in batches, from wherever a run stopped."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self, cast

from django.utils.translation import gettext_lazy as _

from integrations.connectors.base import Batch, Fault, Held, HeldFile, RecordConnector, Setting
from integrations.csv_table import AUTO, FORMULA, UTF_8, WINDOWS, BadTable, Table
from integrations.errors import Refused
from integrations.items import Record

BATCH = 2000
BATCH_BYTES = 8 * 1024 * 1024  # of rows that are long, fewer at a time
LONGEST_ID = 255
DELIMITERS = {"auto": "", "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
FORMULA_STARTS = frozenset("=+-@＝＋－＠ \t")


@dataclass(frozen=True)
class Place:
    """Which file, the byte after the last row dealt with, that row's number, and what stands between cells.

    Nothing of what the file says: the mark stays in the clear, and in a file without headings the first row is a person.
    """

    file: str
    byte: int
    row: int
    delimiter: str

    @classmethod
    def load(cls, mark: str, file: str) -> Self | None:
        """None for a mark in another file, or in none."""
        try:
            found = cls(**json.loads(mark))
        except (ValueError, TypeError):
            return None
        return found if found.file == file else None

    def dump(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)


class CsvUploadConnector(RecordConnector):
    provider = "csv_upload"
    holds: ClassVar[str] = "file"
    settings = (
        Setting("id", _("Column that names a row"), _("Its heading. Empty: all that a row says tells it from others."), required=False),
        Setting(
            "delimiter", _("Between two cells"), initial="auto",
            choices=(("auto", _("Find out")), ("comma", _("Comma")), ("semicolon", _("Semicolon")), ("tab", _("Tab")), ("bar", "|")),
        ),
        Setting(
            "encoding", _("Encoding"), initial=AUTO,
            choices=((AUTO, _("Find out")), (UTF_8, "UTF-8"), (WINDOWS, "Windows-1252")),
        ),
    )  # fmt: skip

    def __init__(self, config: Mapping[str, str], secret: str, *, stopping: Callable[[float], bool], held: Held = None) -> None:
        super().__init__(config, secret, stopping=stopping, held=held)
        self._file = cast("HeldFile | None", held)

    def check(self) -> str:
        """How many columns the file that waits has; raises what reading would."""
        file = self._held()
        return str(len(self._opened(file, None)[1]))

    def read(self, mark: str) -> Iterator[Batch]:
        file = self._file
        if file is None:  # nothing was brought since, or whoever read it died just after its last row: that is no failure
            return
        place = Place.load(mark, file.name)
        try:
            table, headings = self._opened(file, place)
            records: list[Record] = []
            faults: list[Fault] = []
            begun = table.place
            for cells in table.rows():
                found = self._record(headings, cells, table.row)
                (faults if isinstance(found, Fault) else records).append(found)  # type: ignore[arg-type]  # which list it is goes by its type
                if len(records) + len(faults) >= BATCH or table.place - begun >= BATCH_BYTES:
                    yield Batch(records, faults, Place(file.name, table.place, table.row, table.delimiter).dump())
                    records, faults, begun = [], [], table.place
        except BadTable as error:
            raise Refused(error.code, error.place) from None
        yield Batch(records, faults, "", file.settle)

    def give_up(self) -> None:
        if self._file is not None:
            self._file.settle()

    def _held(self) -> HeldFile:
        if self._file is None:
            raise Refused("file_missing")
        return self._file

    def _opened(self, file: HeldFile, place: Place | None) -> tuple[Table, list[str]]:
        """The table at `place`, or at its first row. Raises Refused."""
        between = place.delimiter if place is not None else DELIMITERS.get(self.config["delimiter"], "")
        try:
            table = Table(file.pieces(), file.encoding, delimiter=between)
            headings = table.headings()
        except BadTable as error:
            raise Refused(error.code, error.place) from None
        if self.config["id"] and self.config["id"] not in headings:
            raise Refused("csv_no_id_column")
        if place is not None:
            table = Table(file.pieces(place.byte), file.encoding, delimiter=between, place=place.byte, row=place.row)
        return table, headings

    def _record(self, headings: list[str], cells: list[str], row: int) -> Record | Fault:
        wide = len(headings)
        if len(cells) != wide:
            if any(cells[wide:]):
                return Fault("csv_too_many_cells", f"{row}:{wide + 1}")
            cells = [*cells, *[""] * (wide - len(cells))]
        for column, cell in enumerate(cells[:wide], 1):
            if cell[:1] in FORMULA_STARTS and FORMULA.match(cell):
                self.noticed["csv_formulas"] = self.noticed.get("csv_formulas", 0) + 1
            if "\0" in cell:
                return Fault("csv_characters", f"{row}:{column}")
        data: dict[str, Any] = dict(zip(headings, cells, strict=False))
        if not self.config["id"]:
            return Record(hashlib.sha256("\x1f".join(cells[:wide]).encode("utf-8", "surrogatepass")).hexdigest()[:40], data)
        name = data[self.config["id"]].strip()
        if not 0 < len(name) <= LONGEST_ID:
            return Fault("csv_no_id", f"{row}:{headings.index(self.config['id']) + 1}")
        return Record(name, data)
