"""The secrets of this instance's configuration: their names, where they come from, and how old they are. Never a value.

The environment does not say since when a secret has been what it is. So the instance remembers when it first met one, by a keyed
hash; a secret that changes is met anew, one that comes back keeps its age.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db.models import Count, F, Min
from django.db.models.functions import Coalesce
from django.utils import timezone

from aaperture.lib.env import Env
from accounts.models import ApiKey
from accounts.services.api_keys import OLD_SECRET_FOR
from vault.errors import SealedDataError
from vault.models import KeySalt, KnownSecret
from vault.services import keyed_hash

DUE = timedelta(days=90)
DAY = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?!\d)")  # in the id of a key: 20261122, k2026-11-22
RING = "ENCRYPTION_KEYS"
API_KEYS, SIGNING_SECRETS = "API keys", "signing secrets of API keys"


class _Configured(NamedTuple):
    """`known_as` is the name under which its age is remembered: a secret moved to the fallbacks does not become young."""

    variable: str
    value: str
    known_as: str
    part: str = ""


class SecretAge(NamedTuple):
    """`source` is where it is configured: environment, file, key service, instance (made by itself), console."""

    name: str
    part: str
    variable: str
    source: str
    since: datetime
    how_many: int = 1

    def age(self, now: datetime | None = None) -> timedelta:
        return (now or timezone.now()) - self.since

    def is_overdue(self, now: datetime | None = None) -> bool:
        return self.age(now) > DUE

    @property
    def days(self) -> int:
        return max(self.age().days, 0)

    @property
    def due_on(self) -> datetime:
        return self.since + DUE

    @property
    def overdue(self) -> bool:
        return self.is_overdue()


ONE = (
    "SECRET_KEY", "GOOGLE_CLIENT_SECRET", "OIDC_CLIENT_SECRET", "STRIPE_SECRET_KEY", "S3_SECRET_ACCESS_KEY", "GEMINI_API_KEY",
    "BACKUP_KEY", "METRICS_TOKEN",
)  # fmt: skip
SEVERAL = {"SECRET_KEY_FALLBACKS": "SECRET_KEY", "STRIPE_WEBHOOK_SECRET": "STRIPE_WEBHOOK_SECRET", "FERNET_KEYS": "FERNET_KEYS"}
PASSWORDS = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "EMAIL_URL")
# listed in `.env.example`, and no secret: addresses, names, switches, and a DSN that only lets one report errors
NAMED_LIKE_SECRETS = frozenset({"S3_ACCESS_KEY_ID", "SENTRY_DSN"})


def _configured() -> Iterator[_Configured]:
    for name in ONE:
        yield _Configured(name, getattr(settings, name, ""), name)
    for name, known_as in SEVERAL.items():
        for number, value in enumerate(getattr(settings, name, []), 1):
            yield _Configured(name, value, known_as, str(number))
    for name in PASSWORDS:
        yield _Configured(name, unquote(urlsplit(getattr(settings, name, "")).password or ""), name)
    for kid, key in settings.ENCRYPTION_KEYS:
        yield _Configured(RING, key.hex(), RING, kid)


def _fingerprint(secret: _Configured) -> bytes:
    return keyed_hash("secret", f"{secret.known_as}|{secret.value}")


def _first_seen(now: datetime) -> list[tuple[_Configured, datetime]]:
    """Every secret that is set, with when it was first met; those met just now are remembered."""
    try:
        present = [(secret, _fingerprint(secret)) for secret in _configured() if secret.value]
    except SealedDataError:  # the key of hashes is wrapped by a key that the ring lacks: there is something more urgent to say
        return []
    known = {(row.name, bytes(row.fingerprint)): row.first_seen_at for row in KnownSecret.objects.all()}
    fresh = {(secret.known_as, print_) for secret, print_ in present} - known.keys()
    rows = [KnownSecret(name=name, fingerprint=print_, first_seen_at=now) for name, print_ in sorted(fresh)]
    if rows:
        KnownSecret.objects.bulk_create(rows, ignore_conflicts=True)
    return [(secret, known.get((secret.known_as, print_), now)) for secret, print_ in present]


def observe(now: datetime | None = None) -> None:
    """Remember secrets that were not met before. Run every hour, so that an age is never more than an hour short."""
    _first_seen(now or timezone.now())


def ring_since(now: datetime | None = None) -> dict[str, datetime]:
    """Since when there is each key of the ring, by its id."""
    now = now or timezone.now()
    used = dict(KeySalt.objects.values_list("kid", "created_at"))
    met = {secret.part: since for secret, since in _first_seen(now) if secret.known_as == RING}
    return {kid: began(kid, met.get(kid), used.get(kid), now=now) or now for kid, _key in settings.ENCRYPTION_KEYS}


def began(kid: str, *seen: datetime | None, now: datetime | None = None) -> datetime | None:
    """When a key began: the day that its id names, or when this instance first met it, whichever is earlier."""
    known = [one for one in seen if one]
    if match := DAY.search(kid):
        with suppress(ValueError):
            year, month, number = (int(part) for part in match.groups())
            day = datetime(year, month, number, tzinfo=UTC)
            known += [day] if day <= (now or timezone.now()) else []
    return min(known, default=None)


def inventory(now: datetime | None = None) -> list[SecretAge]:
    """Every secret, the oldest first."""
    now = now or timezone.now()
    env = Env()
    found = [
        SecretAge(secret.variable, secret.part, *env.source_of(secret.variable), since)
        for secret, since in _first_seen(now)
        if secret.known_as != RING
    ]
    return sorted([*found, *_ring(now, env), *_api_keys(now)], key=lambda one: one.since)


def _ring(now: datetime, env: Env) -> list[SecretAge]:
    return [SecretAge(RING, kid, *env.source_of(RING), since) for kid, since in ring_since(now).items()]


def _api_keys(now: datetime) -> list[SecretAge]:
    """One line for all keys of all people, and one for what they sign with: as old as the oldest."""
    valid = ApiKey.objects.filter(revoked_at=None, expires_at__gt=now).order_by()
    renewed = Coalesce(F("previous_secret_until") - OLD_SECRET_FOR, F("created_at"))
    told = valid.aggregate(count=Count("pk"), made=Min("created_at"), signed=Min(renewed))
    if not told["count"]:
        return []
    return [SecretAge(name, "", "", "console", since, told["count"])
            for name, since in ((API_KEYS, told["made"]), (SIGNING_SECRETS, told["signed"]))]  # fmt: skip


def overdue_secrets(now: datetime | None = None) -> list[SecretAge]:
    """What is older than 90 days: the console warns of it, and the alerts' detector asks here."""
    now = now or timezone.now()
    return [secret for secret in inventory(now) if secret.is_overdue(now)]
