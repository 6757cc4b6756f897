"""How often a URL may be asked for: a registry by URL name, counted in Valkey by one atomic call per request.

"n per minute" holds for every sixty seconds, not only for those that a clock begins: each key keeps the instants of the requests
it let through, and one more passes when the n-th last has left the window. Refused requests are not counted, so that Retry-After
is true. Signed-in people are counted by account and, more generously, with everybody behind their address; others by address.
When Valkey is down the request goes through and the log says so.

Of django-ratelimit only the words are used. Its decorator counts in windows fixed to the clock, which let 2n through across
an edge, and costs three round trips a key: see `bench/web.py`, which times both in one run.
"""

import hashlib
import logging
import math
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.utils.translation import gettext as _
from django_ratelimit import UNSAFE
from redis.exceptions import NoScriptError, RedisError

from aaperture.lib.client_address import address_bucket, client_address
from aaperture.lib.composed import composed

logger = logging.getLogger(__name__)

WRITES = frozenset(UNSAFE)
EVERY_METHOD = WRITES | {"GET", "HEAD", "OPTIONS"}
READS = 240  # of one page in a minute: more than a person turns, however many tabs are open
OFFICE = 10  # a whole office may have one address: together its people may do this many times what one may


class Limit(NamedTuple):
    """`times` in `seconds` by `methods`; where those are the writes only, reading has the generous limit of all pages.

    `field` names a form field (an e-mail address) whose value is counted too, from whatever address it comes.
    """

    times: int
    seconds: int = 60
    methods: frozenset[str] = EVERY_METHOD
    field: str = ""


API_LIMIT = Limit(100)  # each account, or address, over all of `/api/` that has no limit of its own below
PAGE = Limit(30, 60, WRITES)
FORM = Limit(10, 60, WRITES)  # what sends mail, checks a secret, or changes how somebody signs in
LIMITS = {
    "account_login": Limit(5, 60, WRITES),
    "account_signup": Limit(3, 60, WRITES),
    "account_reset_password": Limit(5, 60, WRITES, field="email"),
    "account_email": Limit(20, 3600, WRITES),  # each may send a mail to an address that its owner did not give us
    "google_login": Limit(10),
    "openid_login": Limit(10),
    "openid_callback": Limit(20),
    "mfa_login_webauthn": Limit(20),  # asking for a challenge, too, stores something
    "set_language": PAGE,
    "csp_report": Limit(20),
    "health_live": Limit(600),
    "health_ready": Limit(600),
    "home": PAGE,
    "today_alerts": PAGE,
    "docs": PAGE,
    "console_figures": Limit(60),
    "console_keys": Limit(120),
    "console_cleanups": Limit(120),
    "console_backups": Limit(120),
    "console_monitoring": Limit(60),
    "metrics": Limit(60),
    "settings_studio_invite": Limit(20, 3600, WRITES),  # each sends a mail to an address that its owner did not give us
    "settings_invitation_resend": Limit(20, 3600, WRITES),
    "settings_privacy_export": Limit(5, 3600, WRITES),
    "settings_privacy_export_status": Limit(120),
    "settings_privacy_download": Limit(30),
    "privacy_withdraw": Limit(20),
    "invitation_open": Limit(30),
    "integrations:gmail_connect": Limit(10, 60, WRITES),
    "integrations:calendar_connect": Limit(10, 60, WRITES),
    "integrations:google_callback": Limit(20),
    "integrations:hook": Limit(3000),  # from one address; each connection has a limit of its own (`integrations.services.deliveries`)
    "integrations:file_add": Limit(10, 60, WRITES),
    "integrations:processing_start": Limit(5, 60, WRITES),
    "integrations:processing_status": Limit(120),
    "studio:session_busy": Limit(60),  # each asks Google
    "studio:calendar_read": Limit(10, 60, WRITES),
    "studio:contact_export": Limit(10),
    "studio:contact_import": Limit(10, 60, WRITES),
    "documents:quote_add": Limit(240, 60, WRITES),  # what a sheet comes to is asked for with each change
    "documents:quote_edit": Limit(240, 60, WRITES),
    "documents:invoice_add": Limit(240, 60, WRITES),
    "documents:invoice_edit": Limit(240, 60, WRITES),
    "documents:client_open": Limit(30),  # a token is 256 bits: this is for those who knock, not for those who guess
    "documents:client_pdf": Limit(30),
    "documents:client_accept": FORM,
    "documents:client_decline": FORM,
    "mailing:new": Limit(120, 60, WRITES),  # a preview is asked for while somebody writes
    "mailing:file_add": Limit(10, 60, WRITES),
    "mailing:template_add": Limit(120, 60, WRITES),
    "mailing:template_edit": Limit(120, 60, WRITES),
    "mailing:bulk": Limit(20, 60, WRITES),
    "mailing:account": Limit(10, 60, WRITES),  # each tries to reach a mail server
    "billing:checkout": Limit(10, 60, WRITES),
    "billing:stripe_webhook": Limit(100),
    "billing:thanks_status": Limit(120),
    "billing:promo": Limit(10, 60, WRITES),
    "admin:integrations_run_dry": Limit(10, 60, WRITES),  # each reads another system while somebody waits
    "admin:integrations_pipeline_when": Limit(240),
    "tracker:export": Limit(10),
    "tracker:opportunity_move": Limit(60, 60, WRITES),
    # the API counts after authentication (`aaperture.lib.api.throttling`): by account or key, and a log-in by the name tried
    "api:login": Limit(5),
    "api:register": Limit(3),
    "api:keys_rotate": Limit(10),
    "api:pipeline_dry_run": Limit(20),
    "api:cleanups": Limit(30),
    "api:backups": Limit(30),
}
# by the beginning of the name, the longest that fits, where a page has no limit of its own above
FAMILIES = {
    "account_": FORM,
    "socialaccount_": FORM,
    "mfa_": FORM,
    "settings": PAGE,
    "privacy": FORM,
    "invitation": PAGE,
    "site:": PAGE,
    "integrations:": PAGE,
    "studio:": PAGE,
    "documents:": PAGE,
    "mailing:": PAGE,
    "billing:": PAGE,
    "tracker:": PAGE,
    "admin:": Limit(60, 60, WRITES),
    "api:": API_LIMIT,
}


