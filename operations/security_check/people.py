"""Who may do what on this instance, as it is now."""

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef

from accounts.models import User
from accounts.roles import STAFF, Role
from accounts.second_factor import FACTORS, REQUIRED_ROLES
from audit.detectors import MAILED
from audit.models import SecurityAlert
from operations.security_check.checks import Finding, by_hand, check, failed, ok, ok_unless
from operations.services import access_reviews

MANY = 3


@check("administrators", "There is an administrator, and there are few", "active accounts with the role")
def administrators() -> Finding:
    count = User.objects.filter(role=Role.ADMIN, is_active=True).count()
    if not count:
        return failed("there is none: manage.py create_admin")
    return failed(f"{count} administrators: would a lower role do for some?") if count > MANY else ok(f"{count}")


@check("second-factors", "Whoever must have a second factor has one", "administrators and developers without app or passkey")
def second_factors() -> Finding:
    factor = Authenticator.objects.filter(user_id=OuterRef("pk"), type__in=FACTORS)
    bare = User.objects.filter(role__in=REQUIRED_ROLES, is_active=True).filter(~Exists(factor)).count()
    return ok_unless([f"{bare} without one"] if bare else [])


@check("access-review", "This quarter’s review of who has what is signed off", "access reviews in the console")
def access_review() -> Finding:
    staff = User.objects.filter(role__in=STAFF, is_active=True).count()
    return ok_unless(["it is not"] if access_reviews.is_due() else [], f"{staff} staff accounts")


@check("alerts-open", "No severe security alert waits for somebody", "unresolved alerts")
def alerts_open() -> Finding:
    count = SecurityAlert.objects.unresolved().filter(severity__in=MAILED).count()
    return ok_unless([f"{count} wait"] if count else [])


by_hand("access-logs", "The activity of administrators has been looked at", "Console, Activity: acts of staff since the last look")
by_hand("incident-plan", "Whoever is on call has read the incident plan", "docs/security/incident_response.md; rehearse one kind a year")
