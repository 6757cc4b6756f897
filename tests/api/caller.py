"""A program that calls the API."""

import json
import time
import uuid
from typing import Any

from django.test import Client

from accounts.api.signing import sign
from accounts.models import ApiKey, ApiSession, User
from accounts.services import api_keys, tokens


class Caller:
    """Sends JSON with a token or a key; `last` is the answer, `json` its body."""

    def __init__(self, headers: dict[str, str] | None = None, secret: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers, self.secret = headers or {}, secret

    def send(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, signed: bool = True) -> Any:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        extra = dict(headers or {})
        if self.secret and signed:
            extra = signature(self.secret, method, path, data) | extra
        answer = self.client.generic(method, path, data, content_type="application/json", headers=self.headers | extra)
        answer.body = answer.json() if answer.content else None
        return answer

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.send("GET", path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self.send("POST", path, body, **kwargs)

    def patch(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self.send("PATCH", path, body, **kwargs)

    def put(self, path: str, body: Any = None, **kwargs: Any) -> Any:
        return self.send("PUT", path, body, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Any:
        return self.send("DELETE", path, **kwargs)


def signature(secret: str, method: str, path: str, body: bytes = b"", *, at: float | None = None, nonce: str = "") -> dict[str, str]:
    moment, nonce = str(int(time.time() if at is None else at)), nonce or uuid.uuid4().hex
    return {"X-Timestamp": moment, "X-Nonce": nonce, "X-Signature": sign(secret, method, path, moment, nonce, body)}


def request_of_nobody() -> Any:
    from django.test import RequestFactory

    return RequestFactory().get("/")


def with_token(user: User, *, stepped_up: bool = False) -> Caller:
    """Logged in without the quarter second of a password."""
    issued = tokens.open_session(user, request_of_nobody(), second_factor=False)
    if stepped_up:
        tokens.step_up(issued.session)
    caller = Caller({"Authorization": f"Bearer {issued.access}"})
    caller.refresh_token, caller.session = issued.refresh, ApiSession.objects.get(pk=issued.session.pk)  # type: ignore[attr-defined]
    return caller


def with_key(user: User, *scopes: str, days: int = 30) -> Caller:
    key, raw, secret = api_keys.create(user, name=f"Machine {uuid.uuid4()}", scopes=scopes or ("read", "write"), days=days)
    caller = Caller({"X-API-Key": raw}, secret)
    caller.key = ApiKey.objects.get(pk=key.pk)  # type: ignore[attr-defined]
    return caller
