"""Ours to the letter, with the trivial view beside our pages and limits that a bench does not meet."""

from aaperture.lib import limits
from aaperture.settings import *  # noqa: F403

ROOT_URLCONF = "bench.ours.urls"
ALLOWED_HOSTS = ["*"]
limits.READS = 100_000_000
limits.FAMILIES["bench"] = limits.Limit(100_000_000)
limits.LIMITS.update({name: limit._replace(times=100_000_000) for name, limit in limits.LIMITS.items()})
