"""A CSV file as rows, however it is written and however long: bytes in, one record at a time out, with the place after each.

Encodings: UTF-8, UTF-16 and, for what is neither, Windows-1252. The place is a byte, so that reading goes on there after a crash.
"""

import codecs
import csv
import re
from collections.abc import Iterator

AUTO, UTF_8, UTF_16_LE, UTF_16_BE, WINDOWS = "auto", "utf-8", "utf-16-le", "utf-16-be", "cp1252"
BOMS = ((codecs.BOM_UTF8, UTF_8), (codecs.BOM_UTF16_LE, UTF_16_LE), (codecs.BOM_UTF16_BE, UTF_16_BE))
NO_TABLES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b")  # a workbook, an old one, a PDF, something packed
DELIMITERS = (",", ";", "\t", "|")
MOST_COLUMNS = 200
LONGEST_HEADING = 200
LONGEST_LINE = 1024 * 1024
LONGEST_ROW = 2 * LONGEST_LINE  # characters: cells that go on over lines could otherwise take the whole file into one row
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # what spreadsheets write before the headings
FORMULA = re.compile(r"\s*(?:[=@＝＠]|[+\-＋－](?![\d .,()/-]*%?\s*$))")  # a number or a telephone number is no formula


class BadTable(ValueError):
    """The file is no table we can read. `code` says why, `place` where: a row, or a row and a column, counted from 1."""

    def __init__(self, code: str, place: str = "") -> None:
        self.code = code
        self.place = place
        super().__init__(code)


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    """Windows-1252 leaves five bytes undefined; they are taken as Latin-1, as browsers do."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(map(chr, error.object[error.start : error.end])), error.end


codecs.register_error("as_latin", _as_latin)


class Sniffer:
    """Finds out how a file is written while it comes in; a byte that no UTF-8 has may stand at its end."""

    def __init__(self) -> None:
        self.encoding = ""
        self._utf_8 = codecs.getincrementaldecoder(UTF_8)("strict")
        self._begun = False

    def look(self, piece: bytes) -> None:
        """Raises BadTable for what is no text."""
        if not self._begun and piece:
            self._begun = True
            self._begin(piece)
        if self.encoding in (UTF_16_LE, UTF_16_BE):
            return
        if b"\0" in piece:
            raise BadTable("csv_no_text")
        if self.encoding != WINDOWS:
            try:
                self._utf_8.decode(piece)
            except UnicodeDecodeError:
                self.encoding = WINDOWS

    def _begin(self, piece: bytes) -> None:
        if piece.startswith(NO_TABLES):
            raise BadTable("csv_workbook" if piece.startswith(NO_TABLES[:2]) else "csv_no_text")
        self.encoding = next((name for bom, name in BOMS if piece.startswith(bom)), "") or _without_bom(piece)

    def end(self, wanted: str = AUTO) -> str:
        """How it is written: as `wanted`, where that is possible. Raises BadTable when it cannot be."""
        if not self._begun:
            raise BadTable("csv_empty")
        if self.encoding not in (UTF_16_LE, UTF_16_BE) and self.encoding != WINDOWS:
            try:
                self._utf_8.decode(b"", final=True)
            except UnicodeDecodeError:
                self.encoding = WINDOWS
        if wanted == UTF_8 and self.encoding != UTF_8:
            raise BadTable("csv_encoding")
        if wanted == WINDOWS and self.encoding == UTF_8:
            return WINDOWS
        return self.encoding


def _without_bom(piece: bytes) -> str:
    """UTF-16 whose writer left out what says so: every other byte of western text is zero."""
    start = piece[:1000]
    even, odd = start[::2].count(0), start[1::2].count(0)
    if odd > len(start) // 5 and not even:
        return UTF_16_LE
    return UTF_16_BE if even > len(start) // 5 and not odd else UTF_8


class Lines:
    """The lines of a file from byte `place` on; `place` moves to the end of each that is handed over."""

    def __init__(self, pieces: Iterator[bytes], encoding: str, place: int = 0) -> None:
        self.place = place
        self.encoding = encoding
        self.left = LONGEST_ROW  # what the row that is being read, with the empty ones before it, may still have
        self._lines = self._split(pieces, skip_bom=not place)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except UnicodeDecodeError:
            raise BadTable("csv_encoding") from None
        self.left -= len(line)
        if self.left < 0:
            raise BadTable("csv_endless")
        self.place += len(line) if self.encoding == WINDOWS or (self.encoding == UTF_8 and line.isascii()) else self._bytes(line)
        return line.replace("\r\n", "\n") if line.endswith("\r\n") else line

    def _bytes(self, line: str) -> int:
        return len(line.encode(self.encoding))

    def _split(self, pieces: Iterator[bytes], *, skip_bom: bool) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)("as_latin" if self.encoding == WINDOWS else "strict")
        rest = ""
        for piece in pieces:
            text = rest + decoder.decode(piece)
            if skip_bom and text:
                skip_bom = False
                if text[0] == "\ufeff":
                    text, self.place = text[1:], self.place + self._bytes(text[0])
            *lines, rest = text.split("\n")
            if len(rest) > LONGEST_LINE:
                raise BadTable("csv_endless")
            for line in lines:
                yield line + "\n"
        if rest := rest + decoder.decode(b"", final=True):
            yield rest


class Table:
    """Rows after the headings. `row` is the number of the last one handed over, as a spreadsheet counts: the headings are the first."""

    def __init__(self, pieces: Iterator[bytes], encoding: str, *, delimiter: str = "", place: int = 0, row: int = 0) -> None:
        self.row = row
        self._lines = Lines(pieces, encoding, place)
        self._delimiter = delimiter
        self._reader: Iterator[list[str]] | None = None

    @property
    def place(self) -> int:
        """The byte after the last row handed over."""
        return self._lines.place

    @property
    def delimiter(self) -> str:
        return self._delimiter

    def headings(self) -> list[str]:
        """The first row, which names the columns. Raises BadTable."""
        first = self._first_line()
        if not self._delimiter:
            self._delimiter = _delimiter_of(first)
        self._reader = csv.reader(_with_first(first, self._lines), delimiter=self._delimiter, strict=True)
        found = [cell.strip() for cell in self._next() or []]
        while found and not found[-1]:
            found.pop()
        if not found:
            raise BadTable("csv_no_headings")
        if len(found) > MOST_COLUMNS:
            raise BadTable("csv_columns", str(MOST_COLUMNS))
        found = [heading or f"column_{number}" for number, heading in enumerate(found, 1)]
        for number, heading in enumerate(found, 1):
            if len(heading) > LONGEST_HEADING or not heading.isprintable():
                raise BadTable("csv_heading", f"1:{number}")
            if heading in found[: number - 1]:
                raise BadTable("csv_same_heading", f"1:{number}")
        return found

    def rows(self) -> Iterator[list[str]]:
        """Those that are not empty. Raises BadTable, with the row at which reading cannot go on."""
        if self._reader is None:
            self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        while (cells := self._next()) is not None:
            if cells:
                yield cells

    def _first_line(self) -> str:
        for line in self._lines:
            if found := SEPARATOR_LINE.fullmatch(line):
                self._delimiter = self._delimiter or found[1]
            elif line.strip():
                return line
            self.row += 1
        raise BadTable("csv_empty")

    def _next(self) -> list[str] | None:
        """Raises BadTable."""
        assert self._reader is not None  # nosec B101 - whoever calls has made it
        try:
            cells = next(self._reader, None)
        except BadTable as error:
            raise BadTable(error.code, str(self.row + 1)) from None
        except csv.Error as error:
            raise BadTable(_fault(str(error)), str(self.row + 1)) from None
        if cells is not None:
            self.row += 1
        if cells:  # what is empty counts towards the next one: else a file of nothing but line ends would be looked through in one go
            self._lines.left = LONGEST_ROW
        return cells


def _with_first(first: str, lines: Lines) -> Iterator[str]:
    yield first
    yield from lines


def _delimiter_of(line: str) -> str:
    """What stands between the headings most often, outside quotation marks."""
    plain = re.sub(r'"[^"]*"', "", line)
    return max(DELIMITERS, key=plain.count)


def _fault(words: str) -> str:
    if "field limit" in words:
        return "csv_cell_long"
    if "new-line" in words:
        return "csv_line_ends"
    return "csv_quotes"  # a quotation mark that is not closed, or something after one that is
