"""The one question asked of a mailbox: mail of known platforms or with telling words. The words are data."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path

import yaml

DATA = Path(__file__).with_suffix(".yaml")


def _term(words: str) -> str:
    """A word as it is, several as a quoted phrase."""
    return f'"{words}"' if " " in words or "'" in words else words


def _any_of(terms: Iterable[str]) -> str:
    """Gmail's braces: one of these is enough."""
    return "{" + " ".join(terms) + "}"


def build(data: dict[str, list[str]]) -> str:
    """The query of the data file; braces mean "any of", terms side by side mean "all of"."""
    certain = [*(f"from:{host}" for host in data["senders"]), *map(_term, data["phrases"])]
    likely = f"({_any_of(map(_term, data['words']))} -category:promotions -category:social)"
    return " ".join([_any_of([*certain, likely]), *(f"-{exclusion}" for exclusion in data["exclude"])])


@cache
def _base() -> str:
    return build(yaml.safe_load(DATA.read_text(encoding="utf-8")))


def narrow_query(*, after: datetime | None = None) -> str:
    """The query, for mail received after `after` (to the second, which Gmail takes as an epoch)."""
    return f"{_base()} after:{int(after.timestamp())}" if after else _base()
