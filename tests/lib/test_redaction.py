"""Nothing secret or personal gets into a log line: R-175 … R-179."""

import io
import json
import logging
from unittest.mock import Mock

import pytest
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from aaperture.lib.logs import formatter
from aaperture.lib.redaction import redact, redact_text
from operations.monitoring import health


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail to alice.jones@example.com failed", "mail to a***@example.com failed"),
        ("open /home/alice/contracts/x.pdf", "open <path>/x.pdf"),
        ("GET /cb?code=4/0Abc&state=s3cr&x=1", "GET /cb?code=[redacted]&state=[redacted]&x=1"),
        ("postgresql://app:hunter2@db/aaperture", "postgresql://app:[redacted]@db/aaperture"),
        ("Authorization: Bearer abcdefghijk", "Authorization: Bearer [redacted]"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc end", "token [redacted] end"),
        ("key sk_live_abc123 and ya29.a0AfB-x and AIzaSyA1234567890", "key [redacted] and [redacted] and [redacted]"),
        ("POST /accounts/password/reset/key/4-abc-def/ ok", "POST /accounts/password/reset/key/[redacted]/ ok"),
        ("GET /p/AbCdEf ok", "GET /p/[redacted] ok"),
        ("Not Found: /Invitations/8zsSajzO8rrvOXSmcUVCLRqnR_wr7VKFak_FLgljFSw/x", "Not Found: /Invitations/[redacted]/x"),
        ("Not Found: /runs/01a201dd-d4e9-7e8d-b91b-47f6223b1923/", "Not Found: /runs/01a201dd-d4e9-7e8d-b91b-47f6223b1923/"),
        ("to _alice@example.com, josé@exemple.fr and root@localhost", "to _***@example.com, j***@exemple.fr and r***@localhost"),
        ("GET /x?login_hint=alice%40example.com", "GET /x?login_hint=a***@example.com"),
        ("answer {'refresh_token': 'abc', 'n': 1}", "answer {'refresh_token': '[redacted]', 'n': 1}"),
        ("Cookie: sessionid=abc; password=hunter2", "Cookie: sessionid=[redacted]; password=[redacted]"),
        ("violates check\nDETAIL:  Failing row contains (1, Alice's wedding).", "violates check"),
        ("bad escape\nLINE 1: INSERT INTO x VALUES ('Alice')\n   ^", "bad escape"),
    ],
)
def test_what_is_masked(text, shown):
    assert redact_text(text) == shown


def test_nested_values_bytes_and_exceptions_are_walked():
    shown = redact({"a": [{"refresh_token": "1//x", "note": ValueError("bob@example.com")}], "b": b"secret", "Cookie": "s=1"})
    assert shown == {
        "a": [{"refresh_token": "[redacted]", "note": "ValueError: b***@example.com"}],
        "b": "[6 bytes]",
        "Cookie": "[redacted]",
    }


def render(record: logging.LogRecord) -> dict:
    return json.loads(formatter().format(record))


def test_a_log_line_is_one_json_object_with_time_level_and_extra():
    record = logging.makeLogRecord({"name": "mailing", "levelname": "INFO", "levelno": 20, "msg": "sent %s", "args": ("bob@example.com",)})
    record.password = "hunter2"
    record.count = 3
    line = render(record)
    assert line["event"] == "sent b***@example.com" and line["password"] == "[redacted]" and line["count"] == 3
    assert line["level"] == "info" and line["logger"] == "mailing" and line["timestamp"].endswith("Z")


def test_a_traceback_shows_frames_but_no_locals_and_no_secret():
    secret_local = "canary-local-value"  # noqa: F841
    try:
        raise RuntimeError("refused for carol@example.com with ya29.abcdef")
    except RuntimeError:
        import sys

        record = logging.makeLogRecord({"name": "x", "levelname": "ERROR", "levelno": 40, "msg": "boom", "exc_info": sys.exc_info()})
    text = json.dumps(render(record))
    assert "canary-local-value" not in text and "carol@" not in text and "ya29" not in text
    assert "RuntimeError" in text and "test_a_traceback_shows" in text


@pytest.mark.django_db
def test_what_any_page_fails_with_is_one_redacted_line_of_json(monkeypatch):
    """By the handler that the settings give every process, so the settings must name it."""
    ours = [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    assert [type(handler.formatter) for handler in ours] == [ProcessorFormatter]
    assert not [name for name in ("django", "django.request", "django.server") if logging.getLogger(name).handlers]
    lines = io.StringIO()
    monkeypatch.setattr(ours[0], "stream", lines)
    monkeypatch.setattr(health, "JsonResponse", Mock(side_effect=RuntimeError("token=tell-nobody for camille@example.test")))
    assert Client(raise_request_exception=False).get("/health/live").status_code == 500
    (told,) = [entry for entry in map(json.loads, lines.getvalue().splitlines()) if entry["level"] == "error"]
    assert (told["exception"]["type"], told["logger"]) == ("RuntimeError", "django.request")
    assert "tell-nobody" not in lines.getvalue() and "camille@" not in lines.getvalue()
