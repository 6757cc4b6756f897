"""The Celery application: an alarm clock for work that waits in tables (DESIGN, "Tables are the queue")."""

import os

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

app = Celery("aaperture")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_kwargs: object) -> None:
    """Celery must not replace the JSON logging with its own; connecting here stops it."""


@worker_init.connect
@beat_init.connect
def look_at_the_key_ring(**_kwargs: object) -> None:
    from vault.startup import refuse_a_ring_that_does_not_fit

    refuse_a_ring_that_does_not_fit()
