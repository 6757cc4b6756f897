from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DocumentsConfig(AppConfig):
    name = "documents"
    verbose_name = _("Documents")

    def ready(self) -> None:
        from documents import timeline  # noqa: F401  registers the kinds of line
        from studio import panels

        panels.register("project", "documents:project_panel")
        panels.register("contact", "documents:contact_panel")
        panels.register("search", "documents:search_panel")
