"""From a connection to the connector that reads through it."""

from collections.abc import Callable
from typing import cast

from accounts.models import User
from integrations.connectors import CONNECTORS, AccessToken, MailConnector, RecordConnector
from integrations.models import Connection
from integrations.services import tokens

Stopping = Callable[[float], bool]


def open_mailbox(connection: Connection, *, acting_user: User | None, stopping: Stopping) -> MailConnector:
    """Raises what `tokens.access_token_for` raises."""
    token = AccessToken(tokens.access_token_for(connection, acting_user=acting_user))
    return cast("type[MailConnector]", CONNECTORS[connection.provider])(token, account=connection.provider_subject, stopping=stopping)


def open_source(connection: Connection, *, acting_user: User | None, stopping: Stopping) -> RecordConnector:
    """Raises what `tokens.secret_for` raises."""
    secret = tokens.secret_for(connection, acting_user=acting_user)
    return cast("type[RecordConnector]", CONNECTORS[connection.provider])(connection.config, secret, stopping=stopping)
