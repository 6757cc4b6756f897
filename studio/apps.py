from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StudioConfig(AppConfig):
    name = "studio"
    verbose_name = _("Studio")

    def ready(self) -> None:
        from accounts import today
        from studio import receivers  # noqa: F401  follows what others tell

        today.register(
            today.Panel("needs", "studio:today_needs", _("Sessions"), 40, "sessions.view"),
            today.Panel("ahead", "studio:today_sessions", _("Next sessions"), 10, "sessions.view"),
        )
