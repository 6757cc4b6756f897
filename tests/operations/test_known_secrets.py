"""Every secret has a name, a place and an age; after ninety days it is due (R-029). No value is ever shown or stored."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from accounts.services import api_keys
from audit.alerts.models import SecurityAlert
from operations import known_secrets
from operations.key_usage import Step, key_uses, next_step
from operations.known_secrets import inventory, observe, overdue_secrets
from operations.services.secret_ages import look_at_secrets
from operations.tasks import observe_secrets
from tests.accounts.people import make_user
from tests.operations.rings import forget, new_entry, use
from vault.models import KnownSecret

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
NOW = timezone.now()


@pytest.fixture(autouse=True)
def fresh_keys():
    forget()
    yield
    forget()


def days(number: float) -> datetime:
    return NOW + timedelta(days=number)


def names(found) -> set[str]:
    return {secret.name for secret in found}


def test_a_secret_is_due_after_ninety_days_and_not_before(settings):
    settings.STRIPE_SECRET_KEY = "sk-of-a-test-" + "q7" * 12
    observe(NOW)
    assert overdue_secrets(days(89)) == []
    assert "STRIPE_SECRET_KEY" in names(overdue_secrets(days(91))) and names(overdue_secrets(days(91))) == names(inventory(days(91)))


def test_an_alert_opens_on_the_ninety_first_day_and_is_mailed_after_twice_that(settings):
    observe(NOW)
    assert look_at_secrets(days(89)) == 0 and not SecurityAlert.objects.exists()
    for day in (91, 92):
        assert look_at_secrets(days(day)) > 3
    alert = SecurityAlert.objects.get()
    assert (alert.kind, alert.severity, alert.count) == ("secrets_overdue", "medium", len(overdue_secrets(days(92))))
    look_at_secrets(days(181))
    alert.refresh_from_db()
    assert alert.severity == "high"


def test_changing_a_secret_makes_it_young_and_putting_the_old_one_back_does_not(settings):
    settings.STRIPE_SECRET_KEY = first = "sk-of-a-test-" + "q7" * 12
    observe(NOW)
    settings.STRIPE_SECRET_KEY = "sk-of-a-test-" + "z9" * 12
    observe(days(80))
    assert "STRIPE_SECRET_KEY" not in names(overdue_secrets(days(91)))
    settings.STRIPE_SECRET_KEY = first
    assert "STRIPE_SECRET_KEY" in names(overdue_secrets(days(91)))


def test_a_secret_key_that_moved_to_the_fallbacks_keeps_its_age(settings):
    observe(NOW)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-one-" + "m4" * 24
    observe(days(60))
    assert "SECRET_KEY_FALLBACKS" in names(overdue_secrets(days(91))) and "SECRET_KEY" not in names(overdue_secrets(days(91)))


def test_a_master_key_is_as_old_as_the_day_in_its_id_or_since_it_was_met(settings):
    old = datetime.now(UTC) - timedelta(days=100)
    keys = [new_entry(kid) for kid in ("fresh", f"k{old:%Y%m%d}", "k29990101", "k20261399")]
    use(settings, ",".join([*keys, os.environ["ENCRYPTION_KEYS"]]))
    observe()
    ages = {secret.part: secret.days for secret in inventory() if secret.name == "ENCRYPTION_KEYS"}
    assert ages == {"fresh": 0, f"k{old:%Y%m%d}": 100, "k29990101": 0, "k20261399": 0, "test1": 0}


def test_a_master_key_nearly_due_is_the_next_thing_to_do(settings):
    old = datetime.now(UTC) - timedelta(days=88)
    use(settings, f"{new_entry(f'k{old:%Y-%m-%d}')}")
    uses = [one for one in key_uses() if one.in_ring]  # what migrations made hangs on the key of the tests
    assert next_step(uses, None) is Step.RENEW
    assert next_step(uses, None, now=days(-30)) is Step.NOTHING


def test_keys_for_machines_are_one_line_as_old_as_the_oldest():
    user = make_user()
    key, _raw, _secret = api_keys.create(user, name="One", scopes=["read"], days=365)
    api_keys.create(user, name="Two", scopes=["read"], days=365)
    found = {secret.name: secret for secret in inventory(days(91))}
    assert found["API keys"].how_many == 2 and found["API keys"].is_overdue(days(91))
    api_keys.rotate_signing_secret(key, actor=user)
    assert "API keys" in names(overdue_secrets(days(91)))


def test_only_a_keyed_hash_of_each_is_stored(settings):
    settings.GEMINI_API_KEY = "canary-of-a-secret-4711"
    observe_secrets()
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(vault_knownsecret::text, ' '), count(*) FROM vault_knownsecret")
        text, count = cursor.fetchone()
    assert count >= 4 and "canary" not in text and b"canary".hex() not in text
    assert all(len(bytes(row.fingerprint)) == 32 for row in KnownSecret.objects.all())
    assert "canary" not in repr(inventory())


def test_meeting_the_same_secrets_again_stores_nothing():
    observe()
    count = KnownSecret.objects.count()
    observe(days(1))
    assert KnownSecret.objects.count() == count


def test_the_inventory_says_where_each_is_configured(monkeypatch, tmp_path):
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("ENCRYPTION_KEYS", "source:company.keys.fetch")
    found = {secret.name: (secret.variable, secret.source) for secret in inventory()}
    assert found["SECRET_KEY"] == ("SECRET_KEY_FILE", "file") and found["ENCRYPTION_KEYS"] == ("ENCRYPTION_KEYS", "key service")
    assert found["GOOGLE_CLIENT_SECRET"] == ("GOOGLE_CLIENT_SECRET", "environment")


def test_every_secret_of_the_example_configuration_is_in_the_inventory():
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    secret = {name for name in listed if re.search(r"SECRET|KEY|TOKEN|PASSWORD|DSN|(DATABASE|REDIS|EMAIL)_URL", name)}
    known = {*known_secrets.ONE, *known_secrets.SEVERAL, *known_secrets.PASSWORDS, known_secrets.RING}
    assert secret - known == known_secrets.NAMED_LIKE_SECRETS


def test_the_console_warns_an_administrator_and_nobody_else():
    client, other = Client(), Client()
    client.force_login(make_user(role=Role.ADMIN))
    other.force_login(make_user(role=Role.DEVELOPER))
    assert "/admin/operations/keys/" not in client.get("/console/figures").content.decode()
    KnownSecret.objects.update(first_seen_at=timezone.now() - timedelta(days=91))
    assert "/admin/operations/keys/" in client.get("/console/figures").content.decode()
    assert "/admin/operations/keys/" not in other.get("/console/figures").content.decode()


def test_everybody_stays_signed_in_while_the_secret_key_changes(settings):
    """R-030: by configuration alone, the old value behind the new one for as long as a session may last."""
    client = Client()
    client.force_login(make_user())
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-one-" + "m4" * 24
    settings.SECRET_KEY_FALLBACKS = [old]
    assert client.get("/settings/profile/").status_code == 200
    stranger = Client()
    stranger.force_login(make_user())
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-third-one-" + "k3" * 24, []
    assert stranger.get("/settings/profile/").status_code == 302
