"""The connectors this instance knows, by provider. A connector is code; a Connection is somebody's account."""

from integrations.connectors.base import AccessToken, Connector
from integrations.connectors.gmail import GmailConnector

CONNECTORS: dict[str, type[Connector]] = {GmailConnector.provider: GmailConnector}

__all__ = ["CONNECTORS", "AccessToken", "Connector"]
