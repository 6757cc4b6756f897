"""One shape of errors: `{"detail", "code", "request_id"}`, with "errors" by field where input was wrong. Never an internal."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as InvalidValue
from django.http import Http404
from redis.exceptions import RedisError
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings

from aaperture.lib.api.answers import error_body


class Conflict(exceptions.APIException):
    """409: it cannot be done in the state things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "That is not possible in the present state."
    default_code = "conflict"


class Unavailable(exceptions.APIException):
    """503: something we cannot do without does not answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Service unavailable. Try again in a moment."
    default_code = "unavailable"
    wait = 30


def as_api_exception(exc: Exception) -> exceptions.APIException | None:
    """What Django and our services raise, as DRF knows it."""
    if isinstance(exc, exceptions.APIException):
        return exc
    if isinstance(exc, Http404):
        return exceptions.NotFound("Not found.")
    if isinstance(exc, PermissionDenied):
        detail, code = getattr(exc, "detail", ""), getattr(exc, "code", "")
        return exceptions.PermissionDenied(str(detail) or "You may not do this.", code=str(code) or "forbidden")
    if isinstance(exc, InvalidValue):
        fields = exc.message_dict if hasattr(exc, "error_dict") else {api_settings.NON_FIELD_ERRORS_KEY: exc.messages}
        return exceptions.ValidationError(fields)
    if isinstance(exc, RedisError):
        return Unavailable()
    return None


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception of a view; None for one that is ours to mend (it becomes a 500 without any detail)."""
    known = as_api_exception(exc)
    if known is None:
        return None
    headers = {}
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(known, exceptions.ValidationError):
        body = error_body(context["request"], detail="Some of the input is not valid.", code="invalid", errors=known.detail)
    else:
        detail: Any = known.detail
        body = error_body(context["request"], detail=str(detail), code=str(detail.code))
    return Response(body, status=known.status_code, headers=headers)
