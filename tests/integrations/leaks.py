"""Looking for a text in everything this instance keeps: every table, every Valkey key, every log, temporary files."""

import base64
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg import sql
from redis import Redis

DATABASES = 16
RECENT = 15 * 60
STATE = Path(settings.BASE_DIR) / ".data"


def spellings(text: str) -> list[bytes]:
    """The text itself, in base64 at each of the three offsets, and in hex."""
    raw = text.encode()
    encoded = [base64.b64encode(b"\0" * shift + raw)[4 * (shift > 0) + 4 : -4] for shift in range(3)]
    return [raw, *encoded, raw.hex().encode()]


def tables() -> Iterator[tuple[str, bytes]]:
    """Every row of every table, as text."""
    with psycopg.connect(os.environ["MIGRATION_DATABASE_URL"]) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, name in names:
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, name)))
            for (row,) in rows:
                yield f"table {name}", row.encode() + _unhexed(row)


def _unhexed(row: str) -> bytes:
    r"""What stands in a row's bytea columns, which PostgreSQL prints as \x… ."""
    parts = (part.split('"')[0].split(",")[0].rstrip(")") for part in row.split("\\x")[1:])
    return b" ".join(bytes.fromhex(part[: len(part) // 2 * 2]) for part in parts if part and set(part) <= set("0123456789abcdef"))


def valkey() -> Iterator[tuple[str, bytes]]:
    base = os.environ["REDIS_URL"].partition("?")[0]
    for number in range(DATABASES):
        client = Redis.from_url(f"{base}?db={number}")
        for key in client.scan_iter(count=1000):
            kind = client.type(key)
            if kind == b"string":
                content = client.get(key) or b""
            elif kind == b"list":
                content = b" ".join(client.lrange(key, 0, -1))
            elif kind == b"hash":
                content = b" ".join(part for pair in client.hgetall(key).items() for part in pair)
            else:
                content = client.dump(key) or b""
            yield f"valkey {number}", key + content
        client.close()


def files() -> Iterator[tuple[str, bytes]]:
    """Server logs, and whatever was written to the temporary folder lately."""
    places = [*STATE.glob("*/logs/*"), *Path(tempfile.gettempdir()).glob("*")]
    for path in places:
        try:
            if path.is_file() and path.stat().st_mtime > time.time() - RECENT and path.stat().st_size < 50_000_000:
                yield f"file {path}", path.read_bytes()
        except OSError:
            continue


def found(*texts: str, also: dict[str, str] | None = None) -> list[str]:
    """Where any of `texts` stands; `also` are further places by name, such as a process's output."""
    wanted = [spelling for text in texts for spelling in spellings(text)]
    everywhere = [*tables(), *valkey(), *files(), *((name, text.encode()) for name, text in (also or {}).items())]
    return sorted({place for place, content in everywhere if any(spelling in content for spelling in wanted)})
