"""What erasing an account means, before anybody decides: what goes now, what goes after thirty days, what stays and until when."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiKey, CoachLink, Membership, Organization, User
from accounts.roles import Role
from billing.models import Contribution, Subscription
from documents.services.retention import Kept, kept_of
from integrations.models import Connection
from mailing.models import ScheduledEmail
from operations.models import Erasure
from operations.privacy.own_data import Held, held


class Plan(NamedTuple):
    """Counts for the page that asks; `blocked_by` are shared studios without another owner."""

    due_at: datetime
    sessions: int
    api_keys: int
    connections: int
    coaches: int
    emails: int  # of those studios, that have not gone out
    pays_monthly: bool
    later: list[Held]
    contributed: bool
    studios: list[Organization]  # theirs alone: these go with the account
    blocked_by: list[Organization]
    is_last_admin: bool
    days_on_record: int
    kept: list[Kept]  # documents of theirs that the law wants kept, and until when

    @property
    def is_possible(self) -> bool:
        return not self.blocked_by and not self.is_last_admin


def plan_for(user: User) -> Plan:
    alone, blocked = studios_of(user)
    held_here = held(user)
    return Plan(
        due_at=timezone.now() + Erasure.GRACE,
        sessions=user.sessions.count() + user.api_sessions.filter(ended_at=None).count(),
        api_keys=ApiKey.objects.filter(user=user, revoked_at=None, expires_at__gt=timezone.now()).count(),
        connections=Connection.objects.visible_to(user).exclude(status=Connection.Status.REVOKED).count(),
        coaches=CoachLink.objects.open().filter(Q(client=user) | Q(coach=user)).count(),
        emails=ScheduledEmail.objects.filter(organization__in=alone).waiting().count(),
        pays_monthly=Subscription.objects.visible_to(user).live().exists(),
        later=[one for one in held_here if not one.stays],
        contributed=Contribution.objects.visible_to(user).exists(),
        studios=alone,
        blocked_by=blocked,
        is_last_admin=is_needed(user),
        days_on_record=settings.AUDIT_ONLINE_DAYS + settings.AUDIT_ARCHIVE_DAYS,
        kept=kept_of(alone),
    )


def is_needed(user: User) -> bool:
    """The primary administrator and the last active one stay."""
    others = User.objects.filter(role=Role.ADMIN, is_active=True, erasure_requested_at=None).exclude(pk=user.pk)
    return user.is_primary_admin or (user.role == Role.ADMIN and not others.exists())


def studios_of(user: User) -> tuple[list[Organization], list[Organization]]:
    """Of the studios that somebody owns: those nobody else belongs to, and those whose last owner they are."""
    owned = Organization.objects.filter(memberships__user=user, memberships__role=Membership.Role.OWNER, memberships__ended_at=None)
    others = Membership.objects.current().exclude(user=user)
    shared = set(others.filter(organization__in=owned).values_list("organization_id", flat=True))
    owners = others.filter(role=Membership.Role.OWNER, user__is_active=True, user__erasure_requested_at=None)
    kept: set[UUID] = set(owners.filter(organization__in=owned).values_list("organization_id", flat=True))
    rows = list(owned.order_by("name"))
    return [row for row in rows if row.pk not in shared], [row for row in rows if row.pk in shared - kept]
