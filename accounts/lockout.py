"""Five failures lock an account's name for fifteen minutes on every channel together.

A try is counted before anything is verified, by one atomic call, so thirty tries side by side verify at most five. The
right password or code gives its own count back; a completed sign-in forgets them all. The lock's end stands when it begins:
tries during it neither count nor prolong it. Beside it every address has a larger allowance of its own. A passkey is never
counted and never refused. Names nobody has lock the same way.

django-axes drives the pages' sign-in through `ReservingHandler`; other channels call `attempt()` themselves. Valkey holds
keyed hashes, no name and no address; while it is down `RedisError` ends the request with 503.
"""

from typing import Any

from axes.handlers.base import AbstractAxesHandler, AxesBaseHandler
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from aaperture.lib.client_address import address_bucket, client_address
from aaperture.lib.composed import composed
from aaperture.lib.nudge import nudge
from aaperture.lib.uuid7 import uuid7
from accounts.models import User
from audit.services import record_after

FAILURES_PER_NAME: int = settings.AXES_FAILURE_LIMIT
FAILURES_PER_ADDRESS = 30
LONGEST_NAME = 254
SECONDS = int(settings.AXES_COOLOFF_TIME.total_seconds())

# KEYS: name, address; ARGV: allowance of the name, of the address, seconds. Returns 0, or the seconds until the next try.
RESERVE = """
local most = {tonumber(ARGV[1]), tonumber(ARGV[2])}
for i = 1, 2 do
  if tonumber(redis.call('GET', KEYS[i]) or '0') >= most[i] then return math.max(1, redis.call('TTL', KEYS[i])) end
end
redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
if redis.call('INCR', KEYS[2]) == 1 then redis.call('EXPIRE', KEYS[2], ARGV[3]) end
return 0
"""
# KEYS: what to count one less; never below zero, never a key without an end
GIVE_BACK = """
for i = 1, #KEYS do
  if tonumber(redis.call('GET', KEYS[i]) or '0') > 0 then redis.call('DECR', KEYS[i]) end
end
return 0
"""
# KEYS: name, told; ARGV: allowance. Returns 1 to the one caller who is to tell the owner of this lock.
LOCKED_JUST_NOW = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then return 0 end
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', math.max(1, redis.call('TTL', KEYS[1]))) then return 1 end
return 0
"""


class Locked(Exception):
    """Refused without verifying anything; `seconds` until the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__("locked")
        self.seconds = seconds


def canonical_name(name: str) -> str:
    """One form for every spelling of an account's name: NFKC, trimmed, casefolded."""
    return composed(str(name), "NFKC").strip().casefold()


def attempt(name: str, request: HttpRequest) -> None:
    """Count one try before verifying it. Raises Locked above the allowance of the name or of the address, RedisError."""
    seconds = _run(RESERVE, [_name_key(name), _address_key(request)], FAILURES_PER_NAME, FAILURES_PER_ADDRESS, SECONDS)
    if seconds:
        raise Locked(seconds)


def failed(name: str, request: HttpRequest, user: User | None) -> None:
    """After a failed try: whoever used up the allowance puts the lock on record and has the account's owner told, once."""
    if _run(LOCKED_JUST_NOW, [_name_key(name), _told_key(name)], FAILURES_PER_NAME):
        from accounts.tasks import tell_of_lock  # tasks import services, which import this

        record_after(plain(request), "account.locked", user, account=canonical_name(name)[:LONGEST_NAME])
        nudge(tell_of_lock, user.pk if user else uuid7())  # for nobody too: the answer may not take longer for somebody


def note_failure(request: HttpRequest, name: str, user: User | None, *, reason: str) -> None:
    """Put a failed or refused try on record once the request has ended."""
    record_after(plain(request), "user.login.failed", user, account=name[:LONGEST_NAME], reason=reason)


def give_back(name: str, request: HttpRequest) -> None:
    """The try was right, but the sign-in is not complete (a second factor follows): uncount this try, keep the failures."""
    _run(GIVE_BACK, [_name_key(name), _address_key(request)])


