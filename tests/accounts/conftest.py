"""Google and a mail server for sign-in: the sandbox, once per process."""

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(demo=False) as server:
        yield server


@pytest.fixture
def sandbox(running_sandbox: SandboxServer, settings: Any) -> SandboxServer:
    """The sandbox, emptied, with Google and the mail server of this test's settings pointing at it."""
    running_sandbox.control("POST", "/reset", {"demo": False})
    running_sandbox.control("DELETE", "/mail")
    settings.GOOGLE_ISSUER = settings.GOOGLE_API_ROOT = running_sandbox.url
    providers = settings.SOCIALACCOUNT_PROVIDERS
    app = providers["openid"]["APPS"][0]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid": {"APPS": [app | {"settings": app["settings"] | {"server_url": running_sandbox.url}}]}}
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running_sandbox.smtp_port
    return running_sandbox
