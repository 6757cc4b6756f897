"""The settings of the instance that staff may change."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class InstanceSettings(models.Model):
    """The one row of settings that staff may change while the instance runs."""

    class Premium(models.TextChoices):
        EVERYONE = "everyone", _("Everyone")
        CONTRIBUTORS = "contributors", _("Contributors")
        NOBODY = "nobody", _("Nobody")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    registration_open = models.BooleanField(_("sign-up open"), default=True)
    premium_for = models.CharField(_("premium for"), max_length=12, choices=Premium, default=Premium.EVERYONE)
    dev_role_until = models.DateTimeField(_("developers admitted until"), null=True, blank=True, editable=False)
    dev_role_hours = models.PositiveSmallIntegerField(
        _("hours that developers are admitted for"), default=24, validators=[MinValueValidator(1), MaxValueValidator(168)]
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("instance settings")
        verbose_name_plural = _("instance settings")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="accounts_one_settings_row")]

    def __str__(self) -> str:
        return str(_("Instance settings"))

    @classmethod
    def current(cls) -> "InstanceSettings":
        """The stored row, or the defaults while nobody has changed anything."""
        return cls.objects.filter(pk=1).first() or cls()
