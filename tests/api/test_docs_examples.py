"""The worked examples of docs/api.md, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from accounts.models import ApiSession, InstanceSettings
from tests.accounts.people import make_user
from tests.api.caller import with_key, with_token

TEXT = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text()
pytestmark = pytest.mark.slow


def example(language: str, telling: str) -> str:
    return next(block for block in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if telling in block)


def run(program: list[str], **environment: str) -> str:
    done = subprocess.run(program, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_example(live_server, transactional_db):
    user = make_user()
    machine = with_key(user)
    session = with_token(user).get("/api/v1/sessions").body["results"][0]["id"]
    environment = {"URL": live_server.url, "KEY": machine.headers["X-API-Key"], "SECRET": machine.secret, "SESSION": session}
    assert run([sys.executable, "-c", example("python", "hmac.new")], **environment).strip() == "204"
    assert ApiSession.objects.get().ended_at is not None


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
def test_the_shell_example(live_server, transactional_db):
    machine = with_key(make_user(role="admin"))
    environment = {"URL": live_server.url, "KEY": machine.headers["X-API-Key"], "SECRET": machine.secret}
    assert '"registration_open":false' in run(["sh", "-c", example("sh", "openssl")], **environment)
    assert InstanceSettings.current().registration_open is False
