"""Accounts, studios, coaching, ways in, and the settings of the instance."""

from .access import ApiKey, ApiSession, RefreshToken, Session
from .coaching import CoachLink
from .instance import InstanceSettings
from .people import Consent, User, UserManager, canonical_email
from .studios import Invitation, Membership, MembershipQuerySet, Organization

__all__ = [
    "ApiKey",
    "ApiSession",
    "CoachLink",
    "Consent",
    "InstanceSettings",
    "Invitation",
    "Membership",
    "MembershipQuerySet",
    "Organization",
    "RefreshToken",
    "Session",
    "User",
    "UserManager",
    "canonical_email",
]
