"""What every case stands on: Django set up, the tables, and a request by somebody."""

from typing import Any

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def set_up() -> None:
    import django

    django.setup()


def make_request() -> Any:
    from django.test import RequestFactory

    from accounts.models import User

    request = RequestFactory().get("/", REMOTE_ADDR="203.0.113.9", headers={"User-Agent": AGENT})
    request.user, request.request_id = User.objects.get(email="bench@example.test"), "0199aaaa-0000-7000-8000-000000000001"
    return request


def make_tables() -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from accounts.models import User
    from bench.audited import models

    call_command("migrate", verbosity=0)
    application = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update({key: settings.MIGRATION_DATABASE[key] for key in ("USER", "PASSWORD", "HOST", "PORT")})
    with connection.schema_editor() as editor:
        for model in (models.Bare, models.Recorded, models.WatchedByAuditlog, models.WatchedByEasyAudit):
            editor.create_model(model)
    connection.close()
    connection.settings_dict.update(application)
    call_command("migrate", verbosity=0)  # once more, for what the application may do to these tables
    User.objects.create(email="bench@example.test")
