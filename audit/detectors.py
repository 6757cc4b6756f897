"""What counts as an attack, as data: which activity, counted by what, in how long, from how many on how severe.

`audit.alerts.detection` reads the activity log with it. A further detector is a line here and a test beside the others.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from audit.actions import ACTIONS


class Severity(TextChoices):
    LOW = "low", _("low")
    MEDIUM = "medium", _("medium")
    HIGH = "high", _("high")
    CRITICAL = "critical", _("critical")


RANKED = list(Severity)
MAILED = frozenset({Severity.HIGH, Severity.CRITICAL})


class By(TextChoices):
    """What the activity is counted by: each value of it has an alert of its own."""

    ADDRESS = "address", _("network address")
    ACCOUNT = "account", _("account name")
    ACTOR = "actor", _("person")
    TARGET = "target", _("object")
    NETWORK = "network", _("network")
    INSTANCE = "instance", _("the whole instance")


COLUMNS = {By.ADDRESS: "address_hash", By.ACCOUNT: "account_hash", By.ACTOR: "actor_id", By.TARGET: "target_id"}

KINDS: dict[str, Any] = {
    "failed_logins_address": _("Failed sign-ins from one address"),
    "failed_logins_account": _("Failed sign-ins to one account"),
    "failed_logins_everywhere": _("Failed sign-ins from many addresses to many accounts"),
    "locked_accounts": _("Many accounts locked from one network"),
    "csrf_failures": _("Forged requests from one address"),
    "refused_flows": _("Refused sign-in flows from one address"),
    "rate_limits": _("Too many requests from one address"),
    "rate_limits_account": _("Too many requests by one account"),
    "permission_denials": _("Repeated refusals of one person"),
    "suspicious_input": _("Input that looks like an attack"),
    "refused_signatures": _("Refused signatures of API calls"),
    "token_reuse": _("Stolen refresh token used"),
    "admin_touched": _("A developer tried to change an administrator"),
    "new_admin": _("New administrator"),
    "developers_admitted": _("Developers admitted in production"),
    "second_factors_removed": _("Many second factors removed"),
    "mass_export": _("Mass export"),
    "chain_broken": _("The activity log is not what was sealed"),
    "sealing_late": _("The activity log is not sealed in time"),
    "secrets_overdue": _("Secrets older than they may be"),
    "backups_failing": _("Backups fail"),
}


def kinds() -> list[tuple[str, Any]]:
    """For the model: called, so that a further kind needs no migration."""
    return list(KINDS.items())


class Detector(NamedTuple):
    """`steps`: from how many on how severe, rising. `weight`: numbers in details, the first that is there is added up instead of rows.

    Siblings tell of the same attack from another side: what stands in one's alert opens no second one.
    """

    kind: str
    actions: tuple[str, ...]
    by: By
    window: timedelta
    steps: tuple[tuple[int, Severity], ...]
    where: Mapping[str, Any] = {}
    weight: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    cool_down: timedelta = timedelta(minutes=15)  # after one was resolved, before the same may open another
    at_once: bool = False  # looked for when it is recorded, not at the next tick

    @property
    def threshold(self) -> int:
        return self.steps[0][0]


QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
MEDIUM, HIGH, CRITICAL = Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL
AT_ONCE: dict[str, Any] = {"cool_down": timedelta(0), "at_once": True}  # every single one is news

COPIES = ("data.exported", "data.export_requested")  # of all that there is about one person: counted by person, not by row
EXPORTS = tuple(action for action in ACTIONS if action.endswith(".exported") and action not in COPIES)

# of one family the address goes first and starts no later than the account: one attacker, one alert
DETECTORS = (
    Detector(
        "failed_logins_address", ("user.login.failed",), By.ADDRESS, QUARTER, ((10, MEDIUM), (50, HIGH)),
        siblings=("failed_logins_account", "rate_limits"),
    ),
    Detector(
        "failed_logins_account", ("user.login.failed",), By.ACCOUNT, QUARTER, ((10, MEDIUM), (50, HIGH)),
        siblings=("failed_logins_address", "rate_limits"),
    ),
    Detector(
        "failed_logins_everywhere", ("user.login.failed",), By.INSTANCE, QUARTER, ((200, HIGH), (2000, CRITICAL)),
        siblings=("failed_logins_address", "failed_logins_account", "rate_limits"),
    ),
    Detector("locked_accounts", ("account.locked",), By.NETWORK, HOUR, ((5, HIGH), (20, CRITICAL))),
    Detector("csrf_failures", ("csrf.failed",), By.ADDRESS, QUARTER, ((10, MEDIUM), (50, HIGH))),
    Detector("refused_flows", ("oauth.state_refused",), By.ADDRESS, QUARTER, ((10, MEDIUM), (50, HIGH))),
    Detector(
        "rate_limits", ("rate_limit.exceeded",), By.ADDRESS, QUARTER, ((30, MEDIUM), (300, HIGH)),
        siblings=("rate_limits_account", "failed_logins_address"),  # a flood of sign-ins meets the limits too
    ),
    Detector(
        "rate_limits_account", ("rate_limit.exceeded",), By.ACTOR, QUARTER, ((30, MEDIUM), (300, HIGH)), siblings=("rate_limits",)
    ),
    Detector("permission_denials", ("permission.denied",), By.ACTOR, QUARTER, ((10, MEDIUM), (50, HIGH))),
    Detector("suspicious_input", ("security.suspicious_input",), By.ADDRESS, QUARTER, ((5, MEDIUM), (25, HIGH))),
    Detector("refused_signatures", ("signature.refused",), By.TARGET, QUARTER, ((5, MEDIUM), (25, HIGH))),
    Detector("token_reuse", ("token.reuse_detected",), By.ACTOR, DAY, ((1, HIGH), (3, CRITICAL)), **AT_ONCE),
    Detector("admin_touched", ("admin_user.modification_attempted",), By.ACTOR, DAY, ((1, HIGH), (5, CRITICAL)), **AT_ONCE),
    Detector("new_admin", ("role.changed",), By.TARGET, DAY, ((1, HIGH),), where={"details__new": "admin"}, **AT_ONCE),
    Detector("new_admin", ("user.created",), By.TARGET, DAY, ((1, HIGH),), where={"details__role": "admin"}, **AT_ONCE),
    Detector("developers_admitted", ("dev_role.production_enabled",), By.INSTANCE, DAY, ((1, HIGH),), **AT_ONCE),
    Detector("second_factors_removed", ("second_factor.removed",), By.INSTANCE, HOUR, ((5, HIGH),)),
    Detector("mass_export", EXPORTS, By.ACTOR, HOUR, ((2000, MEDIUM), (10_000, HIGH)), weight=("count", "rows")),
    Detector("backups_failing", ("backup.failed",), By.INSTANCE, 3 * DAY, ((1, MEDIUM), (3, HIGH))),
    Detector("mass_export", COPIES, By.ACTOR, HOUR, ((10, MEDIUM), (50, HIGH))),
)  # fmt: skip
REPORTED_COOL_DOWN = HOUR  # for what is reported by those who noticed, instead of being counted
ACTIONS_AT_ONCE = frozenset(action for detector in DETECTORS if detector.at_once for action in detector.actions)


def severity_of(steps: tuple[tuple[int, Severity], ...], count: int) -> Severity:
    return next(severity for least, severity in reversed(steps) if count >= least)


def worse(one: str, other: str) -> str:
    return max(one, other, key=lambda severity: RANKED.index(Severity(severity)))


def detectors_of(kind: str) -> list[Detector]:
    return [detector for detector in DETECTORS if detector.kind == kind]
