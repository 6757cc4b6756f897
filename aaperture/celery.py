"""The Celery application: an alarm clock for work that waits in tables (DESIGN, "Tables are the queue")."""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

app = Celery("aaperture")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_kwargs: object) -> None:
    """Celery must not replace the JSON logging with its own; connecting here stops it."""
