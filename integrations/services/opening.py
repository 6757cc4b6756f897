"""From a connection to the connector that reads through it."""

from collections.abc import Callable
from typing import cast

from accounts.models import User
from integrations.connectors import CONNECTORS, AccessToken, MailConnector, RecordConnector
from integrations.connectors.base import Held
from integrations.models import Connection, Pipeline
from integrations.services import deliveries, tokens, uploads

Stopping = Callable[[float], bool]


def open_mailbox(connection: Connection, *, acting_user: User | None, stopping: Stopping) -> MailConnector:
    """Raises what `tokens.access_token_for` raises."""
    token = AccessToken(tokens.access_token_for(connection, acting_user=acting_user))
    return cast("type[MailConnector]", CONNECTORS[connection.provider])(token, account=connection.provider_subject, stopping=stopping)


def open_source(
    connection: Connection, *, acting_user: User | None, stopping: Stopping, pipeline: Pipeline | None = None
) -> RecordConnector:
    """With what was brought here for `pipeline`, or for the connection as a whole. Raises what `tokens.secret_for` raises."""
    secret = tokens.secret_for(connection, acting_user=acting_user)
    kind = cast("type[RecordConnector]", CONNECTORS[connection.provider])
    held: Held = None
    if kind.holds == "file":
        held = uploads.held(connection, pipeline)
    elif kind.holds == "deliveries":
        held = deliveries.HeldInbox(connection, pipeline)
    return kind(connection.config, secret, stopping=stopping, held=held)
