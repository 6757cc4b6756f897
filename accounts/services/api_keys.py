"""Keys for machines: shown once, stored as a hash, found by their prefix; each with a secret that signs critical calls."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import ApiKey, User
from audit.services import record

ALPHABET = string.digits + string.ascii_letters
FORMAT = re.compile(r"(aap_live_[0-9a-z]{8})_[0-9A-Za-z]{43}_([0-9A-Za-z]{6})")
MOST_DAYS, MOST_KEYS = 365, 50
USED_EVERY = timedelta(minutes=1)
OLD_SECRET_FOR = timedelta(hours=24)


def create(user: User, *, name: str, scopes: Iterable[str], days: int, request: HttpRequest | None = None) -> tuple[ApiKey, str, str]:
    """A new key, its text and its signing secret, neither of which can be read again. Raises ValidationError."""
    chosen = sorted(set(scopes))
    if not chosen or not set(chosen) <= set(ApiKey.Scope.values):
        raise ValidationError({"scopes": _("Choose read, write or both.")})
    if not 1 <= days <= MOST_DAYS:
        raise ValidationError({"days": _("Choose from 1 to 365 days.")})
    prefix, raw = _new_text()
    secret = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # or two at once would both be the last one allowed
        names = list(ApiKey.objects.filter(user=user, revoked_at=None, expires_at__gt=now).values_list("name", flat=True))
        if name in names:  # two of a name could not be told apart, and a page loaded again would make the second
            raise ValidationError({"name": _("You have a key of this name. Choose another name, or revoke that key first.")})
        if len(names) >= MOST_KEYS:
            raise ValidationError(_("You have %(n)d keys already. Revoke one first.") % {"n": MOST_KEYS})
        key = ApiKey(user=user, name=name, prefix=prefix, key_hash=_digest(raw), scopes=chosen, expires_at=now + timedelta(days=days))
        key.signing_secret = secret
        key.save(force_insert=True)
        record("api_key.created", key, actor=user, request=request, scopes=chosen, days=days)
    return key, raw, secret


def find(raw: str) -> ApiKey | None:
    """The live key with this text: one query, and none for a text whose checksum is wrong."""
    match = FORMAT.fullmatch(raw)
    if match is None or not hmac.compare_digest(_checksum(raw[:-7]), match[2]):
        return None
    rows = ApiKey.objects.select_related("user").defer("signing_secret", "previous_secret")
    key = rows.filter(prefix=match[1], revoked_at=None, expires_at__gt=timezone.now()).first()
    return key if key and hmac.compare_digest(bytes(key.key_hash), _digest(raw)) else None


def note_use(key: ApiKey) -> None:
    """Remember that it was used, once a minute at most."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at >= USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


@transaction.atomic
def revoke(key: ApiKey, *, actor: User, request: HttpRequest | None = None) -> bool:
    """End a key at once; False when it had been revoked before."""
    done = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    if done:
        record("api_key.revoked", key, actor=actor, request=request)
    return bool(done)


@transaction.atomic
def rotate_signing_secret(key: ApiKey, *, actor: User, request: HttpRequest | None = None) -> str:
    """A new signing secret, shown once; the one before is accepted for another day."""
    row = ApiKey.objects.select_for_update().get(pk=key.pk)
    secret = secrets.token_urlsafe(32)
    row.previous_secret, row.previous_secret_until = row.signing_secret, timezone.now() + OLD_SECRET_FOR
    row.signing_secret = secret
    row.save(update_fields=["signing_secret", "previous_secret", "previous_secret_until"])
    record("api_key.secret_rotated", row, actor=actor, request=request)
    return secret


def signing_secrets(key: ApiKey) -> list[str]:
    """The secrets that may sign for this key now, the newest first."""
    found = [key.signing_secret]
    if key.previous_secret_until and key.previous_secret_until > timezone.now():
        found.append(key.previous_secret)
    return [secret for secret in found if secret]


def _new_text() -> tuple[str, str]:
    prefix = "aap_live_" + "".join(secrets.choice(string.digits + string.ascii_lowercase) for _n in range(8))
    body = f"{prefix}_{''.join(secrets.choice(ALPHABET) for _n in range(43))}"
    return prefix, f"{body}_{_checksum(body)}"


def _checksum(text: str) -> str:
    """Six characters by which a scanner of secrets, or we, tell a key from what only looks like one."""
    number, found = zlib.crc32(text.encode()), ""
    for _n in range(6):
        number, digit = divmod(number, len(ALPHABET))
        found = ALPHABET[digit] + found
    return found


def _digest(raw: str) -> bytes:
    return hashlib.sha256(raw.encode()).digest()
