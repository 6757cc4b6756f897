"""One process at a time: PostgreSQL's advisory locks."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def alone(lock: int, of: str = "") -> Iterator[bool]:
    """Whether the lock, or the one of this name under it, is ours meanwhile. It waits for nobody.

    It is the connection's, not a transaction's: none need be open, and it ends with the process, however that ends.
    """
    keys = "%s, hashtext(%s)" if of else "%s"
    values = (lock, of) if of else (lock,)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_try_advisory_lock({keys})", values)
        is_ours = cursor.fetchone()[0]
        try:
            yield is_ours
        finally:
            if is_ours:
                cursor.execute(f"SELECT pg_advisory_unlock({keys})", values)
