from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrackerConfig(AppConfig):
    name = "tracker"
    verbose_name = _("Opportunities")

    def ready(self) -> None:
        from accounts import today
        from accounts.roles import Role
        from studio import panels
        from tracker.beginning import has_been_here, is_new_here

        panels.register("search", "tracker:search_panel")
        today.register(
            today.Panel("needs", "tracker:today_needs", _("Opportunities"), 50),
            today.Panel("first", "tracker:today_stages", _("Opportunities"), 10, concerns=is_new_here),
            today.Panel("standing", "tracker:today_stages", _("Opportunities by stage"), 20, concerns=has_been_here),
            today.Panel("standing", "tracker:today_clients", _("Clients"), 30, concerns=lambda user: user.role == Role.COACH),
        )
