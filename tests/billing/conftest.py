"""A pretend Stripe that keeps its events until a test delivers them; pytest reads this file before Django is set up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.server import SandboxServer

if TYPE_CHECKING:
    from accounts.models import User
    from tests.billing.till import Till

KEY, SECRET = "sk_test_sandbox", "whsec_sandbox"


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer(demo=False) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    sandbox_server.control("POST", "reset", {"demo": False})
    sandbox_server.control("POST", "stripe/webhooks", {"held": True})
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = sandbox_server.stripe_url, KEY, [SECRET]
    for name, value in {"API_BASE": sandbox_server.stripe_url, "SECRET_KEY": KEY, "WEBHOOK_SECRET": SECRET}.items():
        monkeypatch.setenv(f"STRIPE_{name}", value)  # for other processes
    return sandbox_server


@pytest.fixture
def member(db: None) -> User:
    from tests.accounts.people import make_user

    return make_user(email="camille@studio.example")


@pytest.fixture
def till(sandbox: SandboxServer, db: None) -> Till:
    from tests.billing.till import Till

    return Till(sandbox)


@pytest.fixture
def contributors_only(db: None) -> None:
    from accounts.models import InstanceSettings

    InstanceSettings.objects.create(pk=1, premium_for=InstanceSettings.Premium.CONTRIBUTORS)
