"""The blocked networks as every process knows them: kept in memory, looked up again in Valkey every two seconds.

Valkey holds a copy, so that asking costs no query; a tick and every change write it anew from the table. A process that finds
no copy (Valkey emptied or down) goes on with what it knew, and reads the table when it knew nothing yet.
"""

import json
import logging
import time
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from django.core.cache import caches
from django.db import DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from aaperture.lib.client_address import canonical
from operations.containment.models import BlockedNetwork

logger = logging.getLogger(__name__)
KEY = "blocked_networks"
EVERY = 2.0  # seconds
Rules = dict[tuple[int, int], dict[int, float]]  # (version of IP, prefix length): {start of the network: when the block ends}


class _Known:
    rules: Rules | None = None
    asked_at = 0.0


_known = _Known()


def is_blocked(address: str) -> bool:
    rules = _rules()
    if not rules:
        return False
    parsed = canonical(address)
    if parsed is None or parsed.is_loopback:
        return False
    now = time.time()
    return any(ends.get(_start(parsed, prefix), 0) > now for (version, prefix), ends in rules.items() if version == parsed.version)


def publish() -> int:
    """Write the table's state where every process looks; how many networks are blocked."""
    rows = _rows()
    try:
        caches["locks"].set(KEY, json.dumps(rows), timeout=None)
    except (RedisError, OSError):
        logger.error("block list not published: processes see it as soon as Valkey is back")
    _known.rules, _known.asked_at = _parsed(rows), time.monotonic()
    return len(rows)


def forget() -> None:
    """What this process knows; it asks anew at the next request."""
    _known.rules, _known.asked_at = None, 0.0


def _rules() -> Rules:
    if _known.rules is not None and time.monotonic() - _known.asked_at < EVERY:
        return _known.rules
    _known.asked_at = time.monotonic()  # first, so that threads beside this one do not all ask
    try:
        text = caches["locks"].get(KEY)
    except (RedisError, OSError):
        text = None
    if text is not None:
        _known.rules = _parsed(json.loads(text))
    elif _known.rules is None:
        try:
            _known.rules = _parsed(_rows())
        except DatabaseError:
            logger.exception("block list not read")
            return {}
    return _known.rules or {}


def _rows() -> list[list[Any]]:
    rows = BlockedNetwork.objects.in_force(timezone.now()).values_list("network", "ends_at")
    return [[network, ends_at.timestamp()] for network, ends_at in rows]


def _parsed(rows: list[list[Any]]) -> Rules:
    rules: Rules = {}
    for network, ends_at in rows:
        text, _slash, prefix = network.partition("/")
        if (start := canonical(text)) is not None:
            rules.setdefault((start.version, int(prefix)), {})[int(start)] = ends_at
    return rules


def _start(address: IPv4Address | IPv6Address, prefix: int) -> int:
    spare = address.max_prefixlen - prefix
    return int(address) >> spare << spare
