"""Critical calls by a key are signed, so that whoever sees a key pass can neither change nor repeat what it asked for."""

import hashlib
import hmac
import re
import time

from django.core.cache import caches
from django.http import HttpRequest
from redis.exceptions import RedisError
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Unavailable
from accounts.models import ApiKey
from accounts.services import api_keys

WINDOW = 300  # seconds a clock may be off, either way
REMEMBERED = 2 * WINDOW + 60
NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
SIGNATURE = re.compile(r"v1=([0-9a-f]{64})")
TIMESTAMP = re.compile(r"[0-9]{1,12}")


class SignedWhenCritical(BasePermission):
    """Deletions, and writes of views marked `critical`, when a key makes them."""

    def has_permission(self, request: Request, view: object) -> bool:
        if isinstance(request.auth, ApiKey) and is_critical(request.method or "", view):
            verify(plain(request), request.auth)
        return True


def is_critical(method: str, view: object) -> bool:
    return method == "DELETE" or (method not in SAFE_METHODS and bool(getattr(view, "critical", False)))


def string_to_sign(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    return "\n".join(["v1", method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()]).encode()


def sign(secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """The value of `X-Signature`."""
    return "v1=" + hmac.new(secret.encode(), string_to_sign(method, path, timestamp, nonce, body), hashlib.sha256).hexdigest()


def verify(request: HttpRequest, key: ApiKey) -> None:
    """Accept one signature once. Raises AuthenticationFailed, and Unavailable while nobody can say whether it was seen before."""
    given, timestamp, nonce = (request.headers.get(name, "") for name in ("X-Signature", "X-Timestamp", "X-Nonce"))
    if not (given and timestamp and nonce):
        raise AuthenticationFailed("This call must be signed: X-Signature, X-Timestamp, X-Nonce.", code="signature_missing")
    if not (SIGNATURE.fullmatch(given) and NONCE.fullmatch(nonce) and TIMESTAMP.fullmatch(timestamp)):
        raise AuthenticationFailed("The signature's headers are malformed.", code="signature_invalid")
    if abs(int(time.time()) - int(timestamp)) > WINDOW:
        raise AuthenticationFailed("The timestamp is more than 300 seconds off.", code="signature_expired")
    stored = ApiKey.objects.get(pk=key.pk)
    path, body = request.get_full_path(), request.body
    expected = [sign(secret, request.method or "", path, timestamp, nonce, body) for secret in api_keys.signing_secrets(stored)]
    if not any([hmac.compare_digest(given, one) for one in expected]):  # noqa: C419 - all of them, in the same time
        raise AuthenticationFailed("The signature does not fit.", code="signature_invalid")
    try:
        fresh = caches["locks"].add(f"nonce|{key.pk}|{nonce}", 1, timeout=REMEMBERED)
    except (RedisError, OSError):
        raise Unavailable from None
    if not fresh:
        raise AuthenticationFailed("This nonce was used before.", code="nonce_used")
