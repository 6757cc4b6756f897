"""How the addresses of the database and of Valkey are written for those who use them."""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ASLEEP_FOR = "60s"  # a worker that was suspended inside a transaction gives its locks back after this long


def database(url: str, *, pooled: bool) -> dict[str, Any]:
    """Django's settings for `postgresql://user:password@host:port/name?sslmode=…` (`host=` in the query: a socket folder)."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    host = query.pop("host", "") or unquote(parts.hostname or "")
    options: dict[str, Any] = {"connect_timeout": "5", "options": f"-c idle_in_transaction_session_timeout={ASLEEP_FOR}", **query}
    if pooled:  # threads share a bounded pool; workers and commands hold one connection each
        options["pool"] = {"min_size": 1, "max_size": 10, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def redis_url(address: str, number: int, *, broker: bool = False) -> str:
    """`address`, its database number raised by `number`; Celery writes a unix socket differently from redis-py."""
    parts = urlsplit(address)
    if parts.scheme in {"unix", "redis+socket"}:
        number += int(parse_qs(parts.query).get("db", ["0"])[0])
        return f"redis+socket://{parts.path}?virtual_host={number}" if broker else f"unix://{parts.path}?db={number}"
    base = parts.path.strip("/")
    return parts._replace(path=f"/{number + int(base if base.isdecimal() else 0)}").geturl()
