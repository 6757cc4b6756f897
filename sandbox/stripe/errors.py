"""Refusals in Stripe's words."""

from __future__ import annotations

from typing import Any

KINDS = {400: "invalid_request_error", 401: "invalid_request_error", 402: "card_error", 403: "invalid_request_error",
         404: "invalid_request_error", 409: "invalid_request_error", 429: "rate_limit_error"}  # fmt: skip


class StripeError(Exception):
    """Raised by whatever cannot do what was asked; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int = 400, code: str = "", param: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        self.kind = kind or KINDS.get(status, "api_error")

    def document(self) -> dict[str, Any]:
        error = {"message": str(self), "type": self.kind}
        if self.code:
            error |= {"code": self.code, "doc_url": f"https://docs.stripe.com/error-codes/{self.code.replace('_', '-')}"}
        return {"error": error | ({"param": self.param} if self.param else {})}


def missing(kind: str, wanted: str) -> StripeError:
    return StripeError(f"No such {kind}: '{wanted}'", status=404, code="resource_missing", param="id")


def required(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)
