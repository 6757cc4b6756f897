"""Search without extensions: texts are stored accent-free and casefolded, queries match the beginnings of words."""

import re
import unicodedata
from typing import TypeVar

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import QuerySet

from aaperture.lib.composed import composed

WORD = re.compile(r"\w+")
MOST_WORDS = 12
Rows = TypeVar("Rows", bound=QuerySet)


def searchable(text: str) -> str:
    """NFKD, accents stripped, casefolded, one space between words."""
    plain = "".join(one for one in composed(text, "NFKD") if not unicodedata.combining(one))
    return " ".join(WORD.findall(plain.casefold()))


def prefix_query(text: str) -> str:
    """A raw `to_tsquery('simple', …)` in which every word of `text` is a prefix; empty when there is no word."""
    return " & ".join(f"{word}:*" for word in searchable(text[:200]).split()[:MOST_WORDS])


def having_words(rows: Rows, text: str) -> Rows:
    """Those whose `search_text`, under a GIN index of the same expression, has for every word of `text` one that begins with it."""
    query = prefix_query(text)
    if not query:
        return rows
    found = SearchQuery(query, config="simple", search_type="raw")
    return rows.annotate(_found=SearchVector("search_text", config="simple")).filter(_found=found)
