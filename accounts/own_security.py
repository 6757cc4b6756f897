"""What a person sees of their own security: second factor, sessions, recent sign-ins. Only reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from allauth.mfa import app_settings as mfa_settings
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from aaperture.lib.agents import describe_agent
from accounts import second_factor
from accounts.models import ApiSession, Session, User
from audit.models import Activity
from audit.services import opened_or_empty
from vault.errors import SealedDataError

FEW_CODES = 3
SIGN_INS_SHOWN_FOR = timedelta(days=30)
SIGN_INS_A_PAGE = 10
REMEMBERED_FOR = timedelta(days=90)
SIGN_INS_COMPARED = 200
SIGN_IN_ACTIONS = ("user.login", "user.login.failed", "account.locked")
WAYS = {
    "password": _("Password"),
    "google": _("Google"),
    "webauthn": _("Passkey"),
    "totp": _("Code from the app"),
    "recovery_codes": _("Recovery code"),
    "second_factor": _("Second step"),
    "api": _("API"),
}


@dataclass(frozen=True)
class Factors:
    """The second factor of one person; `next` names the one thing to do now, or is empty."""

    required: bool
    totp: Authenticator | None
    passkeys: list[Authenticator]
    codes_left: int
    codes_total: int
    codes_seen: bool

    @property
    def is_on(self) -> bool:
        return bool(self.totp or self.passkeys)

    @property
    def next(self) -> str:
        if not self.is_on:
            return "set_up"
        if self.codes_left <= FEW_CODES:
            return "new_codes"
        if not self.codes_seen:
            return "keep_codes"
        return "" if self.passkeys else "add_passkey"


def factors_of(user: User) -> Factors:
    """How many recovery codes are left is read from which are used up: no code is opened for it."""
    kinds = Authenticator.Type
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at", "pk"))
    codes = next((row for row in rows if row.type == kinds.RECOVERY_CODES), None)
    total = mfa_settings.RECOVERY_CODE_COUNT if codes else 0
    return Factors(
        required=second_factor.required_for(user),
        totp=next((row for row in rows if row.type == kinds.TOTP), None),
        passkeys=[row for row in rows if row.type == kinds.WEBAUTHN],
        codes_left=second_factor.codes_left(codes) if codes else 0,
        codes_total=total,
        codes_seen=bool(codes and codes.data.get("viewed_at")),
    )


class OwnSession(NamedTuple):
    """One open session, for showing and for ending. `reference` names it in a URL and opens nothing."""

    row: Session | ApiSession
    reference: str
    is_this: bool
    program: str
    address: str
    way: str

    @property
    def is_api(self) -> bool:
        return isinstance(self.row, ApiSession)


def sessions_of(user: User, request: HttpRequest) -> list[OwnSession]:
    """All open sessions of a person, this one first, then the latest seen."""
    now = timezone.now()
    web = Session.objects.filter(user=user, expire_date__gt=now, seen_at__gt=now - settings.SESSION_IDLE)
    api = ApiSession.objects.filter(user=user, ended_at=None, expires_at__gt=now)
    rows: list[Session | ApiSession] = [*web, *api]
    own = [_own(row, request) for row in rows]
    return sorted(own, key=lambda session: (not session.is_this, -session.row.seen_at.timestamp()))


def find_session(user: User, request: HttpRequest, reference: str) -> OwnSession | None:
    return next((own for own in sessions_of(user, request) if constant_time_compare(own.reference, reference)), None)


def _own(row: Session | ApiSession, request: HttpRequest) -> OwnSession:
    if isinstance(row, ApiSession):
        this, way = getattr(request, "api_session", None) == row, "api"
    else:
        this, way = row.session_key == request.session.session_key, row.method
    # a browser session's key is the way in, so a digest of it stands for it
    reference = salted_hmac("accounts.own_security.session", str(row.pk), algorithm="sha256").hexdigest()[:32]
    return OwnSession(row, reference, this, describe_agent(_opened(row, "agent")), _opened(row, "address"), ways_in_words(way))


def _opened(row: Session | ApiSession, field: str) -> str:
    try:
        return getattr(row, field) or ""
    except SealedDataError:
        return ""


def ways_in_words(ways: str) -> str:
    """For instance "Password + Code from the app" for `password+totp`."""
    return " + ".join(settings.OIDC_NAME if way == "oidc" else str(WAYS.get(way, way)) for way in ways.split("+") if way)


class SignIn(NamedTuple):
    at: datetime
    outcome: str  # in, failed or locked
    way: str
    program: str
    address: str


def sign_ins_of(user: User, *, page: int) -> tuple[list[SignIn], bool]:
    """One page of the sign-ins and attempts of the last 30 days, newest first, and whether there are older ones."""
    since = timezone.now() - SIGN_INS_SHOWN_FOR
    rows = Activity.objects.filter(target_id=str(user.pk), recorded_at__gte=since, action__in=SIGN_IN_ACTIONS)
    first = (page - 1) * SIGN_INS_A_PAGE
    found = list(rows.order_by("-recorded_at", "-id")[first : first + SIGN_INS_A_PAGE + 1])
    return list(_sign_ins(found[:SIGN_INS_A_PAGE])), len(found) > SIGN_INS_A_PAGE


def first_sign_in_from(user: User) -> SignIn | None:
    """The latest sign-in, if none in ninety days before it came from the same kind of program; None for the very first one."""
    since = timezone.now() - REMEMBERED_FOR
    rows = Activity.objects.filter(target_id=str(user.pk), recorded_at__gte=since, action="user.login")
    found = list(_sign_ins(list(rows.order_by("-recorded_at", "-id")[:SIGN_INS_COMPARED])))
    known = {sign_in.program for sign_in in found[1:]}
    return found[0] if known and found[0].program not in known else None


def _sign_ins(rows: list[Activity]) -> Iterator[SignIn]:
    for row in rows:
        details: dict[str, Any] = row.details
        outcome = {"user.login": "in", "account.locked": "locked"}.get(row.action, "failed")
        way = details.get("method") or ("second_factor" if details.get("reason") == "second_factor" else "")
        program = describe_agent(opened_or_empty(row, "agent"))
        yield SignIn(row.recorded_at, outcome, ways_in_words(way), program, opened_or_empty(row, "address"))
