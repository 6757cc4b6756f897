"""The request as our views know it, for type checkers."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class UserRequest(HttpRequest):
    """A request whose sender is signed in (`LoginRequiredMiddleware` sees to it)."""

    user: User
    htmx: HtmxDetails
