"""A person with an account, and what they agreed to."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from accounts.roles import STAFF, Role


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person with one role. The e-mail address is the login name; there is no superuser."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    language = models.CharField(_("language"), max_length=5, choices=settings.LANGUAGES, default="en")
    timezone = models.CharField(_("time zone"), max_length=64, default="Europe/Paris")
    role = models.CharField(_("role"), max_length=12, choices=Role, default=Role.MEMBER)
    is_active = models.BooleanField(_("active"), default=True)
    is_primary_admin = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(_("created at"), default=now, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("studio in use")
    )
    objections = ArrayField(models.CharField(max_length=20), default=list, blank=True, editable=False)  # `accounts.objections`
    erasure_requested_at = models.DateTimeField(_("erasure asked for"), null=True, editable=False)  # closed from then on

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(Lower("email"), name="accounts_one_account_per_email"),
            models.UniqueConstraint(
                fields=["is_primary_admin"], condition=models.Q(is_primary_admin=True), name="accounts_one_primary_admin"
            ),
        ]
        permissions = [
            ("change_role_user", "Can change a user's role"),
            ("activate_user", "Can activate and deactivate users"),
            ("reset_password_user", "Can send a password reset to users"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """Whether the operator console is theirs: one of the six roles of the matrix."""
        return self.role in STAFF

    @property
    def is_superuser(self) -> bool:
        return False

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email.partition("@")[0]

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return any(hasattr(backend, "has_perm") and backend.has_perm(self, perm, obj) for backend in get_backends())

    def has_perms(self, perms: Iterable[str], obj: Any = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perms)

    def has_module_perms(self, app_label: str) -> bool:
        return any(hasattr(backend, "has_module_perms") and backend.has_module_perms(self, app_label) for backend in get_backends())


class Consent(models.Model):
    """That somebody agreed to something: to what, in which wording, for which scopes, when, and until when."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=40)
    text_version = models.CharField(max_length=20)
    scopes = models.JSONField(default=list)
    granted_at = models.DateTimeField(default=now)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "purpose"], name="accounts_consent_of_user")]

    def __str__(self) -> str:
        return f"{self.purpose} {self.text_version}"


def canonical_email(email: str) -> str:
    """How addresses are stored and compared: trimmed and in lower case."""
    return email.strip().lower()
