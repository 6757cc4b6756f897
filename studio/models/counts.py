"""What the console sees of a studio's business: numbers, never what it says."""

from django.utils.translation import gettext_lazy as _

from accounts.models import Organization


class StudioCount(Organization):
    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("business of a studio")
        verbose_name_plural = _("business per studio")

    def __str__(self) -> str:
        return str(self.pk)  # a studio's name is often a person's
