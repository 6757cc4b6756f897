"""What the engine asks of a connector. One is made per run and used by several threads at once."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from integrations.items import Item


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


class Connector(ABC):
    """Raises only `ProviderError` subclasses. `stopping(seconds)` waits as long at most and tells whether the run is ending."""

    provider: ClassVar[str]
    scopes: ClassVar[tuple[str, ...]]
    parallel: ClassVar[int] = 1

    def __init__(self, token: AccessToken, *, account: str, stopping: Callable[[float], bool]) -> None:
        self.token = token
        self.account = account
        self.stopping = stopping

    @abstractmethod
    def check(self) -> str:
        """The account's address, which proves that the grant works."""

    @abstractmethod
    def position(self, since: str) -> Position:
        """Where the mailbox stands now, compared with `since` (empty: never seen)."""

    @abstractmethod
    def list_ids(self, after: datetime | None, *, page: str = "") -> Listing:
        """Candidates received after `after`; `page` is the token a listing gave."""

    @abstractmethod
    def fetch(self, message_id: str) -> Item:
        """One message; raises Gone, Unreadable, or what any call may raise."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection this connector opened."""
