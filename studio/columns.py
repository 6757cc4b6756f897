"""Reading a file of contacts: its text, its columns, and what each row says. Nothing here touches the database."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aaperture.lib import countries
from aaperture.lib.charsets import decode
from aaperture.lib.search import searchable
from studio import identifiers
from studio.models import Contact

LARGEST_FILE = 2_000_000  # bytes
MOST_ROWS = 5_000
MOST_COLUMNS = 60
LONGEST_CELL = 10_000
SHOWN_ROWS = 12
SEPARATOR = re.compile(r"sep=([,;\t|:])[\r\n]", re.IGNORECASE)
SEVERAL_LINES = frozenset({"street", "notes"})

# what a column may fill; "name" is split at its last space
FIELDS = {
    "kind": gettext_lazy("Person or company"),
    "given_name": gettext_lazy("First name"),
    "family_name": gettext_lazy("Last name"),
    "name": gettext_lazy("Whole name"),
    "company_name": gettext_lazy("Company"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "language": gettext_lazy("Language"),
    "street": gettext_lazy("Street"),
    "postcode": gettext_lazy("Postcode"),
    "city": gettext_lazy("City"),
    "country": gettext_lazy("Country"),
    "vat_number": gettext_lazy("VAT number"),
    "company_number": gettext_lazy("Company number"),
    "notes": gettext_lazy("Notes"),
}
# how other programs head their columns, in English and French: our own export, Google Contacts, Outlook, Apple, and what people write
HEADINGS = {
    "kind": "kind|type|person or company|personne ou entreprise",
    "given_name": "first name|given name|prenom",
    "family_name": "last name|family name|surname|nom|nom de famille",
    "name": "name|full name|display name|file as|nom complet|contact|client",
    "company_name": "company|company name|organization|organization name|organisation|societe|entreprise|raison sociale",
    "email": "email|e mail|mail|email address|e mail address|e mail 1 value|adresse e mail|adresse email|adresse mail|courriel",
    "phone": "phone|telephone|tel|mobile|mobile phone|primary phone|phone number|phone 1 value|portable|telephone mobile",
    "language": "language|langue",
    "street": "street|address|address line 1|street address|home street|business street|address 1 street|rue|adresse|voie",
    "postcode": "postcode|postal code|zip|zip code|address 1 postal code|home postal code|code postal|cp",
    "city": "city|town|address 1 city|home city|ville|localite|commune",
    "country": "country|country region|address 1 country|home country region|pays",
    "vat_number": "vat|vat number|vat id|tva|numero de tva|n tva|tva intracommunautaire|numero de tva intracommunautaire",
    "company_number": "company number|siren|siret|registration number|numero d entreprise|bce|kbo|numero d entreprise bce",
    "notes": "notes|note|comment|comments|remarks|remarque|remarques|commentaire|commentaires",
}
KNOWN = {heading: field for field, headings in HEADINGS.items() for heading in headings.split("|")}
COMPANIES = frozenset({"company", "organization", "organisation", "entreprise", "societe"})
LANGUAGES = {"en": "en", "english": "en", "anglais": "en", "fr": "fr", "french": "fr", "francais": "fr"}


class Unreadable(ValueError):
    """The file holds no table of contacts; the message says why, for its reader."""


class Row(NamedTuple):
    """One line of the file: what a contact would be made of, and what was wrong with it. With `fault` there is no contact."""

    number: int
    fields: dict[str, str]
    fault: str = ""
    left_out: tuple[str, ...] = ()  # labels of fields whose value could not be taken

    @property
    def name(self) -> str:
        return Contact(**{name: value for name, value in self.fields.items() if name != "phone"}).name


def text_of(data: bytes) -> str:
    """Raises Unreadable for what is too large or no text."""
    if len(data) > LARGEST_FILE:
        raise Unreadable(_("The file is larger than 2 MB. Split it, and bring the parts one after the other."))
    if data[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}:
        raise Unreadable(_("That is a spreadsheet. Save it as CSV first, and choose that file."))
    text = decode(data)
    if not text.strip():
        raise Unreadable(_("The file is empty."))
    return text


class Line(NamedTuple):
    """The cells of one row, and the number a spreadsheet shows beside it, the headings being row 1."""

    number: int
    cells: list[str]


def table_of(text: str) -> tuple[list[str], list[Line]]:
    """The headings and the rows that are not empty. Raises Unreadable."""
    text = text.strip("\r\n")
    if named := SEPARATOR.match(text):  # Excel's own line, which says what stands between the cells
        text = text[named.end() :].lstrip("\r\n")
    first = next(iter(text.lstrip().splitlines()), "")
    delimiter = named[1] if named else max(",;\t|", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
        _require_closed(text, rows, delimiter)
    except csv.Error:
        raise Unreadable(_("The file is no CSV that we can read.")) from None
    lines = [Line(number, cells) for number, cells in enumerate(rows, start=1) if any(cell.strip() for cell in cells)]
    if len(lines) < 2:
        raise Unreadable(_("There is no row below the headings."))
    if len(lines) - 1 > MOST_ROWS:
        raise Unreadable(_("There are more than 5,000 rows. Split the file, and bring the parts one after the other."))
    if len(lines[0].cells) > MOST_COLUMNS:
        raise Unreadable(_("There are more than 60 columns."))
    return [cell.strip()[:100] for cell in lines[0].cells], lines[1:]


def _require_closed(text: str, rows: list[list[str]], delimiter: str) -> None:
    """A quotation mark that nothing closes takes all that follows into one cell. Raises Unreadable."""
    longest = max((cell for cell in rows[-1:] and rows[-1]), key=len, default="")
    if "\n" not in longest and "\r" not in longest:
        return
    try:
        for _row_of_cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            pass
    except csv.Error as fault:
        if "unexpected end" in str(fault):
            words = _("In row %(number)s a quotation mark opens a cell and none closes it. Correct it, and try again.")
            raise Unreadable(words % {"number": len(rows)}) from None


def guess(headings: list[str]) -> list[str]:
    """For each column the field it fills, or ""; each field once."""
    found: list[str] = []
    for heading in headings:
        field = KNOWN.get(searchable(heading.replace("_", " ")), "")
        found.append("" if field in found else field)
    return found


def rows_of(lines: list[Line], columns: list[str], *, language: str) -> Iterator[Row]:
    """What each line says, checked as the form would."""
    country_codes = _country_codes()
    for number, cells in lines:
        said = {field: _cell(value) for field, value in zip(columns, cells, strict=False) if field and value.strip()}
        yield _row(number, said, country_codes, language)


def row_of(number: int, said: Mapping[str, Any], *, language: str) -> Row:
    """What one record says that names its values as people and programs head their columns; an object among them by its own names."""
    flat: dict[str, str] = {}
    for name, value in said.items():
        inner = value.items() if isinstance(value, dict) else [(name, value)]
        flat |= {str(key): str(one) for key, one in inner if isinstance(one, str | int | float) and not isinstance(one, bool)}
    fields = guess(list(flat))
    found = {field: _cell(value) for field, value in zip(fields, flat.values(), strict=True) if field and value.strip()}
    return _row(number, found, _country_codes(), language)


@cache
def _country_codes() -> dict[str, str]:
    return {searchable(name): code for tongue in ("en", "fr") for code, name in countries.names(tongue).items()}


def _cell(value: str) -> str:
    """Without the apostrophe that our export puts before what a spreadsheet would run."""
    value = value.strip()[:LONGEST_CELL]
    return value[1:] if value[:1] == "'" and value[1:2] in {"=", "+", "-", "@"} else value


def _row(number: int, said: dict[str, str], country_codes: dict[str, str], language: str) -> Row:
    if "name" in said and not (said.get("given_name") or said.get("family_name")):
        given, _space, family = said["name"].rpartition(" ")
        said |= {"given_name": given, "family_name": family} if given else {"given_name": family}
    said.pop("name", None)
    left_out = [field for field in (*said,) if not _settle(field, said, country_codes)]
    said["kind"] = _kind(said)
    said.setdefault("language", language)
    labels = tuple(str(FIELDS[field]) for field in left_out)
    if not any(said.get(name) for name in ("given_name", "family_name", "company_name", "email")):
        return Row(number, said, _("no name and no e-mail address"), labels)
    return Row(number, said, "", labels)


def _kind(said: dict[str, str]) -> str:
    kind = searchable(said.get("kind", ""))
    alone = not (said.get("given_name") or said.get("family_name"))
    company = kind in COMPANIES or (alone and bool(said.get("company_name")))
    return str(Contact.Kind.COMPANY if company and said.get("company_name") else Contact.Kind.PERSON)


def _settle(field: str, said: dict[str, str], country_codes: dict[str, str]) -> bool:
    """Bring one value into its stored form, or take it out and answer False."""
    value = said[field] if field in SEVERAL_LINES else " ".join(said[field].split())
    try:
        said[field] = _checked(field, value, said.get("country", ""), country_codes)
    except ValidationError:
        del said[field]
        return False
    return True


def _checked(field: str, value: str, country: str, country_codes: dict[str, str]) -> str:
    if field == "email":
        value = value.lower()
        validate_email(value)
    elif field == "country":
        value = value.upper() if value.upper() in countries.names("en") else country_codes.get(searchable(value), "")
    elif field == "language":
        value = LANGUAGES.get(searchable(value), "")
    elif field == "vat_number":
        value = identifiers.vat_number(value)
    elif field == "company_number":
        code = country.upper() if len(country) == 2 else country_codes.get(searchable(country), "")
        value = identifiers.company_number(value, code)
    elif field == "phone":
        value = identifiers.phone(value)
    longest = getattr(Contact._meta.get_field(field), "max_length", None)
    if not value or (longest and len(value) > longest):
        raise ValidationError("too long or unknown")
    return value


def preview(rows: list[Row]) -> dict[str, Any]:
    """What a page says before anything is written."""
    return {
        "shown": [row for row in rows if not row.fault][:SHOWN_ROWS],
        "faults": [row for row in rows if row.fault][:SHOWN_ROWS],
        "fault_count": sum(bool(row.fault) for row in rows),
        "partial": [row for row in rows if row.left_out and not row.fault][:SHOWN_ROWS],
        "partial_count": sum(bool(row.left_out) and not row.fault for row in rows),
    }
