"""Normal forms that end within seconds, whatever is sent."""

import sys
import time
import unicodedata

import pytest
from django.test import Client

from aaperture.lib.composed import MADE_OF_MARKS, composed
from aaperture.lib.search import searchable


@pytest.mark.parametrize("pile", ["\u0300\u0327", "\u0f75\u0f71", "\uff9e\u0327"])
def test_piles_of_marks_are_left_as_they_are(pile):
    text, began = "a" + pile * 250_000, time.thread_time()  # each would take minutes
    assert [composed(text, form) for form in ("NFC", "NFKC", "NFKD")] == [text] * 3 and searchable(text)[:1] == "a"
    assert time.thread_time() - began < 10


def test_what_people_write_is_composed_however_long():
    assert composed("e\u0301" * 5000) == "\u00e9" * 5000 and composed("\ufb01x", "NFKC") == "fix"
    assert searchable("\u00c9lan e\u0301te\u0301") == "elan ete"


def test_no_character_is_made_of_marks_but_those_named():
    found = {
        char for char in map(chr, range(sys.maxunicode + 1))
        if not unicodedata.combining(char) and unicodedata.combining(unicodedata.normalize("NFKD", char)[0])
    }  # fmt: skip
    assert found == set(MADE_OF_MARKS)


@pytest.mark.django_db
def test_an_address_of_nothing_but_marks_holds_nobody_up():
    """Its limit counts by the address that was typed, whoever typed it: 400,000 marks would be a minute and a half."""
    began = time.thread_time()
    answer = Client().post("/accounts/password/reset/", {"email": "a" + "\u0300\u0327" * 200_000})
    assert answer.status_code in {200, 400, 429} and time.thread_time() - began < 20
