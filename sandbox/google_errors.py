"""Errors in the shapes that Google's APIs use."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
}
REASONS = {
    400: "invalidArgument",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    405: "methodNotAllowed",
    429: "rateLimitExceeded",
    500: "backendError",
    502: "backendError",
    503: "backendError",
}
MESSAGES = {
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    429: "User-rate limit exceeded.",
    500: "Internal error encountered.",
    502: "Bad gateway.",
    503: "The service is currently unavailable.",
}


class Reply(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    api: str = ""
    account: str = ""


class ApiError(Exception):
    """A refusal that knows how Google would word it."""

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        reason: str = "",
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        location: str = "",
    ) -> None:
        self.status = status
        self.message = message or MESSAGES.get(status, "Error")
        super().__init__(self.message)
        self.reason = reason or REASONS.get(status, "backendError")
        self.details = details
        self.headers = headers or {}
        self.location = location

    def document(self) -> dict[str, Any]:
        item = {"message": self.message, "domain": domain(self.reason), "reason": self.reason}
        if self.reason == "authError":
            item["message"] = "Invalid Credentials"
        if self.location:
            item |= {"location": self.location, "locationType": "header"}
        error: dict[str, Any] = {
            "code": self.status,
            "message": self.message,
            "errors": [item],
            "status": STATUS_NAMES.get(self.status, "UNKNOWN"),
        }
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def reply(self, *, api: str = "", account: str = "") -> Reply:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        return json_reply(self.document(), status=self.status, headers=headers, api=api, account=account)


def domain(reason: str) -> str:
    limited = reason in ("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded")
    return "usageLimits" if limited else "global"


def json_reply(
    document: Any,
    *,
    status: int = 200,
    headers: list[tuple[bytes, bytes]] | None = None,
    api: str = "",
    account: str = "",
) -> Reply:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return raw_reply(body, status=status, headers=headers, api=api, account=account)


def raw_reply(body: bytes, *, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None, api: str, account: str) -> Reply:
    every = [
        (b"content-type", b"application/json; charset=UTF-8"),
        (b"content-length", str(len(body)).encode()),
        *(headers or []),
    ]
    return Reply(status, every, body, api, account)


def unauthenticated(*, missing: bool) -> ApiError:
    if missing:
        return ApiError(
            401,
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or "
            "other valid authentication credential.",
            reason="required",
            headers={"www-authenticate": 'Bearer realm="https://accounts.google.com/"'},
            location="Authorization",
        )
    return ApiError(
        401,
        headers={"www-authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
        location="Authorization",
    )


def insufficient_scope(method: str, wanted: frozenset[str]) -> ApiError:
    scopes = " ".join(sorted(wanted))
    challenge = f'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="{scopes}"'
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {
            "method": method,
            "service": "calendar-json.googleapis.com" if method.startswith("calendar.") else "gmail.googleapis.com",
        },
    }
    return ApiError(
        403,
        "Request had insufficient authentication scopes.",
        reason="insufficientPermissions",
        details=[info],
        headers={"www-authenticate": challenge},
    )
