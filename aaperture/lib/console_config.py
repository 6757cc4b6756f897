from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """The Django admin, with our site in place of the stock one."""

    default_site = "aaperture.lib.console.ConsoleSite"
