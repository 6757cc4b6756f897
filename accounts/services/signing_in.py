"""Is it them? The one place where a password is verified: once per try, whoever is asked for, counted before it is looked at."""

import time

from allauth.account.models import EmailAddress
from django.http import HttpRequest

from accounts import lockout, second_factor
from accounts.access import may_enter
from accounts.models import User, canonical_email
from audit.services import record_after

_last_verification = [0.3]  # seconds: what a refusal without verifying has to last


class SignInRefused(Exception):
    """No sign-in; each subclass says what may be told."""


class WrongCredentials(SignInRefused):
    """Unknown, inactive, refused, wrong or locked: one message and one duration for all."""


class SecondFactorNeeded(SignInRefused):
    """The password was right, the account is protected, and no code came with it."""


class EnrolmentRequired(SignInRefused):
    """The password was right, but this role needs a second factor and has none yet: to be set up on the pages first."""


def find(name: str) -> User | None:
    """The account with this address: a verified one of its own, else its login name. Two queries, whoever it is."""
    name = canonical_email(name)
    if not name or len(name) > lockout.LONGEST_NAME or "\x00" in name:
        return None
    verified = EmailAddress.objects.filter(email=name, verified=True).select_related("user").first()
    named = User.objects.filter(email=name).first()
    return verified.user if verified else named


def tried(request: HttpRequest, name: str) -> User | None:
    """`find()`, asked once in a request whose sign-in passes several hands."""
    memo: tuple[str, User | None] | None = getattr(request, "sign_in_tried", None)
    if memo is None or memo[0] != name:
        memo = (name, find(name))
        request.sign_in_tried = memo  # type: ignore[attr-defined]  # ours, on the request
    return memo[1]


def counted_name(name: str, user: User | None) -> str:
    """The name that tries for `name` are counted under: the account's own, whichever of its addresses was typed."""
    return lockout.name_of(user) if user else lockout.canonical_name(name)


def password_fits(user: User | None, password: str) -> bool:
    """Verify a password by exactly one hashing, also for nobody and for an account without a password."""
    began = time.perf_counter()
    if user is None:
        User().set_password(password)  # hashes as long as a comparison would take
        fits = False
    else:
        fits = user.check_password(password)
    _last_verification[0] = min(1.0, time.perf_counter() - began)
    return fits


def verify(request: HttpRequest, *, email: str, password: str, otp: str = "") -> User:
    """The account that these credentials open, for the API's log-in. Opens no session.

    Raises WrongCredentials, SecondFactorNeeded, EnrolmentRequired; RedisError while Valkey is down.
    """
    user = find(email)
    name = counted_name(email, user)
    try:
        lockout.attempt(name, request)
    except lockout.Locked:
        time.sleep(_last_verification[0])
        raise _refusal(request, name, user, reason="locked") from None
    if not password_fits(user, password) or user is None or not may_sign_in(user):
        lockout.failed(name, request, user)
        raise _refusal(request, name, user, reason="credentials")
    if second_factor.has_second_factor(user):
        if not otp:
            lockout.give_back(name, request)
            raise SecondFactorNeeded
        if not second_factor.use_code(user, otp):
            lockout.failed(name, request, user)
            raise _refusal(request, name, user, reason="second_factor")
    elif second_factor.required_for(user):
        lockout.succeeded(name, request)
        record_after(lockout.plain(request), "second_factor.required", user, view="api:login")
        raise EnrolmentRequired
    lockout.succeeded(name, request)
    return user


def may_sign_in(user: User) -> bool:
    """Whether a right password may open this account: admitted now, with an address that was verified."""
    return may_enter(user) and EmailAddress.objects.filter(user=user, verified=True).exists()


def check_password(user: User, password: str, request: HttpRequest) -> bool:
    """Whether it is the password of somebody who is already in (step-up, password change), through the same lock.

    Raises Locked.
    """
    name = lockout.name_of(user)
    try:
        lockout.attempt(name, request)
    except lockout.Locked:
        lockout.note_failure(request, name, user, reason="locked")
        raise
    if password_fits(user, password):
        # the password alone may not wipe out the failures of its second factor
        (lockout.give_back if second_factor.has_second_factor(user) else lockout.succeeded)(name, request)
        return True
    lockout.failed(name, request, user)
    lockout.note_failure(request, name, user, reason="credentials")
    return False


def _refusal(request: HttpRequest, name: str, user: User | None, *, reason: str) -> WrongCredentials:
    lockout.note_failure(request, name, user, reason=reason)
    return WrongCredentials()
