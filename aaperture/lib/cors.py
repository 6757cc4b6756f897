"""Which other origins may call the API from a browser: the listed ones, letter by letter, and never with cookies."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from aaperture.lib.api.answers import is_api

METHODS = "GET, POST, PUT, PATCH, DELETE"
HEADERS = "authorization, content-type, x-api-key, x-signature, x-timestamp, x-nonce, accept-language"
EXPOSED = "X-Request-ID, Retry-After"
PREFLIGHT_SECONDS = 600


class CorsMiddleware:
    """No `Access-Control-Allow-Credentials`: the API takes tokens and keys, which a foreign page would have to hold itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_api(request):
            return self.get_response(request)
        origin = request.headers.get("Origin", "")
        allowed = bool(origin) and origin in settings.CORS_ORIGINS
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if allowed and preflight else self.get_response(request)
        patch_vary_headers(response, ("Origin",))
        if allowed:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = EXPOSED
            if preflight:
                response["Access-Control-Allow-Methods"] = METHODS
                response["Access-Control-Allow-Headers"] = HEADERS
                response["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response
