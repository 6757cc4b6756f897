"""What staff may know of a studio's documents: how many in which state, never which."""

from django.utils.translation import gettext_lazy as _

from accounts.models import Organization


class DocumentCount(Organization):
    """A studio, as the console lists it: by its random id."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = _("documents of a studio")
        verbose_name_plural = _("documents of studios")

    def __str__(self) -> str:
        return str(self.pk)
