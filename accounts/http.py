"""The request as our views know it."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class UserRequest(HttpRequest):
    """A request whose sender is signed in (`LoginRequiredMiddleware` sees to it)."""

    user: User
    htmx: HtmxDetails


def for_machines(request: HttpRequest) -> bool:
    """Whether whoever asks would rather have JSON than a page."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
