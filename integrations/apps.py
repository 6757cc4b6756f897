from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntegrationsConfig(AppConfig):
    name = "integrations"
    verbose_name = _("Integrations")

    def ready(self) -> None:
        from accounts import today

        today.register(today.Panel("needs", "integrations:today_needs", _("Connections"), 10))
