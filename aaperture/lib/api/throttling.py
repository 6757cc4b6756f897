"""The API's limits: counted after authentication by account, else by address, in one call to Valkey."""

import hashlib
import logging
from typing import Any

from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled

from aaperture.lib.client_address import address_bucket, client_address
from aaperture.lib.limits import API_LIMIT, LIMITS, Key, take

logger = logging.getLogger(__name__)


class TooManyRequests(Throttled):
    default_detail = "Too many requests"
    default_code = "rate_limited"

    def __init__(self, seconds: int) -> None:
        super().__init__(detail=self.default_detail)
        self.wait = seconds


def limit_request(request: HttpRequest, user: Any = None) -> None:
    """Count one request of `user`, or of the address. Raises TooManyRequests."""
    match = request.resolver_match
    name = match.view_name if match else ""
    who = str(user.pk) if user is not None and user.is_authenticated else address_bucket(client_address(request))
    _count(request, name if name in LIMITS else "api", who)


def limit_name(request: HttpRequest, view_name: str, name: str) -> None:
    """Count one try at an account's name, whatever address it comes from. Raises TooManyRequests."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    _count(request, view_name, f"name|{digest}")


def _count(request: HttpRequest, name: str, who: str) -> None:
    limit = LIMITS.get(name, API_LIMIT)
    try:
        seconds = take([Key(f"{name}|{who}", limit.times, limit.seconds)])
    except (RedisError, OSError):
        logger.error("limits unavailable", extra={"url_name": name})
        return
    if seconds:
        request.limit_exceeded = name  # type: ignore[attr-defined]  # `accounts.middleware.note_limit` records it
        raise TooManyRequests(seconds)