def succeeded(name: str, request: HttpRequest) -> None:
    """The sign-in is complete: forget the name's failures; the address keeps those of other names."""
    forget(name)
    _run(GIVE_BACK, [_address_key(request)])


def forget(name: str) -> bool:
    """Forget the failures of a name; says whether there were any."""
    return bool(_client().delete(_name_key(name), _told_key(name)))


def unlock(name: str) -> bool:
    """Lift the lock of a name, in any spelling; says whether it had failures."""
    return forget(name)


def name_of(user: User) -> str:
    """The name under which all channels count for an account, whichever of its addresses was typed."""
    return canonical_name(user.email)


def plain(request: Any) -> HttpRequest:
    """Django's request inside that of the REST framework: what middleware sees."""
    return getattr(request, "_request", request)


def refuse(request: HttpRequest, locked: Locked) -> None:
    """Let the form answer as it does to a wrong try; `response()` then turns the page into a 429 with the seconds to wait."""
    request = plain(request)
    request.axes_locked_out = True  # type: ignore[attr-defined]  # what django-axes looks for on the request
    request.locked_for = locked.seconds  # type: ignore[attr-defined]  # ours, on the request


def response(request: HttpRequest, original: HttpResponse, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """axes' lock-out response: the page that a wrong try gets, word for word, as 429 with a true Retry-After."""
    original.status_code = 429
    original["Retry-After"] = str(getattr(request, "locked_for", SECONDS))
    return original


class ReservingHandler(AbstractAxesHandler, AxesBaseHandler):
    """What axes asks and tells during `django.contrib.auth.authenticate()` and `login()`. Keeps nothing in the database."""

    def is_allowed(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        try:
            attempt(self._tried(request, credentials)[0], request)
        except Locked as locked:
            refuse(request, locked)
            return False
        return True

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        return int(_client().get(_name_key(self._tried(request, credentials)[0])) or 0)

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
        if request is not None and not getattr(request, "axes_locked_out", False):
            name, user = self._tried(request, credentials)
            failed(name, request, user)

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """Only somebody who gave the password: a passkey or Google sign-in would hand guessers five more tries."""
        methods = request.session.get("account_authentication_methods", [])
        if any(step.get("method") == "password" for step in methods):
            forget(name_of(user))

    def user_logged_out(self, sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
        """Nothing: failures outlive a log-out."""

    def reset_attempts(self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False) -> int:
        return int(unlock(username)) if username else 0

    def post_save_access_attempt(self, instance: Any, **kwargs: Any) -> None:
        """Nothing: no attempt is ever a row."""

    def post_delete_access_attempt(self, instance: Any, **kwargs: Any) -> None:
        """Nothing: no attempt is ever a row."""

    @staticmethod
    def _tried(request: HttpRequest, credentials: dict[str, Any] | None) -> tuple[str, User | None]:
        from accounts.services import signing_in  # which imports this module

        given = credentials or {}
        typed = str(given.get("email") or given.get("username") or "")
        user = signing_in.tried(request, typed)
        return signing_in.counted_name(typed, user), user


def _name_key(name: str) -> str:
    return _key("name", canonical_name(name))


def _told_key(name: str) -> str:
    return _key("told", canonical_name(name))


def _address_key(request: HttpRequest) -> str:
    return _key("address", address_bucket(client_address(plain(request))))


def _key(kind: str, value: str) -> str:
    digest = salted_hmac(f"accounts.lockout.{kind}", value, algorithm="sha256").hexdigest()[:40]
    return caches["locks"].make_key(f"{kind}:{digest}")


def _client() -> Any:
    return caches["locks"]._cache.get_client(None, write=True)  # type: ignore[attr-defined]  # Django's own client of the cache, not in the stubs


def _run(script: str, keys: list[str], *arguments: int) -> int:
    return int(_client().eval(script, len(keys), *keys, *arguments))
