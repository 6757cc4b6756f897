"""A few things of a connection, to try steps on: read at once, shown once, stored nowhere."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied

from accounts.models import User
from audit.services import record
from integrations.connectors import CONNECTORS, MailConnector, RecordConnector
from integrations.errors import Gone, Unauthorized, Unreadable
from integrations.items import Item, Record
from integrations.models import Connection
from integrations.services import opening, tokens

MOST = 5
Found = TypeVar("Found")


def _at_once(seconds: float) -> bool:
    """Somebody waits for the answer: nothing is tried a second time."""
    return seconds > 0


def connections_for(user: User, *, mail: bool) -> list[Connection]:
    """Those of the instance that `user` may sample, of the kind asked for. A member's own is nobody's to look into."""
    if not user.has_perm("integrations.test_connection"):
        return []
    kind = MailConnector if mail else RecordConnector
    providers = [name for name, connector in CONNECTORS.items() if issubclass(connector, kind)]
    own = Connection.objects.usable().without_secrets().filter(owner=None, provider__in=providers)
    return list(own.order_by("name", "created_at"))


def _require(connection: Connection, actor: User) -> None:
    if connection.owner_id is not None or not actor.has_perm("integrations.test_connection"):
        raise PermissionDenied


def records(connection: Connection, *, actor: User, most: int = MOST) -> list[Record]:
    """The first records of a source. Raises PermissionDenied, NotConnected, ProviderError."""
    _require(connection, actor)
    connector = opening.open_source(connection, acting_user=actor, stopping=_at_once)
    try:
        found: list[Record] = []
        for batch in connector.read(""):
            found += batch.records[: most - len(found)]
            if len(found) >= most or not batch.mark:
                break
        record("connection.sampled", connection, actor=actor, records=len(found))
        return found
    finally:
        connector.close()


def mails(connection: Connection, *, actor: User, most: int = MOST) -> list[Item]:
    """The newest mails that a mailbox of the instance's would be read for. Raises as `records` does, and OAuthUnavailable."""
    _require(connection, actor)
    connector = opening.open_mailbox(connection, acting_user=actor, stopping=_at_once)
    try:
        renewing = Renewing(connection, connector, actor)
        listed = renewing(lambda: connector.list_ids(None)).ids
        found = fetched(renewing, connector, listed[:most])
        record("connection.sampled", connection, actor=actor, mails=len(found))
        return found
    finally:
        connector.close()


class Renewing:
    """Calls of a mailbox, each asked once more with another token when this one is refused."""

    def __init__(self, connection: Connection, connector: MailConnector, actor: User | None) -> None:
        self.connection, self.connector, self.actor = connection, connector, actor

    def __call__(self, ask: Callable[[], Found]) -> Found:
        token: Any = self.connector.token
        try:
            return ask()
        except Unauthorized:
            token.value = tokens.renewed_after_refusal(self.connection, acting_user=self.actor, refused=token.value)
            return ask()


def fetched(renewing: Renewing, connector: MailConnector, ids: list[str]) -> list[Item]:
    """Those of `ids` that can be read."""
    found = []
    for message_id in ids:
        try:
            found.append(renewing(partial(connector.fetch, message_id)))
        except (Gone, Unreadable):
            continue
    return found
