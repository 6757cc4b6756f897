"""The post's clock: every tick looks for what is due; a view may nudge it."""

from celery import shared_task

from mailing.sending import batch
from mailing.services import emails


@shared_task(ignore_result=True)
def send_due_emails(_pk: str = "") -> None:
    batch.send_due()
    emails.settle_sent()
