"""The console of accounts: people, studios, ways in, coaching, the settings of the instance. One module by noun."""

from . import coaching, instance, keys, sessions, studios, users

__all__ = ["coaching", "instance", "keys", "sessions", "studios", "users"]
