from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrackerConfig(AppConfig):
    name = "tracker"
    verbose_name = _("Opportunities")

    def ready(self) -> None:
        from studio import panels

        panels.register("search", "tracker:search_panel")
