"""What may be granted by Google, each by itself: what we ask for, what is enough, and who wants to know of it.

An app to the left registers what it does with a new grant in a module that its `AppConfig.ready` imports:
`follow("google_calendar", begin)`. It is called with the connection, inside the grant's transaction.
"""

from collections.abc import Callable
from typing import NamedTuple

from integrations import google_oauth
from integrations.models import Connection


class GrantKind(NamedTuple):
    """`enough` lists alternatives: with all scopes of one of them the feature works."""

    provider: str
    scopes: tuple[str, ...]
    enough: tuple[frozenset[str], ...]
    purpose: str
    text_version: str
    url_name: str

    def is_enough(self, granted: tuple[str, ...]) -> bool:
        return any(wanted <= set(granted) for wanted in self.enough)


GMAIL = GrantKind(
    Connection.Provider.GMAIL, google_oauth.GMAIL_SCOPES, (frozenset({google_oauth.GMAIL_READONLY}),),
    "gmail.read", "2026-11", "integrations:gmail_connect",
)  # fmt: skip
CALENDAR = GrantKind(
    Connection.Provider.GOOGLE_CALENDAR, google_oauth.CALENDAR_SCOPES,
    (frozenset({google_oauth.CALENDAR_OWN}), frozenset({google_oauth.CALENDAR})),
    "calendar.sync", "2026-11", "integrations:calendar_connect",
)  # fmt: skip
KINDS = {kind.provider: kind for kind in (GMAIL, CALENDAR)}

_FOLLOWERS: dict[str, list[Callable[[Connection], None]]] = {provider: [] for provider in KINDS}


def follow(provider: str, call: Callable[[Connection], None]) -> None:
    """Raises KeyError for a provider that nobody grants."""
    if call not in _FOLLOWERS[provider]:
        _FOLLOWERS[provider].append(call)


def tell_followers(connection: Connection) -> None:
    for call in _FOLLOWERS[connection.provider]:
        call(connection)
