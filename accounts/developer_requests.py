"""Every request of a developer in production is on record, whatever channel it came by."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.access import developer_on_record
from audit.services import record_after


def note_developer_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Stands below `ActivityMiddleware`, which writes what is noted here once the view has ended."""

    def middleware(request: HttpRequest) -> HttpResponse:
        before: Any = request.user
        noted = before.is_authenticated and developer_on_record(before)
        response = get_response(request)
        after: Any = request.user  # a token or a key names its user only within the view
        if noted or (after.is_authenticated and developer_on_record(after)):
            match = request.resolver_match
            record_after(
                request, "developer.request", method=request.method, view=match.view_name if match else "", status=response.status_code
            )
        return response

    return middleware
