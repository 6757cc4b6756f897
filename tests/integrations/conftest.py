"""A person, a mailbox at the sandbox, and the steps between them.

pytest reads this file before Django is set up, so models are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from aaperture.lib import safe_http
from sandbox.server import SandboxServer
from tests.integrations.feed import Feed, serving

if TYPE_CHECKING:
    from accounts.models import User
    from integrations.models import Connection

CAMILLE = "camille@example.test"


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    with SandboxServer(demo=False) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    """An empty Google: no mail, no tokens, no faults."""
    from integrations import google_oauth

    sandbox_server.control("POST", "/reset", {"demo": False})
    for name in ("GOOGLE_ISSUER", "GOOGLE_API_ROOT"):
        setattr(settings, name, sandbox_server.url)
        monkeypatch.setenv(name, sandbox_server.url)
    settings.EMAIL_PORT = sandbox_server.smtp_port
    settings.GMAIL_FIRST_WAIT, settings.GMAIL_UNITS_PER_SECOND = 0.02, 0
    google_oauth.documents.clear()
    return sandbox_server


@pytest.fixture(autouse=True)
def _keys_of_this_database(request: pytest.FixtureRequest) -> None:
    """Other processes read the key salts from the database; a transactional test begins with none stored."""
    marker = request.node.get_closest_marker("django_db")
    if marker and marker.kwargs.get("transaction"):
        from vault import ring, services

        ring.forget_keys()
        services.opened.forget()


@pytest.fixture
def member(db: None) -> User:
    from tests.accounts.people import make_user

    return make_user(email="camille@studio.example")


@pytest.fixture
def web(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def connect(sandbox: SandboxServer, web: Client, member: User) -> Callable[..., Connection]:
    from integrations.models import Connection
    from tests.integrations.journey import decide

    def go(**decision: Any) -> Connection:
        response = decide(sandbox, web, **decision)
        assert response.status_code == 302, response.content
        return Connection.objects.filter(owner=member).latest("created_at")

    return go


@pytest.fixture
def simple_classifier(settings: Any) -> None:
    settings.PIPELINE_CLASSIFIER = "tests.integrations.simple.classify"


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """A source of records with nothing on it, which the SSRF-safe client may reach for once: no late request of another test's."""
    with serving(tmp_path) as (one, reach):
        monkeypatch.setattr(safe_http, "REACH", reach)
        yield one
