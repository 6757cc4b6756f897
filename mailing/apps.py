from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailingConfig(AppConfig):
    name = "mailing"
    verbose_name = _("E-mail")

    def ready(self) -> None:
        from accounts import today
        from mailing import timeline  # noqa: F401  registers the kinds of line
        from studio import panels

        for place in ("contact", "quote", "contract", "invoice"):
            panels.register(place, f"mailing:{place}_panel")
        today.register(
            today.Panel("needs", "mailing:today_needs", _("E-mails"), 20, "emails.view"),
            today.Panel("ahead", "mailing:today_soon", _("Going out soon"), 20, "emails.view"),
        )
