"""What the site's error pages and middleware need to know of the API, without its machinery."""

from typing import Any

from django.http import HttpRequest, JsonResponse

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIX)


def plain(request: Any) -> HttpRequest:
    """Django's request inside DRF's: services leave notes for the middleware on it."""
    return request._request


def error_body(request: Any, *, detail: str, code: str, errors: Any = None) -> dict[str, Any]:
    body = {"detail": detail, "code": code, "request_id": getattr(request, "request_id", "")}
    return body if errors is None else body | {"errors": errors}


def error_response(request: HttpRequest, status_code: int, *, code: str, detail: str) -> JsonResponse:
    """The same shape for what never reaches a view of the API: an unknown path, a crash."""
    return JsonResponse(error_body(request, detail=detail, code=code), status=status_code)
