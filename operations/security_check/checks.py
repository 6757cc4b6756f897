"""What a check is, and how all of them are run. A finding names variables, counts and days; never a value."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    OK = "ok"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    BY_HAND = "to do by hand"


class Finding(NamedTuple):
    """What a check came to, and what to do about it or how it was found."""

    outcome: Outcome
    note: str


class Check(NamedTuple):
    """`how` says where it looks."""

    id: str
    what: str
    how: str
    look: Callable[[], Finding]


CHECKS: dict[str, Check] = {}


def check(id_: str, what: str, how: str) -> Callable[[Callable[[], Finding]], Callable[[], Finding]]:
    """Adds a function to the checklist."""

    def add(look: Callable[[], Finding]) -> Callable[[], Finding]:
        if id_ in CHECKS:
            raise ValueError(f"two checks are called {id_}")
        CHECKS[id_] = Check(id_, what, how, look)
        return look

    return add


def by_hand(id_: str, what: str, note: str) -> None:
    check(id_, what, "a person looks")(lambda: Finding(Outcome.BY_HAND, note))


def ok(note: str = "") -> Finding:
    return Finding(Outcome.OK, note)


def failed(note: str) -> Finding:
    return Finding(Outcome.FAILED, note)


def ok_unless(faults: Iterable[str], note: str = "") -> Finding:
    """Failed with the faults, if there are any."""
    found = list(faults)
    return failed("; ".join(found)) if found else ok(note)


def not_applicable(note: str) -> Finding:
    return Finding(Outcome.NOT_APPLICABLE, note)


def run(only: Iterable[str] = ()) -> Iterator[tuple[Check, Finding]]:
    """Every check, or those named, in order. One that breaks has failed, and hides no other."""
    wanted = set(only)
    for one in CHECKS.values():
        if wanted and one.id not in wanted:
            continue
        try:
            finding = one.look()
        except Exception as error:  # noqa: BLE001 - whatever breaks; its text may hold an address or a password
            finding = failed(f"could not be looked at ({type(error).__name__})")
        yield one, finding
