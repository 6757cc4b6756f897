"""`manage.py security_check`: every check can fail, none breaks the others, and no value is ever printed (R-229)."""

import io
import json
import ssl
from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from psycopg import sql

from aaperture.lib import heartbeats
from accounts.roles import Role
from audit.alerts import services as alerts
from audit.detectors import Severity
from operations import security_check
from operations.models import Backup
from operations.security_check import CHECKS, Finding, Outcome
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db
CANARY = "canary-Value-of-a-secret"
STRONG = "q8-Zr71uKxY-2"  # not-a-secret: for a test


def found(*only: str) -> dict[str, Finding]:
    return {one.id: finding for one, finding in security_check.run(only)}


def outcome(id_: str) -> Outcome:
    return found(id_)[id_].outcome


def said(*arguments: str) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("security_check", *arguments, stdout=out, no_color=True)
    except SystemExit as ended:
        return out.getvalue(), int(ended.code or 0)
    return out.getvalue(), 0


def test_a_development_instance_is_told_what_is_missing_and_nothing_of_what_is_there(settings):
    settings.SECRET_KEY = settings.METRICS_TOKEN = settings.STRIPE_SECRET_KEY = CANARY
    settings.EMAIL_URL = f"smtp://user:{CANARY}@smtp.example.test"
    settings.CORS_ORIGINS = [f"http://{CANARY}.example.test", "*"]
    text, status = said()
    assert status == 1 and CANARY not in text
    for id_ in ("environment", "configuration", "secrets-strong", "https", "cors", "administrators", "witnesses", "processes"):
        assert f"failed          {id_} " in text, id_
    assert "STRIPE_WEBHOOK_SECRET is missing" in text and "EMAIL_URL must be smtps" in text
    as_json, status = said("--json")
    told = json.loads(as_json)
    assert status == 1 and CANARY not in as_json and len(told["checks"]) == len(CHECKS) and told["failed"] > 8
    assert set(told["checks"][0]) == {"id", "what", "how", "outcome", "note"}
    only, _status = said("--failed", "limits", "hosts")
    assert only.splitlines() == ["2 ok, 0 failed, 0 not applicable, 0 to do by hand"] and _status == 0
    with pytest.raises(CommandError, match="no such check: nonsense"):
        call_command("security_check", "nonsense")


def test_a_check_that_breaks_has_failed_and_hides_no_other(monkeypatch):
    def broken():
        raise RuntimeError(CANARY)

    monkeypatch.setitem(CHECKS, "hosts", CHECKS["hosts"]._replace(look=broken))
    told = found()
    assert told["hosts"] == Finding(Outcome.FAILED, "could not be looked at (RuntimeError)") and len(told) == len(CHECKS)


def test_each_setting_turns_its_check(settings):
    good = {
        "cors": {"CORS_ORIGINS": ["https://app.example.test"]}, "hosts": {"ALLOWED_HOSTS": ["studio.example.test"]},
        "proxies": {"TRUSTED_PROXIES": ["10.0.0.0/8"]}, "developers": {"ALLOW_DEV_ROLE_IN_PRODUCTION": False},
        "encrypted": {"ALLOW_UNENCRYPTED": [], "EMAIL_URL": "smtps://smtp.example.test"},
        "alert-recipients": {"SECURITY_ALERT_EMAILS": ["security@example.test"]},
        "witnesses": {"AUDIT_HEADS": "/srv/a", "AUDIT_ARCHIVE": "/srv/a", "ERASURE_LEDGER": "/srv/b"},
        "metrics": {"METRICS_TOKEN": "x" * 32, "SENTRY_DSN": ""},
        "https": {"HTTPS": True, "SECURE_SSL_REDIRECT": True, "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True,
                  "SECURE_HSTS_SECONDS": 31536000},
        "secrets-strong": {"SECRET_KEY": "c4Vd0wq8ZrT1uKxY7mNs2bHfLpGj5eRaQ9tWiOzX"},  # not-a-secret: for a test
        "passwords-changed": {"REDIS_URL": f"rediss://:{STRONG}@cache/0"},
    }  # fmt: skip
    bad = {
        "cors": {"CORS_ORIGINS": ["null"]}, "hosts": {"ALLOWED_HOSTS": ["*"]}, "proxies": {"TRUSTED_PROXIES": []},
        "developers": {"ALLOW_DEV_ROLE_IN_PRODUCTION": True}, "encrypted": {"EMAIL_URL": "smtp://smtp.example.test"},
        "alert-recipients": {"SECURITY_ALERT_EMAILS": []}, "witnesses": {"AUDIT_HEADS": ""}, "metrics": {"METRICS_TOKEN": ""},
        "https": {"SESSION_COOKIE_SECURE": False}, "secrets-strong": {"SECRET_KEY": "change-me"},
        "passwords-changed": {"DATABASE_URL": "postgresql://app:password@db/app?sslmode=require"},
    }  # fmt: skip
    settings.DATABASE_URL = settings.MIGRATION_DATABASE_URL = f"postgresql://app:{STRONG}@db/app?sslmode=require"
    for values in good.values():
        for name, value in values.items():
            setattr(settings, name, value)
    assert {id_: finding.outcome for id_, finding in found(*good).items()} == dict.fromkeys(good, Outcome.OK)
    for id_, values in bad.items():
        before = {name: getattr(settings, name) for name in values}
        for name, value in values.items():
            setattr(settings, name, value)
        assert outcome(id_) is Outcome.FAILED, id_
        for name, value in before.items():
            setattr(settings, name, value)


