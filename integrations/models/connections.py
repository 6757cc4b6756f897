"""Other systems' accounts that somebody connected, or that the instance has."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aaperture.lib.uuid7 import uuid7
from vault.fields import SealedTextField
from vault.models import DataKey
from vault.services import Owner, person

if TYPE_CHECKING:
    from accounts.models import User

REFRESH_AHEAD = timedelta(minutes=5)


class ConnectionQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        return self.filter(owner=user)

    def own_or_instances(self, user: "User") -> Self:
        """Their own, and the instance's where they may see that it is there: what they may do with it is asked apart."""
        own = Q(owner=user)
        return self.filter(own | Q(owner=None) if user.has_perm("integrations.view_connection") else own)

    def mailboxes(self) -> Self:
        return self.filter(provider=Connection.Provider.GMAIL)

    def calendars(self) -> Self:
        return self.filter(provider=Connection.Provider.GOOGLE_CALENDAR)

    def of_google_account(self, subject: str) -> Self:
        """Every grant of one Google account, whoever's: Google withdraws them together."""
        return self.filter(provider__in=Connection.OF_GOOGLE, provider_subject=subject)

    def usable(self) -> Self:
        return self.filter(status=Connection.Status.ACTIVE)

    def for_pages(self) -> Self:
        """Without the tokens, which no page needs."""
        return self.without_secrets().select_related("owner")

    def without_secrets(self) -> Self:
        return self.defer("access_token", "refresh_token", "secret")

    def working_first(self) -> Self:
        """Connected ones, then those that wait for their owner, then the disconnected."""
        rank = Case(When(status="active", then=0), When(status="revoked", then=2), default=1)
        return self.order_by(rank, "-created_at")

    def due_for_refresh(self, now: datetime) -> Self:
        """Renewable ones shortly before they expire; the others once they have, for there is nothing to wait for."""
        soon = Q(renewable=True, expires_at__lt=now + REFRESH_AHEAD)
        return self.usable().filter(soon | Q(renewable=False, expires_at__lt=now))


class Connection(models.Model):
    """One owner's authorised account at another system."""

    class Provider(models.TextChoices):
        GMAIL = "gmail", "Gmail"
        GOOGLE_CALENDAR = "google_calendar", "Google Calendar"
        HTTP_JSON = "http_json", _("JSON over https")
        CSV_UPLOAD = "csv_upload", _("CSV files")
        INBOUND_WEBHOOK = "inbound_webhook", _("Inbound webhook")

    class Status(models.TextChoices):
        PENDING = "pending", _("Not connected yet")
        ACTIVE = "active", _("Connected")
        NEEDS_REAUTH = "needs_reauth", _("Needs your permission again")
        PAUSED = "paused", _("Paused")
        ERROR = "error", _("Failing")
        REVOKED = "revoked", _("Disconnected")

    OF_GOOGLE = (Provider.GMAIL, Provider.GOOGLE_CALENDAR)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="connections",
        help_text=_("Empty: the connection belongs to the instance."),
    )
    provider = models.CharField(max_length=32, choices=Provider)
    provider_subject = models.CharField(max_length=255, blank=True, editable=False)
    account_email = models.EmailField(blank=True)
    name = models.CharField(max_length=80, blank=True, help_text=_("What staff call one of the instance’s."))
    config = models.JSONField(default=dict, blank=True, editable=False, help_text=_("What the connector was told, but for its secret."))
    secret = SealedTextField()
    access_token = SealedTextField()
    refresh_token = SealedTextField()
    renewable = models.BooleanField(default=False, editable=False, help_text=_("Whether a refresh token is kept."))
    expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    granted_scopes = models.JSONField(default=list, blank=True, editable=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    error_code = models.CharField(max_length=64, blank=True)
    last_synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering = ["-created_at"]
        permissions = [("test_connection", "Can test connections")]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "provider", "provider_subject"],
                nulls_distinct=False,
                name="integrations_one_connection_per_account",
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(status="active"), name="integrations_token_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} {self.name or self.pk}"

    @property
    def key_owner(self) -> Owner:
        """Whose data key seals the tokens."""
        return person(self.owner_id) if self.owner_id else Owner(DataKey.Kind.INSTANCE, self.pk)

    @property
    def is_live(self) -> bool:
        """Whether a grant stands behind it, or one that only waits for the owner."""
        return self.status not in (self.Status.REVOKED, self.Status.PENDING)
