"""Premium by code: made by staff, taken by people, over by itself."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from billing.models import PromoCode, PromoGrant
from billing.models.promos import canonical


def redeem(user: User, code: str, *, request: Any = None) -> PromoGrant:
    """Take a code. Raises ValidationError, in the same words whether there is no such code or it is used up."""
    gone = ValidationError(_("This code does not exist, has expired or is used up."), code="promo")
    now = timezone.now()
    try:
        with transaction.atomic():
            usable = PromoCode.objects.filter(code=canonical(code), expires_at__gt=now, uses__lt=F("max_uses"))
            if not usable.update(uses=F("uses") + 1):
                raise gone
            row = PromoCode.objects.get(code=canonical(code))
            grant = PromoGrant.objects.create(user=user, code=row, granted_at=now, ends_at=now + timedelta(days=row.days))
            record("promo.redeemed", row, actor=user, request=request, days=row.days)
    except IntegrityError:
        raise ValidationError(_("You have used this code already."), code="promo_used") from None
    return grant


@transaction.atomic
def save_code(row: PromoCode, *, actor: User, request: Any = None) -> None:
    """Uses are not written: people take the code while staff look at its form."""
    made = row._state.adding
    if made:
        row.code, row.created_by = canonical(row.code), actor
        row.save()
    else:
        row.uses = PromoCode.objects.select_for_update().get(pk=row.pk).uses
        row.max_uses = max(row.max_uses, row.uses)
        row.save(update_fields=["expires_at", "max_uses"])
    record("promo.created" if made else "promo.updated", row, actor=actor, request=request, days=row.days, max_uses=row.max_uses)


@transaction.atomic
def revoke(rows: Any, *, actor: User, request: Any = None) -> int:
    """End grants now; returns how many."""
    chosen = list(rows.select_for_update(of=("self",)).in_force())
    for row in chosen:
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])
        record("promo.revoked", row, actor=actor, request=request)
    return len(chosen)
