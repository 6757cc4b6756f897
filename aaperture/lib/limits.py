"""How often a URL may be asked for: a registry by URL name, counted in Valkey by one atomic call per request.

A window starts with its first request. Signed-in people are counted by account, others by address. When Valkey is down the
request goes through and the log says so (DESIGN, decision 11).
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from aaperture.lib.client_address import address_bucket, client_address

logger = logging.getLogger(__name__)


class Limit(NamedTuple):
    times: int
    seconds: int
    methods: frozenset[str] = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


API_LIMIT = Limit(100, 60)  # each account, or address, over all of `/api/` that has no limit of its own below
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LIMITS = {
    "account_login": Limit(20, 60, WRITES),
    "account_signup": Limit(10, 60, WRITES),
    "account_reset_password": Limit(10, 60, WRITES),
    "google_login": Limit(10, 60),
    "openid_callback": Limit(20, 60),
    "integrations:gmail_connect": Limit(30, 60),
    "integrations:google_callback": Limit(20, 60),
    "integrations:processing_start": Limit(5, 60, WRITES),
    "integrations:processing_status": Limit(120, 60),
    "tracker:export": Limit(10, 60),
    "api:login": Limit(5, 60),  # each address, and each name; the API counts after authentication (`aaperture.lib.api.throttling`)
    "api:register": Limit(3, 60),
}

# one round trip: count, and give the window its end when this request opened it
COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {n, redis.call('TTL', KEYS[1])}
"""


def count(key: str, seconds: int) -> tuple[int, int]:
    """Count one request under `key`; returns how many there were in this window and the seconds left of it."""
    cache = caches["limits"]
    client = cache._cache.get_client(key, write=True)  # type: ignore[attr-defined]
    number, left = client.eval(COUNT, 1, cache.make_key(key), seconds)
    return int(number), max(1, int(left))


class LimitsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        limit = LIMITS.get(name)
        if limit is None or request.method not in limit.methods or name.startswith("api:"):
            return None
        who = str(request.user.pk) if request.user.is_authenticated else address_bucket(client_address(request))
        try:
            number, left = count(f"{name}|{who}", limit.seconds)
        except (RedisError, OSError):
            logger.error("limits unavailable", extra={"url_name": name})
            return None
        if number <= limit.times:
            return None
        request.limit_exceeded = name  # type: ignore[attr-defined]  # `accounts.middleware.note_limit` records it
        return too_many_requests(request, left)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What cannot do without Valkey, such as signing in, says 503 while it is down (DESIGN, decision 11)."""
        if not isinstance(exception, RedisError):
            return None
        logger.error("cache unavailable", extra={"error": type(exception).__name__})
        request_id = getattr(request, "request_id", "")
        if request.accepts("text/html"):
            response = HttpResponse(get_template("500.html").render({"request_id": request_id}), status=503)
        else:
            response = JsonResponse({"detail": "Service unavailable", "code": "unavailable", "request_id": request_id}, status=503)
        response["Retry-After"] = "30"
        return response


def too_many_requests(request: HttpRequest, seconds: int) -> HttpResponse:
    """429 with a true Retry-After, as a page or, for machines, as JSON."""
    text = _("Too many requests")
    if request.accepts("text/html"):
        response = render(request, "429.html", {"seconds": seconds}, status=429)
    else:
        request_id = getattr(request, "request_id", "")
        response = JsonResponse({"detail": text, "code": "rate_limited", "request_id": request_id}, status=429)
    response["Retry-After"] = str(seconds)
    return response
