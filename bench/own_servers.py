"""A PostgreSQL and a Valkey of a bench's own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def own_servers(*, fast: bool = False) -> Iterator[Any]:
    """Running, empty and named in the environment, in a folder that goes with them (`servers.state.folder`)."""
    from aaperture.lib import embedded

    with tempfile.TemporaryDirectory(prefix="aaperture-bench-") as folder:
        servers = embedded.Servers(embedded.State(Path(folder), fast=fast))
        database, owner, cache = embedded.urls(servers.state)
        os.environ.update(DATABASE_URL=database, MIGRATION_DATABASE_URL=owner, REDIS_URL=cache)
        with servers:
            yield servers
