"""Records what a request was refused, after the view has ended, in a transaction of its own (so no rollback eats it)."""

import logging
from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from audit.services import record, record_after
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)


class ActivityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for action, target, details in getattr(request, "activity_after", []):
            try:
                record(action, target, request=request, **details)
            except (DatabaseError, SealedDataError):
                logger.exception("activity not recorded", extra={"action": action})
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        if isinstance(exception, PermissionDenied):
            match = request.resolver_match
            record_after(request, "permission.denied", method=request.method, view=match.view_name if match else "")
