"""Who is premium: one answer for pages, jobs and tokens, worked out when it is asked for, so that nothing has to end it."""

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from accounts.models import CoachLink, InstanceSettings, User
from accounts.roles import Role
from billing.models import Contribution, ContributionTerms, PromoGrant, Subscription
from billing.models.contributions import ContributionQuerySet, Rhythm

RENEWAL_TAKES = timedelta(days=1)  # Stripe makes a renewal's invoice at once, charges it an hour later, and then tells us


def is_premium(user: User) -> bool:
    """Whether `user` has what contributors get: kept mailbox access and scheduled reading.

    The instance says who: everyone, nobody, or contributors. The last are those whose contribution reaches the smallest amount, who
    follow or are followed as coach and client where the terms say so, or who hold a promo grant.
    """
    if not user.is_active or user.erasure_requested_at is not None:
        return False
    premium_for = InstanceSettings.current().premium_for
    if premium_for != InstanceSettings.Premium.CONTRIBUTORS:
        return premium_for == InstanceSettings.Premium.EVERYONE
    terms = ContributionTerms.current()
    return _contributes(user, terms) or PromoGrant.objects.filter(user=user).in_force().exists() or _is_in_coaching(user, terms)


def once_until(user: User, terms: ContributionTerms) -> datetime | None:
    """Until when what was given at once makes `user` premium, on an instance where that counts."""
    last = _in_force_once(user, terms).order_by("-paid_at").values_list("paid_at", flat=True).first()
    return last + timedelta(days=terms.premium_days) if last else None


def _in_force_once(user: User, terms: ContributionTerms) -> ContributionQuerySet:
    recent = Contribution.objects.filter(user=user, rhythm=Rhythm.ONCE, paid_at__gt=timezone.now() - timedelta(days=terms.premium_days))
    return recent.worth_at_least(terms.premium_once)


def _contributes(user: User, terms: ContributionTerms) -> bool:
    if _in_force_once(user, terms).exists():
        return True
    now = timezone.now()
    in_force = Q(
        subscription__status__in=[Subscription.Status.ACTIVE, Subscription.Status.TRIALING],
        subscription__is_paused=False, subscription__end_requested_at=None,
    )  # fmt: skip
    ends = Q(subscription__ends_at_period_end=True, period_end__gt=now)
    goes_on = Q(subscription__ends_at_period_end=False, period_end__gt=now - RENEWAL_TAKES)
    return Contribution.objects.filter(in_force, user=user).filter(ends | goes_on).worth_at_least(terms.premium_monthly).exists()


def _is_in_coaching(user: User, terms: ContributionTerms) -> bool:
    if terms.coaches_are_premium and user.role == Role.COACH:
        return True
    if not terms.coached_are_premium:
        return False
    return CoachLink.objects.in_force().filter(client=user, coach__is_active=True, coach__role=Role.COACH).exists()
