"""The post's clock: every tick looks for what is due; a view may nudge it."""

from celery import shared_task

from mailing.sending import batch
from mailing.services import emails, files, reminders


@shared_task(ignore_result=True)
def send_due_emails(_pk: str = "") -> None:
    emails.follow_contacts()
    try:
        batch.send_due()
    finally:
        emails.settle_sent()
        files.remove_ended()


@shared_task(ignore_result=True)
def schedule_reminders() -> None:
    reminders.schedule_due_reminders()
