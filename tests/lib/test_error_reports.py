"""What Sentry would be told: nothing personal, nothing secret (R-179)."""

import json

import sentry_sdk
from sentry_sdk.transport import Transport

from aaperture.lib.error_reports import start_error_reports

SENT: list = []


class Recorder(Transport):
    def capture_envelope(self, envelope):
        SENT.append([item.payload.json for item in envelope.items])


def test_a_reported_error_holds_no_local_variable_no_request_no_address(monkeypatch):
    SENT.clear()
    start_error_reports("https://public@sentry.example.test/1", environment="test")
    client = sentry_sdk.get_client()
    client.transport = Recorder(client.options)
    try:
        assert client.options["send_default_pii"] is False and client.options["include_local_variables"] is False
        sentry_sdk.set_user({"email": "canary@example.test", "ip_address": "203.0.113.8"})
        try:
            canary_local = "canary-local"
            raise RuntimeError(f"refused {len(canary_local)} for canary@example.test with ya29.canarytoken at /home/canary/x.pdf")
        except RuntimeError as error:
            sentry_sdk.capture_exception(error)
        text = json.dumps(SENT)
        assert "RuntimeError" in text and "canary" not in text.replace("test_error_reports", "").replace("canary_local", "")
        assert "203.0.113.8" not in text
    finally:
        sentry_sdk.init()


def test_without_a_dsn_nothing_is_started(monkeypatch):
    monkeypatch.setattr(sentry_sdk, "init", lambda **kwargs: SENT.append("started"))
    SENT.clear()
    start_error_reports("", environment="production")
    assert SENT == []
