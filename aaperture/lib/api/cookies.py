"""Cookies never count at `/api/`: neither a session nor a language comes in by them, so no foreign page can ride on one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from aaperture.lib.api.answers import is_api


class NoCookiesMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_api(request):
            request.COOKIES = {}
            request.META.pop("HTTP_COOKIE", None)
        return self.get_response(request)
