"""What the engine asks of a connector. One is made per run.

Two kinds: mail is listed first and what is unknown then fetched, by several threads at once; records come whole, batch by batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from integrations.items import Item, Record


class AccessToken:
    """The bearer token of a run, replaced when it is refreshed; never printed."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<AccessToken>"


@dataclass(frozen=True)
class Position:
    """Where the mailbox stands: `mark` is opaque text, `changed` whether anything came since the last one."""

    mark: str
    changed: bool


@dataclass(frozen=True)
class Listing:
    """One page of candidate ids, newest first, and the token of the next one ("": there is none)."""

    ids: list[str]
    next_page: str


@dataclass(frozen=True)
class Setting:
    """One thing a connector is told when a connection is made; the one that is `secret` is sealed and never shown again."""

    name: str
    label: Any
    help: Any = ""
    required: bool = True
    secret: bool = False
    longest: int = 500
    initial: str = ""
    choices: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Fault:
    """One thing that could not be read: a code that has words in `integrations.wording.EVENTS`, and where it stands. Never content."""

    code: str
    place: str = ""


@dataclass(frozen=True)
class Batch:
    """Some records, what beside them could not be read, and the mark from which reading goes on (empty: these were the last).

    `settle` is called in the transaction that stores them: what waited here for being read is then done with.
    """

    records: list[Record]
    faults: list[Fault]
    mark: str
    settle: Callable[[], None] | None = None


class HeldFile(Protocol):
    """A file that somebody brought and that lies here, sealed."""

    name: str
    encoding: str

    def pieces(self, place: int = 0) -> Iterator[bytes]:
        """Its bytes from `place` on."""

    def settle(self) -> None:
        """It has been read."""


class HeldDeliveries(Protocol):
    """What was delivered and waits here, sealed."""

    def take(self, after: str, most: int) -> list[tuple[str, str]]:
        """Names and texts, in the order of arrival, of those after the one called `after` (empty: from the first on)."""

    def settle(self, names: list[str]) -> None:
        """They have been read."""

    def count(self) -> int:
        """How many wait."""


Held = HeldFile | HeldDeliveries | None


class Connector(ABC):
    """Raises only `ProviderError` subclasses. `stopping(seconds)` waits as long at most and tells whether the run is ending."""

    provider: ClassVar[str]
    scopes: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[tuple[Setting, ...]] = ()
    told_apart_by: ClassVar[tuple[str, ...]] = ()  # the settings that say which source it is; none: each connection is one of its own
    holds: ClassVar[str] = ""  # what others bring here for it: "file" or "deliveries"
    makes_secret: ClassVar[bool] = False  # whether its secret is made here, and given to whoever calls us
    stopping: Callable[[float], bool]

    @abstractmethod
    def check(self) -> str:
        """What proves that the connection works: the account's address, or how many records were seen."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection this connector opened; a second time does no harm."""

    @classmethod
    def faults(cls, values: Mapping[str, str]) -> dict[str, Any]:
        """What is wrong with settings that staff gave, by setting."""
        return {}

    @classmethod
    def wants_secret(cls, values: Mapping[str, str]) -> bool:
        """Whether these settings make use of the secret; one that nobody needs is not kept."""
        return True


class MailConnector(Connector):
    """A mailbox that somebody authorised by OAuth."""

    parallel: ClassVar[int] = 1

    def __init__(self, token: AccessToken, *, account: str, stopping: Callable[[float], bool]) -> None:
        self.token = token
        self.account = account
        self.stopping = stopping

    @abstractmethod
    def position(self, since: str) -> Position:
        """Where the mailbox stands now, compared with `since` (empty: never seen)."""

    @abstractmethod
    def list_ids(self, after: datetime | None, *, page: str = "") -> Listing:
        """Candidates received after `after`; `page` is the token a listing gave."""

    @abstractmethod
    def fetch(self, message_id: str) -> Item:
        """One message; raises Gone, Unreadable, or what any call may raise."""


class RecordConnector(Connector):
    """A source of JSON objects that staff described by `settings`."""

    def __init__(self, config: Mapping[str, str], secret: str, *, stopping: Callable[[float], bool], held: Held = None) -> None:
        self.config = {one.name: config.get(one.name, one.initial) for one in self.settings if not one.secret}
        self.secret = secret
        self.stopping = stopping
        self.noticed: dict[str, int] = {}  # what a run tells at its end, by its code in `integrations.wording.EVENTS`

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def close(self) -> None:
        """Nothing is open, unless a connector says otherwise."""

    @property
    def marks_are_secret(self) -> bool:
        """Whether a `Batch.mark` may hold what nobody is to read: it is then sealed while it is kept."""
        return False

    @abstractmethod
    def read(self, mark: str) -> Iterator[Batch]:
        """Everything from `mark` on; empty: from the beginning. Nothing changes by reading: that is what `Batch.settle` is for."""

    def give_up(self) -> None:
        """What was read so far can never be read to its end, or nobody wants it any more."""
