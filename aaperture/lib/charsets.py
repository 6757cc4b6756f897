"""Turn bytes from a mail into text, whatever charset they claim to be in."""

import codecs
import re
from functools import lru_cache

# Only real text charsets: Python also knows codecs that are slow (punycode), that run escapes
# (unicode_escape), or that hide markup from filters (utf-7).
SAFE_CODECS = re.compile(
    r"ascii|utf-8(-sig)?|utf-(16|32)(-[bl]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|big5\w*|gb\w+|"
    r"euc_\w+|iso2022_\w+|shift_jis\w*|johab|hz|tis-620|ptcp154|kz1048"
)
SINGLE_BYTE = re.compile(r"ascii|iso8859-\d+|cp125\d|cp(437|85\d)|koi8-[rtu]|mac-\w+")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@lru_cache(maxsize=512)
def _codec(charset: str) -> str:
    name = charset.strip().strip("\"'").split("*")[0].lower()
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return found if SAFE_CODECS.fullmatch(found) else ""


def _windows(data: bytes) -> str:
    """Windows-1252 leaves five bytes undefined; they are taken as Latin-1, as browsers do."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(bytes([byte]).decode("cp1252", "replace") if byte < 0xA0 else chr(byte) for byte in data)


def _decode(data: bytes, charset: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and len(data) % 2 == 0:
        return data.decode("utf-16", "replace")
    codec = _codec(charset[:60])
    if codec and not SINGLE_BYTE.fullmatch(codec) and not codec.startswith("utf-8"):
        return data.decode(codec, "replace")
    # A mislabelled mail is nearly always UTF-8 called something else, or Windows-1252 called UTF-8:
    # text in another charset is almost never valid UTF-8 by accident.
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if codec in {"", "ascii", "iso8859-1"} or codec.startswith("utf-8"):
        return _windows(data) if _mostly_single_bytes(data) else data.decode("utf-8", "replace")
    return data.decode(codec, "replace")


def _mostly_single_bytes(data: bytes) -> bool:
    """Tell Windows-1252 from UTF-8 with a few damaged bytes."""
    lost = data.decode("utf-8", "replace").count("\ufffd")
    high = sum(byte >= 0x80 for byte in data[:20_000])
    return lost * 3 > min(high, lost * 4)


def decode(data: bytes, charset: str = "") -> str:
    """Text of `data`; a wrong, unknown or unsafe `charset` costs characters, never an error."""
    return CONTROL.sub("", _decode(data, charset))
