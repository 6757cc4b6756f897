"""Records what a request was refused, and what it showed staff of other people.

After the view has ended, in a transaction of its own, so that no rollback eats it.
"""

import logging
import re
from collections.abc import Callable, Iterable

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from aaperture.lib.input_validator import suspicion, texts_in
from audit.reads import note_read
from audit.services import record, record_after
from vault.errors import SealedDataError

logger = logging.getLogger(__name__)


class ActivityMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        note_read(request, response)
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
        elif isinstance(exception, SealedDataError):
            match = request.resolver_match
            record_after(request, "sealed_data.failed", method=request.method, view=match.view_name if match else "")


class InputMiddleware:
    """Refuses what no text column can hold, and puts on record what looks like an attack: never refuses for that.

    PostgreSQL's text has no NUL, so a path, query or form with one could only end in an error of the server.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (value := getattr(request, "json_input", None)) is not None:  # left by the API's parser
            self._look(request, texts_in(value))
        return response

    def process_view(self, request: HttpRequest, view: object, _args: object, _kwargs: object) -> None:
        query = request.META.get("QUERY_STRING", "")
        if "\0" in request.path_info or "%00" in query or "\0" in query:
            raise SuspiciousOperation("NUL in the address")
        fields = [request.GET] if query else []
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):  # such a view reads the raw body itself
            fields.append(request.POST)
        texts = [(name, value) for one in fields for name, values in one.lists() for value in values]
        if any("\0" in name or "\0" in value for name, value in texts):
            raise SuspiciousOperation("NUL in a form")
        self._look(request, texts)

    def _look(self, request: HttpRequest, texts: Iterable[tuple[str, str]]) -> None:
        if found := suspicion(texts):
            name, kind = found
            match = request.resolver_match
            field = name if re.fullmatch(r"[\w.-]{1,64}", name) else ""  # a made-up name is the attacker's text too
            record_after(request, "security.suspicious_input", field=field, kind=kind, view=match.view_name if match else "")
