"""PDFs of whatever people write: it is never markup, and never so much that nothing comes of it."""

import pytest

from bench.documents import content
from documents.pdf import compiling
from documents.printing import as_pdf

MOST = 60_000  # characters of a contract
MARKUP = '#panic("read as markup") #read("Inter-Bold.otf") #include "x.typ" #eval("1+1") $x$ <a> @a *b* = h'


def is_pdf_a(pdf: bytes) -> bool:
    assert pdf.startswith(b"%PDF-") and b"/StructTreeRoot" in pdf, "tagged in any case"
    return b"<pdfaid:part>3</pdfaid:part>" in pdf and b"<pdfaid:conformance>A</pdfaid:conformance>" in pdf


def everywhere(value, words):
    """The same content with these words in every text that people write."""
    kept = {"kind", "language", "dated_on", "valid_until", "due_on", "currency", "iban", "bic"}
    if isinstance(value, dict):
        return {name: one if name in kept else everywhere(one, words) for name, one in value.items()}
    if isinstance(value, list):
        return [everywhere(one, words) for one in value]
    return words if isinstance(value, str) and value and not value[0].isdigit() else value


@pytest.mark.parametrize("kind", ["quote", "standard", "contract"])
def test_what_people_write_is_no_markup_of_the_printer(kind):
    first = as_pdf(everywhere(content(kind, 1), MARKUP))
    assert is_pdf_a(first) and first == as_pdf(everywhere(content(kind, 1), MARKUP))
    assert is_pdf_a(as_pdf(content(kind, 1)))


@pytest.mark.parametrize("kind", ["quote", "standard", "contract"])
def test_a_character_that_no_font_has_is_printed_all_the_same(kind):
    assert not is_pdf_a(as_pdf(everywhere(content(kind, 1), "Zoé 😀 李明")))


ENDLESS = {
    "one word": "x", "accents": "a" + "\u0301" * 2_000, "invisible": "a\u3164", "joined": "a\u200d", "a panic of the printer": "\U000e0061",
    "turned around": "\u202ea", "links": "[a](b)", "quotes": "> ", "emphasis": "*a **b ", "brackets": "[", "lists": "- ", "words": "mot ",
}  # fmt: skip


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_text_is_printed(name):
    text = (ENDLESS[name] * MOST)[:MOST]
    assert is_pdf_a(as_pdf(content("contract", 1) | {"text": text}))


def test_words_too_long_for_a_line_may_break_and_nothing_turns_the_others_around():
    digest = "0123456789abcdef" * 4
    assert compiling._bounded({"a": [f"Zoé\u202e {digest}", "1 250,00\N{NO-BREAK SPACE}€\n"], "b": None}) == {
        "a": [f"Zoé {digest}", "1 250,00\N{NO-BREAK SPACE}€\n"], "b": None
    }  # fmt: skip
    assert compiling._bounded("x" * 65) == "x" * 64 + "\u200bx"
    assert max(map(len, compiling._bounded("x" * MOST).split("\n"))) <= 1_000
