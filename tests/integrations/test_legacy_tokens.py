"""Grants of an earlier system: Fernet in, our own seal kept, nothing shown (R-022)."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from integrations.models import Connection
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
CANARY = "1//canary-refresh-token"
KEY = Fernet.generate_key()


def row(**changes):
    values = {
        "user": "camille@example.test",
        "account_email": "camille@gmail.example",
        "provider_subject": "1001",
        "refresh_token": Fernet(KEY).encrypt(CANARY.encode()).decode(),
        "scopes": ["openid", "https://www.googleapis.com/auth/gmail.readonly"],
    }
    return values | changes


def run(tmp_path, *rows):
    file = tmp_path / "grants.jsonl"
    file.write_text("\n".join(json.dumps(values) for values in rows))
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command("import_fernet_tokens", str(file), stdout=out, stderr=errors)
    except CommandError as error:
        return out.getvalue(), errors.getvalue(), str(error)
    return out.getvalue(), errors.getvalue(), ""


def test_a_fernet_token_is_taken_over_and_sealed_anew(settings, tmp_path):
    settings.FERNET_KEYS = [KEY.decode()]
    make_user(email="camille@example.test")
    out, errors, failure = run(tmp_path, row())
    assert "1 taken over" in out and not errors + failure
    kept = Connection.objects.get()
    assert kept.refresh_token == CANARY and kept.pipelines.count() == 1
    assert kept in Connection.objects.due_for_refresh(timezone.now()), "it came without an access token: one is fetched at once"
    with connection.cursor() as cursor:
        cursor.execute("SELECT refresh_token FROM integrations_connection")
        stored = bytes(cursor.fetchone()[0])
    assert stored[:1] == b"\x01" and CANARY.encode() not in stored and b"gAAAA" not in stored


def test_what_cannot_be_taken_over_is_named_by_line_and_shows_no_value(settings, tmp_path):
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    make_user(email="camille@example.test")
    out, errors, failure = run(tmp_path, row(), row(user="nobody@example.test"), row(scopes=["openid"]), row(refresh_token=""), [1])
    assert "0 taken over, 5 left" in out and failure
    assert errors.count("Line ") == 5 and CANARY not in errors and "nobody@" not in errors and "gAAAA" not in errors
    assert not Connection.objects.exists()