@cache
def limit_of(name: str) -> Limit | None:
    """The limit of the URL called `name`, or None where the registry has none (a test finds those)."""
    if name in LIMITS:
        return LIMITS[name]
    fitting = [family for family in FAMILIES if name.startswith(family)]
    return FAMILIES[max(fitting, key=len)] if fitting else None


# KEYS[i] may have ARGV[2i-1] requests in ARGV[2i] milliseconds. Either all are counted or, when one is full, none.
# Returns 1 or 0, the requests under the first key, and milliseconds: until all would pass, or until the first's oldest leaves.
TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local wait = 0
for i, key in ipairs(KEYS) do
    local times, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local oldest = redis.call('LINDEX', key, 0)
    while oldest and oldest + window <= now do
        redis.call('LPOP', key)
        oldest = redis.call('LINDEX', key, 0)
    end
    local length = redis.call('LLEN', key)
    if length >= times then
        wait = math.max(wait, redis.call('LINDEX', key, length - times) + window - now)
    end
end
if wait > 0 then
    return {0, redis.call('LLEN', KEYS[1]), wait}
end
for i, key in ipairs(KEYS) do
    redis.call('RPUSH', key, string.format('%d', now))
    redis.call('PEXPIRE', key, ARGV[2 * i])
end
return {1, redis.call('LLEN', KEYS[1]), redis.call('LINDEX', KEYS[1], 0) + ARGV[2] - now}
"""
TAKE_SHA = hashlib.sha1(TAKE.encode(), usedforsecurity=False).hexdigest()


class Key(NamedTuple):
    name: str
    times: int
    seconds: int


def take(keys: Iterable[Key]) -> int:
    """Count one request under every key, or under none when one of them is full: 0, or the seconds until it would pass."""
    allowed, _number, milliseconds = _ask(list(keys))
    return 0 if allowed else _seconds(milliseconds)


def count(key: str, seconds: int, times: int = 1000) -> tuple[int, int]:
    """Count one request under `key`: how many of them the last `seconds` have seen, and the seconds until that changes.

    Above `times` they are refused and no longer counted: the number is then `times` + 1.
    """
    allowed, number, milliseconds = _ask([Key(key, times, seconds)])
    return number if allowed else times + 1, _seconds(milliseconds)


def _ask(keys: list[Key]) -> tuple[bool, int, int]:
    cache: Any = caches["limits"]  # one for each thread
    if not hasattr(cache, "kept_client"):  # Django's makes a new one for every call, which costs as much as the call
        cache.kept_client = cache._cache.get_client(None, write=True)
    client = cache.kept_client
    arguments: list[str | int] = [cache.make_key(key.name) for key in keys]
    for key in keys:
        arguments += [key.times, key.seconds * 1000]
    try:
        allowed, number, milliseconds = client.evalsha(TAKE_SHA, len(keys), *arguments)
    except NoScriptError:  # the first call since Valkey started
        allowed, number, milliseconds = client.eval(TAKE, len(keys), *arguments)
    return bool(allowed), int(number), int(milliseconds)


def _seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))


def keys_of(request: HttpRequest, name: str, limit: Limit) -> list[Key]:
    """What a request for the URL called `name` is counted under."""
    writing = request.method in limit.methods
    times, seconds = (limit.times, limit.seconds) if writing else (READS, 60)
    place = name if writing else f"{name}|read"
    address = address_bucket(client_address(request))
    if request.user.is_authenticated:
        keys = [Key(f"{place}|{request.user.pk}", times, seconds), Key(f"{place}|office|{address}", times * OFFICE, seconds)]
    else:
        keys = [Key(f"{place}|{address}", times, seconds)]
    if writing and limit.field and (value := request.POST.get(limit.field, "")):
        same = composed(value, "NFKC").strip().casefold()
        keys.append(Key(f"{place}|field|{hashlib.sha256(same.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}", times, seconds))
    return keys


class LimitsMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, _view: object, _args: object, _kwargs: object) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name.startswith("api:"):
            return None
        try:
            seconds = take(keys_of(request, name, limit_of(name) or PAGE))
        except (RedisError, OSError):
            logger.error("limits unavailable", extra={"url_name": name})
            return None
        if not seconds:
            return None
        request.limit_exceeded = name  # type: ignore[attr-defined]  # `accounts.middleware.note_limit` records it
        return too_many_requests(request, seconds)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What cannot do without Valkey, such as signing in, says 503 while it is down."""
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
