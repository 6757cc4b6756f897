"""The studio's clock: calendars that are to be read, or have something to be written to them."""

from uuid import UUID

from celery import shared_task

from aaperture.lib.nudge import nudge
from studio.calendar import syncing


@shared_task(ignore_result=True)
def sync_calendar(calendar_id: str) -> None:
    syncing.sync(UUID(calendar_id))


@shared_task(ignore_result=True)
def tick(_pk: str = "") -> None:
    for calendar_id in syncing.ring():
        nudge(sync_calendar, calendar_id)
