"""Countries by their ISO 3166-1 code, named in the reader's language (Unicode CLDR, through Babel)."""

from functools import cache

from babel import Locale
from django.utils.translation import get_language

from aaperture.lib.search import searchable

# what CLDR lists beside countries: unions, the world, pseudo-regions and codes that are reserved only
NO_COUNTRY = frozenset({"EU", "EZ", "UN", "ZZ", "XA", "XB", "QO", "AC", "CP", "CQ", "DG", "EA", "IC", "TA"})


@cache
def names(language: str) -> dict[str, str]:
    """Code → name, in the order of the names."""
    found = {code: name for code, name in Locale.parse(language[:2]).territories.items() if len(code) == 2 and code not in NO_COUNTRY}
    return dict(sorted(found.items(), key=lambda pair: searchable(pair[1])))


def choices() -> list[tuple[str, str]]:
    """For a form field, in the language of the page."""
    return [("", "–"), *names(get_language() or "en").items()]


def name_of(code: str, language: str = "") -> str:
    """The country's name, or the code itself where CLDR knows none."""
    return names(language or get_language() or "en").get(code, code)
