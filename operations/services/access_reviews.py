"""The quarterly look at who has what: opened, decided account by account, signed off. Administrators only."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.protections import require_admin
from accounts.roles import STAFF, Role
from accounts.second_factor import FACTORS
from accounts.services.users import step_up
from audit.services import record
from operations.models import AccessReview, AccessReviewEntry


def quarter_of(day: date) -> str:
    return f"{day.year}-Q{(day.month + 2) // 3}"


def is_due() -> bool:
    """Whether this quarter's review is not signed off yet."""
    return not AccessReview.objects.filter(quarter=quarter_of(timezone.localdate())).exclude(signed_at=None).exists()


@transaction.atomic
def open_review(actor: User, request: HttpRequest | None = None) -> AccessReview:
    """This quarter's review with a line for every staff account and coach as they are now; the same one when it is open already."""
    require_admin(actor)
    review, made = AccessReview.objects.get_or_create(quarter=quarter_of(timezone.localdate()), defaults={"opened_by": actor})
    if made:
        entries = [_entry(review, user) for user in _people()]
        AccessReviewEntry.objects.bulk_create(entries)
        record("access_review.opened", review, actor=actor, request=request, quarter=review.quarter, accounts=len(entries))
    return review


def _people() -> list[User]:
    valid = Q(api_keys__revoked_at=None, api_keys__expires_at__gt=timezone.now())
    factor = Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
    concerned = User.objects.filter(role__in=[*STAFF, Role.COACH])
    return list(concerned.annotate(_second_factor=Exists(factor), _open_keys=Count("api_keys", filter=valid)))


def _entry(review: AccessReview, user: User) -> AccessReviewEntry:
    return AccessReviewEntry(
        review=review, user=user, role=user.role, is_active=user.is_active, last_login=user.last_login,
        second_factor=user._second_factor, open_keys=user._open_keys,  # type: ignore[attr-defined]  # annotated by the query
    )  # fmt: skip


@transaction.atomic
def decide(review: AccessReview, decisions: Mapping[UUID, str], *, actor: User, request: HttpRequest | None = None) -> int:
    """Store who keeps what they have and what is to be changed; returns how many lines changed. Raises Refused, ValidationError."""
    require_admin(actor)
    review = _open(review)
    changed = 0
    for entry in review.entries.select_for_update().filter(pk__in=decisions):
        decision = decisions[entry.pk]
        if decision not in AccessReviewEntry.Decision.values:
            raise ValidationError(_("Keep, or to be changed."))
        if entry.decision != decision:
            entry.decision, entry.decided_by, entry.decided_at = decision, actor, timezone.now()
            entry.save(update_fields=["decision", "decided_by", "decided_at"])
            record("access_review.decided", entry, actor=actor, request=request, account_id=str(entry.user_id), decision=decision)
            changed += 1
    return changed


@transaction.atomic
def sign(review: AccessReview, *, note: str, actor: User, request: HttpRequest | None = None) -> AccessReview:
    """Nothing of it can be changed afterwards. Raises Refused, StepUpRequired, ValidationError while an account is undecided."""
    require_admin(actor)
    step_up(request)
    review = _open(review)
    if undecided := review.entries.filter(decision="").count():
        raise ValidationError(_("%(n)d accounts are not decided yet.") % {"n": undecided})
    review.signed_at, review.signed_by, review.note = timezone.now(), actor, note.strip()
    review.full_clean(exclude=["quarter"])
    review.save(update_fields=["signed_at", "signed_by", "note"])
    record("access_review.signed", review, actor=actor, request=request, quarter=review.quarter)
    return review


def _open(review: AccessReview) -> AccessReview:
    review = AccessReview.objects.select_for_update().get(pk=review.pk)
    if review.signed_at is not None:
        raise ValidationError(_("This review is signed off."))
    return review
