"""Search without extensions: texts are stored accent-free and casefolded, queries match the beginnings of words."""

import re
import unicodedata

from aaperture.lib.composed import composed

WORD = re.compile(r"\w+")
MOST_WORDS = 12


def searchable(text: str) -> str:
    """NFKD, accents stripped, casefolded, one space between words."""
    plain = "".join(one for one in composed(text, "NFKD") if not unicodedata.combining(one))
    return " ".join(WORD.findall(plain.casefold()))


def prefix_query(text: str) -> str:
    """A raw `to_tsquery('simple', …)` in which every word of `text` is a prefix; empty when there is no word."""
    return " & ".join(f"{word}:*" for word in searchable(text[:200]).split()[:MOST_WORDS])
