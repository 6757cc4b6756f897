"""Premium as a gift: codes that run out by date and by use, and what each gave to whom, until when."""

from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7

SHORTEST, LONGEST = 8, 40


def canonical(code: str) -> str:
    """As it is stored, however it is typed."""
    return "".join(code.split()).upper()


class PromoCode(models.Model):
    """A code to hand out. It can be taken `max_uses` times before `expires_at`, by each person once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    code = models.CharField(_("code"), max_length=LONGEST, unique=True)
    days = models.PositiveSmallIntegerField(_("days of premium"), validators=[MinValueValidator(1), MaxValueValidator(3660)])
    expires_at = models.DateTimeField(_("can be used until"))
    max_uses = models.PositiveIntegerField(_("how often"), default=1, validators=[MinValueValidator(1)])
    uses = models.PositiveIntegerField(_("used"), default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+", editable=False)

    class Meta:
        verbose_name = _("promo code")
        verbose_name_plural = _("promo codes")
        constraints = [models.CheckConstraint(condition=Q(uses__lte=F("max_uses")), name="billing_code_used_within_its_number")]

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        self.code = canonical(self.code)
        if self._state.adding and not SHORTEST <= len(self.code) <= LONGEST:  # what is shorter would soon be guessed
            raise ValidationError({"code": _("A code has %(least)d to %(most)d characters.") % {"least": SHORTEST, "most": LONGEST}})
        if self.max_uses is not None and self.max_uses < self.uses:
            raise ValidationError({"max_uses": _("It has been used %(uses)d times already.") % {"uses": self.uses}})


class PromoGrantQuerySet(models.QuerySet):
    def in_force(self) -> Self:
        return self.filter(granted_at__lte=now(), ends_at__gt=now(), revoked_at=None)


class PromoGrant(models.Model):
    """What a code gave to one person. It always ends."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="promo_grants", verbose_name=_("person"))
    code = models.ForeignKey(PromoCode, models.CASCADE, related_name="grants", verbose_name=_("code"))
    granted_at = models.DateTimeField(_("granted"), default=now, editable=False)
    ends_at = models.DateTimeField(_("until"))
    revoked_at = models.DateTimeField(_("withdrawn"), null=True)

    objects = PromoGrantQuerySet.as_manager()

    class Meta:
        default_permissions = ("view", "change")
        verbose_name = _("promo grant")
        verbose_name_plural = _("promo grants")
        constraints = [models.UniqueConstraint(fields=["user", "code"], name="billing_each_code_once")]

    def __str__(self) -> str:
        return str(self.pk)
