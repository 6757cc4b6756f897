"""Where tests/processes.py was before."""

from tests.processes import outputs, start

__all__ = ["outputs", "start"]
