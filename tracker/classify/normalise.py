"""Text as the phrase tables see it: lower case, no accents, one sentence a line, one space between words.

Times, dates, money and addresses become words of their own (`@time`, `@date`, `@day`, `@money`, `@mail`, `@url`,
`@book`, `@meet`, `@test`), so that a phrase can say "at @time" in any notation.
"""

import re
import unicodedata
from functools import lru_cache

MAX_SENTENCE_WORDS = 120
MONTHS = (
    "jan(?:uary|vier)?|feb(?:ruary)?|fevr?(?:ier)?|mar(?:ch|s)?|apr(?:il)?|avr(?:il)?|may|mai|june?|juin|july?|juil(?:let)?"
    "|aug(?:ust)?|aout|sept?(?:ember|embre)?|oct(?:ober|obre)?|nov(?:ember|embre)?|dec(?:ember|embre)?"
)
DAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
    "|tues?|weds?|thu(?:rs?)?|fri"
)
SHORT_DAYS = "mon|sat|sun|lun|mar|mer|jeu|ven|sam|dim"  # words of their own in French: days only before a number
BOOKING_HOSTS = (
    "calendly|cal\\.com|doodle|savvycal|youcanbook|tidycal|zcal|koalendar|zeeg|goodtime|bookwithme|meetings\\.hubspot|"
    "calendar\\.app|calbook|chilipiper|acuityscheduling|simplybook|rdv|framadate|when2meet|sondage|evento|appointlet|"
    "schedul|booking|/book|//book|choose-?slot|slots?/|creneau|picktime|planning|availability|dispo"
)
TEST_HOSTS = (
    "hackerrank|codility|codesignal|coderbyte|testgorilla|hirevue|codingame|devskiller|testdome|hackerearth|qualified\\.io|"
    "shl|assessfirst|centraltest|pymetrics|sparkhire|willo|vidcruiter|easyrecrue|isograd|codetrial|assess|/test"
)
MEETING_HOSTS = "zoom\\.us|meet\\.google|teams\\.microsoft|teams\\.live|whereby|webex|meet\\.jit|visio|/meet|gotomeet|around\\.co"

URL = re.compile(r"<?(?:https?://|www\.)[^\s<>\"]{1,300}>?")
BOOKING, TESTING, MEETING = re.compile(BOOKING_HOSTS), re.compile(TEST_HOSTS), re.compile(MEETING_HOSTS)
EMAIL = re.compile(r"<?[\w.+-]{1,60}@[\w-]{1,60}(?:\.[\w-]{1,30}){1,4}>?")
MONEY = re.compile(
    r"(?:[$€£]|\b(?:usd|eur|gbp|chf|cad)\b)\s?\d[\d.,' ]{0,12}k?(?!\w)"
    r"|\b\d[\d.,' ]{0,12}\s?(?:k\s?)?(?:[$€£]|\b(?:euros?|eur|dollars?|pounds?|quid|usd|gbp|chf|cad|balles)\b)(?:\s?(?:ht|ttc)\b)?"
    r"|\b\d{2,3}(?:[.,]\d)?\s?k\b"
)
TIME = re.compile(
    r"\b(?:[01]?\d|2[0-3])\s?(?::|h|\.)\s?[0-5]\d(?:\s?[ap]\.?m\b\.?)?(?!\d|\.\d)|\b(?:1[0-2]|0?\d)\s?[ap]\.?m\b\.?"
    r"|\b(?:[01]?\d|2[0-3])\s?(?:h|heures?|o'clock)(?=[\s,.;:!?)-]|$)|\b(?:at|by) noon\b|\ba midi\b"
)
DATE = re.compile(
    rf"\b(?:(?:{DAYS}|{SHORT_DAYS})\.?,?\s)?(?:the\s|le\s)?(?:\d{{1,2}}(?:st|nd|rd|th|er)?\s(?:of\s)?(?:{MONTHS})\b\.?|(?:{MONTHS})\.?\s\d{{1,2}}(?:st|nd|rd|th)?\b)"
    r"(?:,?\s20\d\d\b)?|\b\d{1,2}[/.]\d{1,2}[/.](?:20)?\d\d\b|\b20\d\d-\d\d-\d\d\b|\bthe \d{1,2}(?:st|nd|rd|th)\b"
    rf"|\b(?:{DAYS}|{SHORT_DAYS})\.?\s(?:the\s|le\s)?\d{{1,2}}(?:st|nd|rd|th|er)?(?![\d:h])|\b\d{{1,2}}/\d{{1,2}}\b"
)
DIGIT = re.compile(r"\d")
NOT_ASCII = re.compile(r"[^\x00-\x7f]")
DAY = re.compile(rf"\b(?:{DAYS})s?\b\.?")
CONTRACTIONS = (
    ("won't", "will not"),
    ("can't", "can not"),
    ("shan't", "shall not"),
    ("n't", " not"),
    ("'re ", " are "),
    ("'ve ", " have "),
    ("'ll ", " will "),
    ("'m ", " am "),
    ("'d ", " would "),
)
ABBREVIATIONS = re.compile(r"\b(mr|mrs|ms|dr|st|m|mme|mlle|ref|no|n|approx|env|etc|ex|e\.g|i\.e|cf|av|bd|vs|dept|ext|tel|p\.s)\.")
SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'»)]*\s+|\s+[–—•|]\s+|\s+-\s+|;\s+|(?<=[?!])(?=[a-z])")
WORD = re.compile(r"@[a-z]+|[a-z0-9]+(?:[&+/][a-z0-9]+)*|\?|%|#")
FOLDED = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "·": ""})
INCLUSIVE = re.compile(r"(?<=[a-z])[(.]?(?:[(.](?:e|ne|le|trice|euse|se|rice)[).]?)(s?)(?=[\s,.;:!?]|$)")


