"""Readable text of an HTML mail, in one pass over the markup."""

import re
from html import unescape

MAX_HTML = 400_000
MAX_TEXT = 100_000
SKIPPED = {"style", "script", "head", "title", "noscript", "template", "object", "svg", "select", "textarea"}
RAW = {"style", "script", "title", "textarea"}
BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt", "fieldset", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
PARAGRAPHS = {"p", "table", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
TAG = re.compile(r"(/?)([A-Za-z][A-Za-z0-9:]{0,30})")
HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?:px)?\s*(?:[;\"'!]|$)"
    r"|opacity\s*:\s*0(?:\.0+)?\s*(?:[;\"'!]|$)|(?:^|\s)hidden(?=[\s=/]|$)",
    re.IGNORECASE,
)
HREF = re.compile(r"(?<![\w-])href\s{0,20}=\s{0,20}[\"']?\s{0,20}(https?://[^\s\"'<>?#]{1,100})", re.IGNORECASE)
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
SPACES = re.compile(r"[^\S\n]+")
LONG_REFERENCE = re.compile(r"&#x?[0-9a-fA-F]{8,};?")  # int() refuses thousands of digits
BLANK_LINES = re.compile(r"\n(?:[ >]*\n){2,}")


class _Writer:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.quote_depth = 0
        self.skip: str = ""
        self.skip_depth = 0
        self.link = ""

    def text(self, data: str) -> None:
        if data and not self.skip:
            self.out.append(unescape(LONG_REFERENCE.sub("", data)).replace("\n", " ").replace("\r", " "))

    def newline(self, name: str) -> None:
        prefix = "> " * min(self.quote_depth, 5)
        self.out.append("\n\n" + prefix if name in PARAGRAPHS else "\n" + prefix)

    def tag(self, closing: bool, name: str, attributes: str) -> None:
        if self.skip:
            if name == self.skip:
                self.skip_depth += -1 if closing else 1
                if self.skip_depth == 0:
                    self.skip = ""
            # A hidden paragraph or cell that was never closed ends where the next block begins.
            elif (name in BLOCKS and self.skip in {"p", "li"}) or (name == "body" and self.skip == "head"):
                self.skip = ""
            if self.skip:
                return
        elif not closing and name not in VOID and (name in SKIPPED or HIDDEN.search(attributes)):
            if not attributes.endswith("/"):
                self.skip, self.skip_depth = name, 1
            return
        self.write(closing, name, attributes)

    def write(self, closing: bool, name: str, attributes: str) -> None:
        if name == "blockquote":
            self.quote_depth = max(0, self.quote_depth + (-1 if closing else 1))
        if name == "a":
            if closing and self.link:
                self.out.append(f" <{self.link}> ")
            found = None if closing else HREF.search(attributes)
            self.link = found.group(1) if found else ""
        elif name in BLOCKS:
            self.newline(name)
        elif name in {"td", "th"}:
            self.out.append(" ")


def _skip_raw(markup: str, name: str, start: int) -> int:
    """Position just after `</name`, or the end: the content of style and script is not markup."""
    end = re.compile(rf"</{name}", re.IGNORECASE).search(markup, start)
    return end.start() if end else len(markup)


def html_to_text(markup: str) -> str:
    """What a reader would see: no style, script or hidden text; blocks on lines; links as "label <address>".

    Linear in the size of the markup, which is cut at 400,000 characters. Quoted blocks come out as "> " lines.
    """
    markup = markup[:MAX_HTML]
    writer, position, end = _Writer(), 0, len(markup)
    while position < end:
        start = markup.find("<", position)
        if start < 0:
            writer.text(markup[position:])
            break
        writer.text(markup[position:start])
        if markup.startswith("<!--", start):
            close = markup.find("-->", start + 4)
            position = close + 3 if close >= 0 else end
            continue
        close = markup.find(">", start)
        if close < 0:
            writer.text(markup[start:])
            break
        found = TAG.match(markup, start + 1)
        position = close + 1
        if found:
            closing, name = bool(found.group(1)), found.group(2).lower()
            writer.tag(closing, name, markup[found.end() : close])
            if name in RAW and not closing:
                position = _skip_raw(markup, name, position)
        elif markup[start + 1] not in "!?/":
            writer.text("<")
            position = start + 1
    return tidy("".join(writer.out))


def tidy(text: str) -> str:
    """Collapse spaces and blank lines, drop invisible characters, keep at most 100,000 characters."""
    text = INVISIBLE.sub("", text[: MAX_TEXT * 4]).replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = SPACES.sub(" ", text)
    text = "\n".join(line.strip() for line in text.split("\n"))
    return BLANK_LINES.sub("\n\n", text).strip()[:MAX_TEXT]
