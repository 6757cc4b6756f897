from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = _("Activity")

    def ready(self) -> None:
        from audit.grants import grant_application_role

        post_migrate.connect(grant_application_role, sender=self, dispatch_uid="audit.grants")
