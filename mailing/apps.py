from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MailingConfig(AppConfig):
    name = "mailing"
    verbose_name = _("E-mail")

    def ready(self) -> None:
        from mailing import timeline  # noqa: F401  registers the kinds of line
        from studio import panels

        for place in ("contact", "quote", "contract", "invoice"):
            panels.register(place, f"mailing:{place}_panel")
