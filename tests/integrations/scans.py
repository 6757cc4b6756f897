"""Running scans in this process, and stepping in while they run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from integrations import engine
from integrations.connectors.gmail_query import narrow_query
from integrations.engine.ledger import Ledger
from integrations.models import Connection, Run
from integrations.services import pipelines
from sandbox.server import SandboxServer


def fill(sandbox: SandboxServer, count: int, **fields: Any) -> None:
    """`count` mails that matter, one every ten minutes until now."""
    sandbox.control("POST", "/mailbox", {"count": count, **fields})


def wanted_ids(sandbox: SandboxServer, email: str = "camille@example.test") -> list[str]:
    """What the narrow query finds in the mailbox."""
    from urllib.parse import quote

    found = sandbox.control("GET", f"/mailbox?email={quote(email)}&limit=100000&q={quote(narrow_query())}")["messages"]
    return sorted(message["id"] for message in found)


def scan(connection: Connection) -> Run:
    """Start a run as the owner would and execute it here, now."""
    pipeline = connection.pipelines.select_related("connection__owner").get()
    run = pipelines.start_run(pipeline, actor=connection.owner, trigger=Run.Trigger.MANUAL)
    engine.execute(run.pk)
    run.refresh_from_db()
    return run


def calls(sandbox: SandboxServer) -> Counter[str]:
    """Gmail calls since the log was last cleared."""
    counts = sandbox.control("GET", "/requests")["counts"]
    return Counter({api.removeprefix("gmail.users."): n for api, n in counts.items() if api.startswith("gmail.")})


def after_first_page(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Let `action` happen once, right after the first page was committed."""
    commit, acted = Ledger.commit, []

    def commit_then_act(self: Ledger, page: Any) -> None:
        commit(self, page)
        if not acted:
            acted.append(True)
            action()

    monkeypatch.setattr(Ledger, "commit", commit_then_act)
