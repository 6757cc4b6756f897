"""Accounts, studios, consent, and the settings of the instance that staff may change."""

from collections.abc import Iterable
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
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


class Organization(models.Model):
    """A studio. Business rows belong to it; every new account gets one of its own."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=150)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name = _("studio")
        verbose_name_plural = _("studios")

    def __str__(self) -> str:
        return self.name


class MembershipQuerySet(models.QuerySet):
    def current(self) -> Self:
        return self.filter(ended_at=None)


class Membership(models.Model):
    """One person in one studio, with a role there; ended ones are kept."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Manager")
        ASSISTANT = "assistant", _("Assistant")
        ACCOUNTANT = "accountant", _("Accountant")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role, default=Role.OWNER)
    joined_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"],
                condition=models.Q(ended_at=None),
                name="accounts_one_membership_per_studio",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


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


class InstanceSettings(models.Model):
    """The one row of settings that staff may change while the instance runs."""

    class Premium(models.TextChoices):
        EVERYONE = "everyone", _("Everyone")
        CONTRIBUTORS = "contributors", _("Contributors")
        NOBODY = "nobody", _("Nobody")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    registration_open = models.BooleanField(_("sign-up open"), default=True)
    premium_for = models.CharField(_("premium for"), max_length=12, choices=Premium, default=Premium.EVERYONE)
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


def canonical_email(email: str) -> str:
    """How addresses are stored and compared: trimmed and in lower case."""
    return email.strip().lower()
