"""What is done to things on their way: chains of steps, and every version of them."""

from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7


class Transformation(models.Model):
    """A named list of declarative steps; see `integrations.steps`. `steps` and `version` are those of the newest version."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    version = models.PositiveIntegerField(default=1)
    steps = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("transformation")
        verbose_name_plural = _("transformations")
        ordering = ["name", "-version"]
        permissions = [
            ("execute_transformation", "Can execute transformations"),
            ("test_transformation", "Can test transformations"),
        ]
        constraints = [models.UniqueConstraint(fields=["name"], name="integrations_transformation_name")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def clean(self) -> None:
        from integrations.steps import validate

        try:
            validate(self.steps)
        except ValueError as error:
            raise ValidationError({"steps": str(error)}) from None


class VersionQuerySet(models.QuerySet):
    def newest_first(self) -> Self:
        return self.select_related("created_by").order_by("-number")


class TransformationVersion(models.Model):
    """The steps as somebody saved them once. They never change; a trigger of the database says so too."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    transformation = models.ForeignKey(Transformation, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    steps = models.JSONField(default=list)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = VersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of a transformation")
        verbose_name_plural = _("versions of transformations")
        ordering = ["transformation__name", "-number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["transformation", "number"], name="integrations_one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.transformation.name} v{self.number}"
