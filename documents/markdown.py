"""A contract's text: Markdown without HTML, as blocks for the PDF and as clean HTML for the page, both from one parse."""

from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark", {"html": False}).disable(
    ["image", "link", "reference", "autolink", "code", "fence", "html_block", "html_inline"]
)
TAGS = {"h2", "h3", "h4", "p", "ul", "ol", "li", "strong", "em", "br", "hr"}
Run = dict[str, Any]
Block = dict[str, Any]


def as_html(source: str) -> str:
    """Safe to print unescaped. Headings begin at h2, since the page has an h1."""
    tokens = PARSER.parse(source)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 4)}"
    return nh3.clean(PARSER.renderer.render(tokens, PARSER.options, {}), tags=TAGS, attributes={})


def as_blocks(source: str) -> list[Block]:
    """Headings, paragraphs, lists (flat: a list within a list continues its item) and rules, each with runs of text."""
    blocks: list[Block] = []
    lists: list[Block] = []
    heading = 0
    for token in PARSER.parse(source):
        if token.type == "heading_open":
            heading = int(token.tag[1])
        elif token.type == "heading_close":
            heading = 0
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            kind = "bullets" if token.type == "bullet_list_open" else "numbers"
            lists.append({"kind": kind, "start": int(token.attrGet("start") or 1), "items": []})
            if len(lists) == 1:
                blocks.append(lists[0])
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists.pop()
        elif token.type == "hr":
            blocks.append({"kind": "rule"})
        elif token.type == "inline":
            runs = _runs(token)
            if lists:
                lists[0]["items"].append(runs)
            elif heading:
                blocks.append({"kind": "heading", "level": heading, "runs": runs})
            else:
                blocks.append({"kind": "paragraph", "runs": runs})
    return blocks


def _runs(inline: Token) -> list[Run]:
    runs: list[Run] = []
    strong = emphasis = 0
    for token in inline.children or []:
        if token.type in {"strong_open", "strong_close"}:
            strong += token.nesting
        elif token.type in {"em_open", "em_close"}:
            emphasis += token.nesting
        elif text := {"hardbreak": "\n", "softbreak": " "}.get(token.type, token.content):
            runs.append({"text": text, "strong": strong > 0, "emphasis": emphasis > 0})
    return runs
