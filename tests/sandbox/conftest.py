"""One sandbox for all these tests, reset before each; `provider` is the sandbox and, where Node is found, emulate."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.server import SandboxServer
from tests.sandbox.providers import EmulateMissing, EmulateProvider, Provider, SandboxProvider, start_emulate


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(demo=False) as server:
        yield server


@pytest.fixture
def sandbox(running_sandbox: SandboxServer) -> SandboxServer:
    running_sandbox.control("POST", "reset", {"demo": False})
    return running_sandbox


@pytest.fixture(scope="session")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulateProvider]:
    try:
        process, url = start_emulate(tmp_path_factory.mktemp("emulate") / "seed.json")
    except EmulateMissing as missing:
        pytest.skip(f"not compared with emulate: {missing}")
    yield EmulateProvider(url)
    process.terminate()
    process.wait(10)


@pytest.fixture(params=["sandbox", pytest.param("emulate", marks=pytest.mark.slow)])
def provider(request: pytest.FixtureRequest) -> Provider:
    if request.param == "emulate":
        return request.getfixturevalue("emulate")
    return SandboxProvider(request.getfixturevalue("sandbox"))


@pytest.fixture
def google(sandbox: SandboxServer) -> SandboxProvider:
    return SandboxProvider(sandbox)


@pytest.fixture
def gmail_get(sandbox: SandboxServer) -> Callable[..., requests.Response]:
    """Ask Gmail as camille, with plain requests: `gmail_get("messages", q="devis")`."""
    token = sandbox.control("POST", "grant", {})["access_token"]
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def get(path: str, **query: Any) -> requests.Response:
        return session.get(f"{sandbox.url}/gmail/v1/users/me/{path}", params=query, timeout=30)

    return get
