from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrackerConfig(AppConfig):
    name = "tracker"
    verbose_name = _("Opportunities")

    def ready(self) -> None:
        from accounts import today
        from accounts.roles import Role
        from studio import panels

        panels.register("search", "tracker:search_panel")
        today.register(
            today.Panel("needs", "tracker:today_needs", _("Opportunities"), 50),
            today.Panel("standing", "tracker:today_stages", _("Opportunities by stage"), 20),
            today.Panel("standing", "tracker:today_clients", _("Clients"), 30, concerns=lambda user: user.role == Role.COACH),
        )
