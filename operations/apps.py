from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User


def sees_alerts(user: "User") -> bool:
    return user.has_perm("operations.view_monitoring")


class OperationsConfig(AppConfig):
    name = "operations"
    verbose_name = _("Operations")

    def ready(self) -> None:
        from accounts import today
        from accounts.services import users
        from operations.services import erasures

        today.register(today.Panel("needs", "today_alerts", _("Security alerts"), 5, concerns=sees_alerts))
        users.ON_DELETION.append(erasures.follow_deletion)
