"""Mail headers as people read them: encoded words (RFC 2047), parameters (RFC 2231), address lists."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from aaperture.lib.charsets import decode

MAX_ADDRESSES = 100
ENCODED_WORD = re.compile(r"=\?([\w.:*+-]{1,60})\?([bBqQ])\?([^?\s]{0,4000}(?: [^?\s]{0,200}){0,20})\?=")
BETWEEN_WORDS = re.compile(r"(\?=)\s{1,200}(?==\?)")
SPACES = re.compile(r"\s+")


def _word_bytes(encoding: str, data: str) -> bytes:
    raw = data.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw.replace(b" ", b"_"), header=True)
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    try:
        return base64.b64decode(clean + b"=" * (-len(clean) % 4))
    except (binascii.Error, ValueError):
        return b""


def decode_header(value: str) -> str:
    """The text of a header; words that cannot be decoded are left as they came."""
    if "=?" not in value:
        return SPACES.sub(" ", value).strip()
    out: list[str] = []
    position, charset, pending = 0, "", b""
    value = BETWEEN_WORDS.sub(r"\1", value)
    for found in ENCODED_WORD.finditer(value):
        # Neighbouring words of one charset are joined as bytes: some senders cut a character in two.
        if pending and (found.start() > position or found.group(1).lower() != charset):
            out.append(decode(pending, charset))
            pending = b""
        out.append(value[position : found.start()])
        charset, position = found.group(1).lower(), found.end()
        pending += _word_bytes(found.group(2), found.group(3))
    if pending:
        out.append(decode(pending, charset))
    out.append(value[position:])
    return SPACES.sub(" ", "".join(out)).strip()


def parameter(value: str, name: str) -> str:
    """The parameter `name` of a structured header, "" when absent; continuations and charsets decoded."""
    if name not in value.lower():
        return ""
    plain = re.search(rf"(?i);\s*{name}\s*=\s*(?:\"([^\"]{{0,500}})\"?|([^\s;\"]{{1,500}}))", value)
    if plain:
        return decode_header(plain.group(1) if plain.group(1) is not None else plain.group(2))
    pieces = re.findall(rf"(?i);\s*{name}\*(?:(\d{{1,2}})\*?)?=\s*(?:\"([^\"]{{0,500}})\"|([^\s;\"]{{1,500}}))", value)
    if not pieces:
        return ""
    text = "".join(quoted or bare for _, quoted, bare in sorted(pieces, key=lambda piece: int(piece[0] or 0)))
    charset, _, rest = text.partition("'") if text.count("'") >= 2 else ("", "", "")
    data = rest.partition("'")[2] if charset else text.lstrip("'")
    return decode(unquote_to_bytes(data), charset)


def address_list(value: str) -> list[str]:
    """Split at commas outside quotes and brackets, then decode each address."""
    found: list[str] = []
    current: list[str] = []
    quoted = angle = False
    for character in value[:20_000]:
        if character == '"':
            quoted = not quoted
        elif character in "<>" and not quoted:
            angle = character == "<"
        elif character in ",;" and not quoted and not angle:
            found.append("".join(current))
            current = []
            continue
        current.append(character)
    found.append("".join(current))
    decoded = (decode_header(address) for address in found[:MAX_ADDRESSES])
    return [address for address in decoded if address]
