"""The sandbox, for journeys that steer it."""

from tests.integrations.conftest import _keys_of_this_database, sandbox, sandbox_server  # noqa: F401  fixtures
