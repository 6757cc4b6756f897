from django.apps import AppConfig
from django.db.models.signals import post_migrate


class VaultConfig(AppConfig):
    name = "vault"
    verbose_name = "Keys"

    def ready(self) -> None:
        from vault.services import make_hashing_key

        post_migrate.connect(make_hashing_key, sender=self, dispatch_uid="vault.hashing_key")
