"""The connectors this instance knows, by provider. A connector is code; a Connection is somebody's account."""

from integrations.connectors.base import AccessToken, Batch, Connector, MailConnector, RecordConnector, Setting
from integrations.connectors.gmail import GmailConnector
from integrations.connectors.http_json import HttpJsonConnector

CONNECTORS: dict[str, type[Connector]] = {one.provider: one for one in (GmailConnector, HttpJsonConnector)}

__all__ = ["CONNECTORS", "AccessToken", "Batch", "Connector", "MailConnector", "RecordConnector", "Setting"]