def fold(text: str) -> str:
    """Lower case without accents, straight apostrophes, plain spaces. Of several lines at once, line by line."""
    text = text.lower()
    if not text.isascii():
        for character in set(NOT_ASCII.findall(text)):  # a mail has few different ones
            text = text.replace(character, _plain(character))
    return text.replace("`", "'")


@lru_cache(maxsize=4_000)
def _plain(character: str) -> str:
    letters = unicodedata.normalize("NFKD", character.translate(FOLDED).lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(FOLDED)


def fold_lines(lines: list[str]) -> list[str]:
    """Each line folded: of all in one go, which costs a fraction."""
    return fold("\n".join(lines)).split("\n") if lines else []


def _url(found: re.Match[str]) -> str:
    address = found.group()
    if BOOKING.search(address):
        return " @book "
    if TESTING.search(address):
        return " @test "
    return " @meet " if MEETING.search(address) else " @url "


def _tokens_of_kind(text: str) -> str:
    """Addresses, sums and dates as one token each; most lines have no digit and skip the costly patterns."""
    if "//" in text or "www." in text:
        text = URL.sub(_url, text)
    if "@" in text:
        text = EMAIL.sub(" @mail ", text)
    numbers = DIGIT.search(text) is not None
    if numbers:
        text = DATE.sub(" @date ", MONEY.sub(" @money ", text))
    if numbers or "noon" in text or "midi" in text:
        text = TIME.sub(" @time ", text)
    return DAY.sub(" @day ", text)


def _join_wrapped(text: str) -> list[str]:
    """Paragraph lines that were only wrapped, joined again; short or closed lines stay apart."""
    lines: list[str] = []
    open_line = False
    for line in text.split("\n"):
        line = line.strip()
        if open_line and line and line[0] not in "-*•>–" and (line[0].islower() or line[0].isdigit() or line[0] in "'\"(«@é"):
            lines[-1] += " " + line
        elif line:
            lines.append(line)
        open_line = bool(line) and (len(lines[-1]) > 45 or line[-1] == ",") and line[-1] not in ".!?:;"
        if line and len(line) > 60 and line[-1] not in ".!?:;":
            open_line = True
    return lines


def _without_contractions(text: str) -> str:
    if "'" in text:
        for short, long in CONTRACTIONS:
            text = text.replace(short, long)
    return text.replace("cannot", "can not")


def sentences(text: str) -> list[str]:
    """Normalised sentences: " words between spaces ", a question ending in " ? "."""
    found: list[str] = []
    joined = _without_contractions(fold("\n".join(_join_wrapped(text))))
    for line in joined.split("\n") if joined else ():
        line = _tokens_of_kind(line + " ")
        if "." in line or "(" in line:
            line = ABBREVIATIONS.sub(r"\1", INCLUSIVE.sub(r"\1", line))
        for piece in SENTENCE_END.split(line):
            words = WORD.findall(piece)
            starts = range(0, len(words), MAX_SENTENCE_WORDS)
            found.extend(" " + " ".join(words[start : start + MAX_SENTENCE_WORDS]) + " " for start in starts)
    return found
