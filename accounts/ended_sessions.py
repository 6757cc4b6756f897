"""Why a browser is signed out: said once, at its next request, to whoever still holds the cookie of a session that somebody ended.

The row is gone by then. What is kept is a hash of its key and one word, for as long as a session may last at most, where losing it
does no harm.
"""

import hashlib
import logging
from collections.abc import Iterable

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

ELSEWHERE, STAFF, PASSWORD = "elsewhere", "staff", "password"  # nosec B105 - words for reasons
WORDS = {
    ELSEWHERE: _("You were signed out from another device."),
    STAFF: _("You were signed out by an administrator."),
    PASSWORD: _("Your password was changed, so you were signed out here. Sign in with the new one."),
}


def _name(session_key: str) -> str:
    return f"ended|{hashlib.sha256(session_key.encode()).hexdigest()}"


def remember(session_keys: Iterable[str], why: str) -> None:
    """After the transaction that ends them."""
    names = {_name(key): why for key in session_keys} if why else {}
    if names:
        transaction.on_commit(lambda: _keep(names))


def _keep(names: dict[str, str]) -> None:
    try:
        cache.set_many(names, int(settings.SESSION_ABSOLUTE.total_seconds()))
    except RedisError as error:
        logger.warning("reason of a sign-out not kept", extra={"error": type(error).__name__})


def told(session_key: str) -> str:
    """Words for the person whose cookie this is, or "": nobody ended it, or they have been told already."""
    name = _name(session_key)
    try:
        why = cache.get(name)
        if why:
            cache.delete(name)
    except RedisError:
        return ""
    return str(WORDS[why]) if why in WORDS else ""
