"""The production checklist, as far as a program can look; what only people can do is listed with it."""

from operations.security_check import configuration, host, people, running  # noqa: F401 - each adds its checks
from operations.security_check.checks import CHECKS, Check, Finding, Outcome, run

__all__ = ["CHECKS", "Check", "Finding", "Outcome", "run"]
