"""The studio's own SMTP server; without one, the instance's is used."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from vault.fields import SealedTextField
from vault.services import Owner, organization


class SendingAccount(models.Model):
    """Always encrypted, with the certificate checked; used once a test message has gone through."""

    class Security(models.TextChoices):
        TLS = "tls", _("TLS (port 465)")
        STARTTLS = "starttls", _("STARTTLS (port 587)")

    organization = models.OneToOneField("accounts.Organization", models.CASCADE, primary_key=True, related_name="sending_account")
    host = models.CharField(_("server"), max_length=253)
    port = models.PositiveIntegerField(_("port"), default=465)
    security = models.CharField(_("encryption"), max_length=8, choices=Security, default=Security.TLS)
    username = models.CharField(_("user name"), max_length=254, blank=True)
    password = SealedTextField(_("password"), max_length=500)
    from_email = models.EmailField(_("from address"), max_length=254)
    from_name = models.CharField(_("from name"), max_length=100, blank=True)
    is_enabled = models.BooleanField(default=False, editable=False)
    tested_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=40, blank=True, editable=False)  # a code of `mailing.errors`
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("sending account")
        verbose_name_plural = _("sending accounts")

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def key_owner(self) -> Owner:
        return organization(self.organization_id)