def test_people_and_what_runs_turn_their_checks(settings):
    assert outcome("administrators") is Outcome.FAILED and outcome("processes") is Outcome.FAILED
    admin = make_user(role=Role.ADMIN)
    assert outcome("administrators") is Outcome.OK and outcome("second-factors") is Outcome.OK
    make_user(role=Role.DEVELOPER, second_factor=False)
    assert outcome("second-factors") is Outcome.FAILED and outcome("access-review") is Outcome.FAILED
    assert outcome("alerts-open") is Outcome.OK
    alerts.report("chain_broken", severity=Severity.CRITICAL)
    assert outcome("alerts-open") is Outcome.FAILED and admin.is_active
    assert outcome("backups") is Outcome.FAILED
    now = timezone.now()
    settings.BACKUPS, settings.BACKUP_KEY = "/srv/backups", "c4Vd0wq8ZrT1uKxY7mNs2bHfLpGj5eRaQ9tWiOzX"  # not-a-secret: for a test
    Backup.objects.create(name="one", status="done", finished_at=now, size=1)
    assert outcome("backups") is Outcome.OK
    Backup.objects.update(finished_at=now - timedelta(days=2))
    assert outcome("backups") is Outcome.FAILED
    heartbeats._said.clear()
    for queue in ("celery", "runs"):
        heartbeats.say("worker", queue, (queue,))
    heartbeats.say("clock", "c")
    assert outcome("processes") is Outcome.OK


def test_the_database_is_looked_at_as_the_application_sees_it():
    told = found("migrations", "database-role", "database-tls", "limits", "limits-count", "headers")
    assert told.pop("headers") == Finding(Outcome.FAILED, "Strict-Transport-Security"), "this instance is one of http"
    assert {id_: finding.outcome for id_, finding in told.items()} == dict.fromkeys(told, Outcome.OK)


def test_a_role_that_may_alter_the_log_is_found(test_database):
    name = connection.settings_dict["USER"]
    with psycopg.connect(test_database.url(test_database.owner_url), autocommit=True) as owner:
        owner.execute(sql.SQL("GRANT DELETE ON audit_auditseal TO {}").format(sql.Identifier(name)))
        try:
            assert found("database-role")["database-role"].note == "it may change audit_auditseal"
        finally:
            owner.execute(sql.SQL("REVOKE DELETE ON audit_auditseal FROM {}").format(sql.Identifier(name)))
    assert outcome("database-role") is Outcome.OK


def test_the_certificate_of_the_address_is_looked_at(settings, monkeypatch):
    from operations.security_check import host

    assert outcome("certificate") is Outcome.NOT_APPLICABLE
    settings.PUBLIC_URL = "https://studio.example.test"

    def refuse(*_args, **_kwargs):
        raise ssl.SSLCertVerificationError(1, "certificate has expired")

    def gone(*_args, **_kwargs):
        raise OSError

    monkeypatch.setattr(host.socket, "create_connection", refuse)
    assert outcome("certificate") is Outcome.FAILED
    monkeypatch.setattr(host.socket, "create_connection", gone)
    assert outcome("certificate") is Outcome.BY_HAND


def test_secrets_that_others_may_read_are_named(tmp_path, monkeypatch):
    secret = tmp_path / "metrics"
    secret.write_text(CANARY)
    secret.chmod(0o600)
    monkeypatch.setenv("METRICS_TOKEN_FILE", str(secret))
    assert outcome("files") is Outcome.OK
    secret.chmod(0o644)
    assert found("files")["files"] == Finding(Outcome.FAILED, "readable by others: METRICS_TOKEN_FILE")
