"""Grants under way in one browser session: what must come back from Google with the same state, once."""

import secrets
import time
from dataclasses import asdict, dataclass

from django.contrib.sessions.backends.base import SessionBase

from integrations.errors import StateInvalid

KEY = "grants_under_way"
MINUTES = 10
MOST = 5


@dataclass(frozen=True)
class Flow:
    state: str
    nonce: str
    verifier: str
    keep: bool
    text_version: str
    connection_id: str
    started_at: float
    provider: str = "gmail"


def start(session: SessionBase, *, keep: bool, text_version: str, connection_id: str = "", provider: str = "gmail") -> Flow:
    """Begin a flow; several tabs may each have one, the oldest give way."""
    flow = Flow(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        keep=keep,
        text_version=text_version,
        connection_id=connection_id,
        started_at=time.time(),
        provider=provider,
    )
    session[KEY] = [*session.get(KEY, []), asdict(flow)][-MOST:]
    return flow


def take(session: SessionBase, state: str) -> Flow:
    """The flow of `state`, removed so that it serves once; raises StateInvalid."""
    flows = [Flow(**values) for values in session.get(KEY, [])]
    found = [flow for flow in flows if secrets.compare_digest(flow.state.encode(), state.encode())]
    session[KEY] = [asdict(flow) for flow in flows if flow not in found]
    if not found or time.time() - found[0].started_at > MINUTES * 60:
        raise StateInvalid
    return found[0]
