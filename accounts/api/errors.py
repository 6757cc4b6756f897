"""What our services raise, as answers of the API; refusals leave the same record as on pages."""

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework import exceptions
from rest_framework.response import Response

from aaperture.lib.api import errors
from aaperture.lib.api.answers import plain
from accounts.step_up import StepUpRequired
from audit.services import record_after

UNRECORDED = {"step_up_required", "mfa_enrolment_required"}  # asked to prove who they are, not refused

SIGNATURE_FAULTS = {"signature_missing", "signature_invalid", "signature_expired", "nonce_used"}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(exc, StepUpRequired):
        exc = exceptions.PermissionDenied("Confirm who you are first, at /api/auth/step-up.", code="step_up_required")
    response = errors.exception_handler(exc, context)
    request = plain(context["request"])
    if response is not None and response.data["code"] in SIGNATURE_FAULTS:
        record_after(request, "signature.refused", getattr(request, "api_key", None), reason=response.data["code"])
    denied = isinstance(exc, PermissionDenied | exceptions.PermissionDenied)
    if response is not None and denied and response.data["code"] not in UNRECORDED:
        match = request.resolver_match
        record_after(request, "permission.denied", method=request.method, view=match.view_name if match else "")
    return response
