"""The connectors this instance knows, by provider. A connector is code; a Connection is somebody's account."""

from integrations.connectors.base import AccessToken, Batch, Connector, Fault, MailConnector, RecordConnector, Setting
from integrations.connectors.csv_upload import CsvUploadConnector
from integrations.connectors.gmail import GmailConnector
from integrations.connectors.http_json import HttpJsonConnector
from integrations.connectors.inbound_webhook import InboundWebhookConnector

CONNECTORS: dict[str, type[Connector]] = {
    one.provider: one for one in (GmailConnector, HttpJsonConnector, CsvUploadConnector, InboundWebhookConnector)
}

__all__ = ["CONNECTORS", "AccessToken", "Batch", "Connector", "Fault", "MailConnector", "RecordConnector", "Setting"]
