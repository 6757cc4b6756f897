from typing import Any

from django.conf import settings
from django.core.management.commands.migrate import Command as Migrate
from django.db import connections


class Command(Migrate):
    """Django's `migrate`, run as the tables' owner: the application's own role may not change the schema."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        application = dict(connection.settings_dict)
        connection.close()
        owner = settings.MIGRATION_DATABASE
        connection.settings_dict.update({key: owner[key] for key in ("USER", "PASSWORD", "HOST", "PORT")})
        try:
            super().handle(*args, **options)
        finally:
            connection.close()
            connection.settings_dict.update(application)
