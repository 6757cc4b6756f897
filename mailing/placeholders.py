"""The closed lists of `{{ placeholders }}` of e-mail templates, by what a template is sent with. Not Django templates: nothing runs.

A template is compiled once per version into text, HTML and subject, all three as pieces between which values go; filling it in is
a join. Its text is Markdown, of which only paragraphs, lists, emphasis and links remain (nh3); values are escaped.
"""

import html
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import nh3
from django.utils.translation import gettext_lazy as _
from markdown_it import MarkdownIt

BEHIND_WORDS = re.compile(r"\]\(\s*\{\{\s*link\s*\}\}\s*\)")
STAND_IN = "https://link.invalid/"  # an address that Markdown and the cleaner let through
PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
ANYWHERE: dict[str, Any] = {
    "client.name": _("the client’s name or company"),
    "client.first_name": _("how to address the client"),
    "studio.name": _("the studio’s name"),
    "project.title": _("the project’s title"),
    "session.date": _("the day of the next photo session"),
    "session.time": _("the time it begins"),
    "session.place": _("where it takes place"),
}
LINK: dict[str, Any] = {"link": _("a personal link to the document")}
KNOWN: dict[str, dict[str, Any]] = {
    "message": ANYWHERE,
    "quote": ANYWHERE | LINK | {
        "quote.number": _("the quote’s number"), "quote.total": _("its total with VAT"), "quote.valid_until": _("until when it is valid"),
    },
    "contract": ANYWHERE | LINK | {"contract.number": _("the contract’s number"), "contract.title": _("its title")},
    "invoice": ANYWHERE | LINK | {
        "invoice.number": _("the invoice’s number"), "invoice.total": _("its total with VAT"), "invoice.due_on": _("when it is due"),
        "invoice.balance": _("what is still to be paid"),
    },
}  # fmt: skip
KNOWN["reminder"] = KNOWN["invoice"]

MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).disable(
    ["image", "code", "fence", "html_block", "html_inline", "heading"]
)
TAGS = {"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote", "hr"}
Pieces = tuple[tuple[str, ...], tuple[str, ...]]  # constant texts, and the names between them


class Compiled(NamedTuple):
    subject: Pieces
    text: Pieces
    html: Pieces


class Filled(NamedTuple):
    """A body in memory; it has no repr that a log could catch."""

    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        return "<Filled>"


class Wanting(ValueError):
    """A placeholder without a value here."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def unknown(kind: str, subject: str, text: str) -> list[str]:
    """Placeholders that a template of this kind may not have there, each once. A subject has no link."""
    known = KNOWN[kind]
    strange = [name for name in PLACEHOLDER.findall(subject) if name not in known or name in LINK]
    return list(dict.fromkeys([*strange, *(name for name in PLACEHOLDER.findall(text) if name not in known)]))


def names_in(*texts: str) -> set[str]:
    return {name for text in texts for name in PLACEHOLDER.findall(text)}


@lru_cache(maxsize=500)
def compiled(version_id: UUID, subject: str, text: str) -> Compiled:
    """Of a stored version, which `version_id` names: kept for the next mail."""
    return compile_text(subject, text)


def compile_text(subject: str, text: str) -> Compiled:
    """The link may stand by itself or, as Markdown has it, behind words: `[Read it]({{ link }})`."""
    marked = MARKDOWN.render(BEHIND_WORDS.sub(f"]({STAND_IN})", text)).replace('href="www.', 'href="https://www.')
    rich = nh3.clean(marked, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"https", "mailto"}, link_rel="noopener")
    linked = re.sub(r"\{\{\s*link\s*\}\}", '<a href="{{ link }}">{{ link }}</a>', rich)
    return Compiled(_pieces(subject), _pieces(text), _pieces(linked.replace(f'href="{STAND_IN}"', 'href="{{ link }}"')))


def filled(template: Compiled, values: Mapping[str, str]) -> Filled:
    """Raises Wanting for a placeholder that has no value here."""
    escaped = {name: html.escape(value) for name, value in values.items()}
    subject = " ".join(_joined(template.subject, values).split())
    return Filled(subject, _joined(template.text, values).strip() + "\n", _joined(template.html, escaped))


def _pieces(text: str) -> Pieces:
    found = PLACEHOLDER.split(text)
    return tuple(found[0::2]), tuple(found[1::2])


def _joined(pieces: Pieces, values: Mapping[str, str]) -> str:
    texts, names = pieces
    if not names:
        return texts[0]
    try:
        return "".join([part for text, name in zip(texts, names, strict=False) for part in (text, values[name])]) + texts[-1]
    except KeyError as missing:
        raise Wanting(str(missing.args[0])) from None
