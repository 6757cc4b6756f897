"""What the engine asks of a connector. One is made per run.

Two kinds: mail is listed first and what is unknown then fetched, by several threads at once; records come whole, batch by batch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

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
class Batch:
    """Some records, how many beside them could not be read, and the mark from which reading goes on (empty: these were the last)."""

    records: list[Record]
    unreadable: int
    mark: str


class Connector(ABC):
    """Raises only `ProviderError` subclasses. `stopping(seconds)` waits as long at most and tells whether the run is ending."""

    provider: ClassVar[str]
    scopes: ClassVar[tuple[str, ...]] = ()
    settings: ClassVar[tuple[Setting, ...]] = ()
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

    def __init__(self, config: Mapping[str, str], secret: str, *, stopping: Callable[[float], bool]) -> None:
        self.config = {one.name: config.get(one.name, one.initial) for one in self.settings if not one.secret}
        self.secret = secret
        self.stopping = stopping

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @abstractmethod
    def read(self, mark: str) -> Iterator[Batch]:
        """Everything from `mark` on; empty: from the beginning."""
