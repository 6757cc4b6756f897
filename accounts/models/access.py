"""By what a person comes in: browser sessions, API sessions with their refresh tokens, API keys."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from vault.fields import SealedTextField
from vault.services import Owner, person


class _OfAPerson(models.Model):
    """Where somebody signed in from; sealed under their data key."""

    address = SealedTextField()
    agent = SealedTextField()

    class Meta:
        abstract = True

    @property
    def key_owner(self) -> Owner:
        return person(self.user_id)  # type: ignore[attr-defined]  # every model of this kind has a user


class Session(_OfAPerson, AbstractBaseSession):
    """A browser session that knows whose it is, so that all of a person's can be listed and ended."""

    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="sessions")
    created_at = models.DateTimeField(default=now, editable=False)
    seen_at = models.DateTimeField(default=now)
    method = models.CharField(max_length=20, blank=True)  # password, google, passkey …

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")

    def __str__(self) -> str:
        return str(self.created_at)  # never the key, which is the way in

    @classmethod
    def get_session_store_class(cls) -> type:
        from accounts.sessions import SessionStore

        return SessionStore


class ApiSession(_OfAPerson):
    """One log-in through the API and every token that descends from it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="api_sessions")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    seen_at = models.DateTimeField(default=now)
    stepped_up_at = models.DateTimeField(null=True)
    second_factor = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = _("API session")
        verbose_name_plural = _("API sessions")

    def __str__(self) -> str:
        return str(self.pk)


class RefreshToken(models.Model):
    """A refresh token, by its hash; spent by one conditional update, kept to notice that it comes back."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    session = models.ForeignKey(ApiSession, models.CASCADE, related_name="refresh_tokens")
    token_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.pk)


class ApiKey(models.Model):
    """A key for a machine: the prefix finds it, the hash proves it, the signing secret signs critical calls."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        WRITE = "write", _("Write")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="api_keys")
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=24, unique=True, editable=False)
    key_hash = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope), verbose_name=_("scopes"))
    signing_secret = SealedTextField()
    previous_secret = SealedTextField()
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), default=now, editable=False)
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(_("last used"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return self.name

    @property
    def key_owner(self) -> Owner:
        return person(self.user_id)
