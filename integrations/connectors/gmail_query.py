"""The one question asked of a mailbox: mail of known platforms or with telling words. The words are data."""

from datetime import datetime
from functools import cache
from pathlib import Path

import yaml

DATA = Path(__file__).with_suffix(".yaml")


def _term(words: str) -> str:
    """A word as it is, several as a quoted phrase."""
    return f'"{words}"' if " " in words or "'" in words else words


def _any_of(terms: list[str]) -> str:
    """Gmail's braces: one of these is enough."""
    return "{" + " ".join(terms) + "}"


def build(data: dict) -> str:
    """The query of the data file: any sender, subject or phrase matches; what never counts is excluded.

    Braces mean OR and hold plain terms only, so that no reading of the grammar can widen the query.
    """
    terms = [f"from:{host}" for host in data["senders"]]
    terms += [f"subject:{_term(words)}" for words in data["subjects"]]
    terms += [_term(words) for words in data["phrases"]]
    return " ".join([_any_of(terms), *(f"-{exclusion}" for exclusion in data["exclude"])])


@cache
def _base() -> str:
    return build(yaml.safe_load(DATA.read_text(encoding="utf-8")))


def narrow_query(*, after: datetime | None = None) -> str:
    """The query, for mail received after `after` (to the second, which Gmail takes as an epoch)."""
    return f"{_base()} after:{int(after.timestamp())}" if after else _base()
