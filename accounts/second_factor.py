"""The second factor: who has one, who must, and codes that work once.

Its secrets stand sealed in allauth's own rows: `mfa1.<owner>.<sealed>`, under the data key of the person, bound to that
person, and opened only for them, so that a seed copied into another's row opens nothing.
"""

import base64
import binascii
import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from uuid import UUID

from allauth.core import context
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.db import transaction
from django.http import HttpRequest

from aaperture.lib.nudge import nudge
from accounts import lockout
from accounts.models import User
from accounts.roles import Role
from audit.services import record
from vault.errors import SealedDataError
from vault.services import open_sealed, person, seal

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes are no factor of their own
REQUIRED_ROLES = frozenset({Role.ADMIN, Role.DEVELOPER})
LAST_COUNTER = "last_counter"  # in the TOTP row's data: codes up to this time step are spent
PREFIX = "mfa1"
_owner: ContextVar[UUID | None] = ContextVar("second_factor_owner", default=None)


def has_second_factor(user: User) -> bool:
    return Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists()


def required_for(user: User) -> bool:
    """Whether the role may do nothing without one."""
    return user.role in REQUIRED_ROLES


def verify_code(user: User, code: str, request: HttpRequest) -> bool:
    """Whether this is a code of the person's, counted by the lock before it is looked at; right codes are spent.

    Raises Locked.
    """
    return spend_counted(user, code, request) is not None


def spend_counted(user: User, code: str, request: HttpRequest) -> Authenticator | None:
    """`spend()` behind the lock, failures on record. Raises Locked."""
    name = lockout.name_of(user)
    try:
        lockout.attempt(name, request)
    except lockout.Locked:
        lockout.note_failure(request, name, user, reason="locked")
        raise
    found = spend(user, code)
    if found is None:
        lockout.failed(name, request, user)
        lockout.note_failure(request, name, user, reason="second_factor")
    else:
        lockout.succeeded(name, request)
    return found


def use_code(user: User, code: str) -> bool:
    """Spend a TOTP or recovery code; of several at once with the same code one wins. Counts nothing: that is the caller's."""
    return spend(user, code) is not None


@transaction.atomic
def spend(user: User, code: str) -> Authenticator | None:
    """The row whose code it was. The rows are locked before they are read, so a code has one reader at a time."""
    types = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
    rows = Authenticator.objects.select_for_update(of=("self",)).filter(user_id=user.pk, type__in=types).order_by("pk")
    with sealed_for(user):
        for row in rows:
            fits = _spend_totp(row, code) if row.type == Authenticator.Type.TOTP else row.wrap().validate_code(code)
            if fits:
                row.user = user
                if row.type == Authenticator.Type.RECOVERY_CODES:
                    _note_recovery_code(user)
                return row
    return None


def codes_left(row: Authenticator) -> int:
    """How many recovery codes of this row are not used up; no code is opened for it."""
    return mfa_settings.RECOVERY_CODE_COUNT - int(row.data["used_mask"]).bit_count()


def _note_recovery_code(user: User) -> None:
    """On record and to its owner, by whatever channel it was used: somebody who found the list would use it so."""
    from accounts.tasks import tell_of_recovery_code  # tasks import services, which import this

    record("recovery_codes.used", user, actor=user)
    nudge(tell_of_recovery_code, user.pk)


def _spend_totp(row: Authenticator, code: str) -> bool:
    secret = unseal(row.data["secret"])
    for counter in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, counter))):
            if counter <= row.data.get(LAST_COUNTER, -1):
                return False
            row.data[LAST_COUNTER] = counter
            row.save(update_fields=["data"])
            return True
    return False


@transaction.atomic
def spend_enrolment_code(authenticator: Authenticator) -> None:
    """The code that proved the new authenticator is spent, too."""
    row = Authenticator.objects.select_for_update().filter(pk=authenticator.pk).first()
    if row:
        row.data[LAST_COUNTER] = int(time.time()) // mfa_settings.TOTP_PERIOD
        row.save(update_fields=["data"])


@contextlib.contextmanager
def sealed_for(user: User) -> Iterator[None]:
    """Whose secrets are sealed and opened inside, where no signed-in request says it."""
    token = _owner.set(user.pk)
    try:
        yield
    finally:
        _owner.reset(token)


def seal_text(text: str) -> str:
    owner = _expected_owner()
    sealed = seal(text.encode(), person(owner), _associated(owner))
    return f"{PREFIX}.{owner}.{base64.urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str) -> str:
    """Raises SealedDataError for anything altered, or sealed for somebody else."""
    prefix, _, rest = sealed.partition(".")
    owner, _, data = rest.partition(".")
    expected = _expected_owner()
    if prefix != PREFIX or owner != str(expected):
        raise SealedDataError
    try:
        raw = base64.urlsafe_b64decode(data.encode())
    except (binascii.Error, ValueError):
        raise SealedDataError from None
    return open_sealed(raw, person(expected), _associated(expected)).decode()


def _associated(owner: UUID) -> str:
    return f"mfa_authenticator|data|{owner}"


def _expected_owner() -> UUID:
    owner = _owner.get()
    user = getattr(context.request, "user", None)
    if owner is None and user is not None and user.is_authenticated:
        owner = user.pk
    if owner is None:
        raise SealedDataError
    return owner
