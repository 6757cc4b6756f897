"""The closed list of `{{ placeholders }}` of contract templates, and filling them in. They are not Django templates: nothing runs."""

import re
from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
KNOWN = {
    "client.name": _("the client’s name or company"),
    "client.address": _("the client’s address"),
    "studio.name": _("the studio’s legal name"),
    "studio.address": _("the studio’s address"),
    "studio.company_number": _("the studio’s company number"),
    "project.title": _("the project’s title"),
    "session.date": _("the day of the next photo session"),
    "session.place": _("where it takes place"),
    "quote.number": _("the accepted quote’s number"),
    "quote.total": _("its total with VAT"),
    "quote.deposit": _("the deposit it asks for"),
    "today": _("the day the contract is written"),
}
# What Markdown would take for markup within a line: what it leaves alone is not escaped, since people read and edit the text.
WITHIN = re.compile(r"[\\`*]|(?<!\w)_|_(?!\w)|(?<=_)_|&(?=#?\w+;|$)|(?<!\S)#(?=#*$)")
# … and at the beginning of one, behind nothing but marks of lists, quotations and headings: "1. ", "- ", "> ", "# ", "==="
BEGINNING = re.compile(r"[\s\d>*+\-.)#=]*")
LEADING = re.compile(r"\d*[.)+\-#](?=[\s\-#]|$)|[>=]")


def unknown(text: str) -> list[str]:
    """Placeholders that are not on the list, in their order, each once."""
    return list(dict.fromkeys(name for name in PLACEHOLDER.findall(text) if name not in KNOWN))


def filled(text: str, values: Mapping[str, str]) -> str:
    """With every known placeholder replaced, as text that Markdown leaves alone; a value that is wanting becomes a blank to fill in."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in KNOWN:
            return match.group(0)
        before = match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]
        return _literal(" ".join(values.get(name, "").split()), begins=bool(BEGINNING.fullmatch(before))) or "…………"

    return PLACEHOLDER.sub(value, text)


def _literal(value: str, *, begins: bool) -> str:
    escaped = WITHIN.sub(r"\\\g<0>", value)
    mark = LEADING.match(escaped) if begins else None
    return f"{escaped[: mark.end() - 1]}\\{escaped[mark.end() - 1 :]}" if mark else escaped
