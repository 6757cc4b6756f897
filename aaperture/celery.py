"""The Celery application: an alarm clock for work that waits in tables."""

import os
import socket
from typing import Any

from celery import Celery
from celery.signals import after_task_publish, beat_init, heartbeat_sent, setup_logging, worker_init, worker_shutdown

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


def _queues() -> tuple[str, ...]:
    return tuple(app.amqp.queues.consume_from)


@heartbeat_sent.connect
def tell_that_the_worker_lives(sender: Any, **_kwargs: object) -> None:
    from aaperture.lib import heartbeats  # here: every command loads this module, and few need Valkey's client

    heartbeats.say(heartbeats.WORKER, sender.eventer.hostname, _queues())


@worker_shutdown.connect
def tell_that_the_worker_ends(sender: Any, **_kwargs: object) -> None:
    from aaperture.lib import heartbeats

    heartbeats.end(heartbeats.WORKER, sender.hostname, _queues())


@beat_init.connect
def tell_of_every_tick(**_kwargs: object) -> None:
    """Said when a task has reached the broker: a clock that cannot deliver is as good as none."""
    after_task_publish.connect(_tell_that_the_clock_ticks, weak=False)


def _tell_that_the_clock_ticks(**_kwargs: object) -> None:
    from aaperture.lib import heartbeats

    heartbeats.say(heartbeats.CLOCK, socket.gethostname())
