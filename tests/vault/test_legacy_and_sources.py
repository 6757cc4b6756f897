"""Fernet is read and never written (R-022); keys may come from a key-management service (R-032)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.test_settings import good, key, start
from vault.errors import SealedDataError
from vault.legacy import open_fernet

ROOT = Path(__file__).resolve().parents[2]


def test_a_fernet_token_of_any_configured_key_is_read(settings):
    old, new = Fernet.generate_key(), Fernet.generate_key()
    settings.FERNET_KEYS = [new.decode(), old.decode()]
    assert open_fernet(Fernet(old).encrypt(b"canary").decode()) == "canary"


@pytest.mark.parametrize("token", ["", "gAAAAA", "not a token", "é"])
def test_anything_else_is_one_typed_error(settings, token):
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SealedDataError):
        open_fernet(token)


def test_nothing_in_the_product_writes_fernet():
    apps = [ROOT / "aaperture", *(path.parent for path in ROOT.glob("*/apps.py"))]
    users = [path for app in apps for path in app.rglob("*.py") if "cryptography.fernet" in path.read_text()]
    assert users == [ROOT / "vault" / "legacy.py"] and ".encrypt(" not in users[0].read_text()


def test_keys_may_come_from_a_key_management_service(tmp_path):
    (tmp_path / "fake_kms.py").write_text(f"def fetch():\n    return 'kms1:{key()}'\n")
    environment = good() | {"ENCRYPTION_KEYS": "source:fake_kms.fetch", "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", "import django; django.setup(); from django.conf import settings; print(settings.ENCRYPTION_KEYS[0][0])"],
        env=environment | {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "aaperture.settings"},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert result.stdout.strip() == "kms1"


def test_a_key_source_that_fails_is_named_and_shows_nothing(tmp_path):
    (tmp_path / "broken_kms.py").write_text("def fetch():\n    raise RuntimeError('canary-key-material')\n")
    result = start(good() | {"ENCRYPTION_KEYS": "source:broken_kms.fetch", "PYTHONPATH": str(tmp_path)})
    assert result.returncode == 78 and "ENCRYPTION_KEYS names a source that failed (RuntimeError)" in result.stderr
    assert "canary" not in result.stderr
