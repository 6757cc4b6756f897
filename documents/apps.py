from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DocumentsConfig(AppConfig):
    name = "documents"
    verbose_name = _("Documents")

    def ready(self) -> None:
        from accounts import today
        from documents import timeline  # noqa: F401  registers the kinds of line
        from studio import panels

        panels.register("project", "documents:project_panel")
        panels.register("contact", "documents:contact_panel")
        panels.register("search", "documents:search_panel")
        today.register(
            today.Panel("needs", "documents:today_needs", _("Documents"), 30, "documents.view"),
            today.Panel("standing", "documents:today_money", _("Money"), 10, "invoices.view"),
        )
