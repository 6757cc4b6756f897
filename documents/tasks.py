"""The archive's clock."""

from celery import shared_task

from documents.services import archiving, retention


@shared_task(ignore_result=True)
def archive_documents() -> None:
    archiving.archive_due()


@shared_task(ignore_result=True)
def end_retention() -> None:
    retention.end_closed()
