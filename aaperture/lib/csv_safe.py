"""CSV that a spreadsheet opens as text: nothing in it becomes a formula (OWASP, "CSV Injection")."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

# the first characters that make a cell a formula, the full-width forms some spreadsheets take for them included
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"


class _Echo:
    """A file that hands every line straight back."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: Any) -> str:
    """`value` as text, with an apostrophe before what a spreadsheet would run; None is empty."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) or text.lstrip().startswith(FORMULA_STARTS) else text


def csv_lines(header: Sequence[Any], rows: Iterable[Sequence[Any]], *, language: str = "") -> Iterator[str]:
    """With the `language` of whoever opens it: as Excel expects it in that language, which a double click does not ask about."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL, delimiter=";" if language == "fr" else ",")
    yield (BOM if language else "") + writer.writerow([safe_cell(cell) for cell in header])
    for row in rows:
        yield writer.writerow([safe_cell(cell) for cell in row])


def csv_response(name: str, header: Sequence[Any], rows: Iterable[Sequence[Any]], *, language: str = "") -> StreamingHttpResponse:
    """A download called `name`, sent row by row as `rows` yields them."""
    response = StreamingHttpResponse(csv_lines(header, rows, language=language), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
