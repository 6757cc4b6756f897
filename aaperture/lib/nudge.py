"""Wakes a worker for one row after commit. The row is the queue: if the broker is down, the next tick finds it."""

import logging
from uuid import UUID

from celery import Task
from django.db import transaction

logger = logging.getLogger(__name__)


def nudge(task: Task, pk: UUID) -> None:
    """Send `task(pk)` once the current transaction has committed; a dead broker is logged and swallowed."""

    def send() -> None:
        try:
            task.apply_async(args=(str(pk),), retry=False)
        except Exception as error:  # noqa: BLE001 - kombu wraps broker faults in many types; the tick will find the row
            logger.warning("nudge failed", extra={"task": task.name, "error": type(error).__name__})

    transaction.on_commit(send)
