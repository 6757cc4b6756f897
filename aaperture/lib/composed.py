"""Unicode's normal forms within bounds.

To order the marks that stand on one letter takes time by the square of their number: a form field of two megabytes of nothing but marks is
most of an hour, in which the process does nothing else. Nobody writes more than thirty on purpose (UAX 15, stream-safe text).
"""

import unicodedata
from typing import Literal

MOST_MARKS = 1000
MADE_OF_MARKS = "\u0f73\u0f75\u0f81\uff9e\uff9f"  # no marks themselves, and nothing but marks in a normal form


def composed(text: str, form: Literal["NFC", "NFKC", "NFKD"] = "NFC") -> str:
    """The normal form; of text in which marks are piled up without end, the text itself."""
    return text if is_piled(text) else unicodedata.normalize(form, text)


def is_piled(text: str) -> bool:
    """Whether more marks than anybody writes stand on one letter."""
    if len(text) <= MOST_MARKS or text.isascii():
        return False
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) or char in MADE_OF_MARKS else 0
        if marks > MOST_MARKS:
            return True
    return False
