from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class VaultConfig(AppConfig):
    name = "vault"
    verbose_name = _("Keys")

    def ready(self) -> None:
        from vault.services import make_hashing_key

        post_migrate.connect(make_hashing_key, sender=self, dispatch_uid="vault.hashing_key")
