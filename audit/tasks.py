import logging

from celery import shared_task
from django.db import OperationalError

from audit import services
from audit.alerts import detection, mail
from audit.seal import heads, retention, sealing, watching

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def make_partitions() -> None:
    try:
        services.make_partitions()
    except OperationalError as error:  # in use for long, by a backup perhaps: there is time until a month begins
        logger.warning("the next months of the activity log wait", extra={"error": type(error).__name__})


@shared_task(ignore_result=True)
def seal() -> None:
    sealing.seal_pending()


@shared_task(ignore_result=True)
def publish_heads() -> None:
    heads.publish()


@shared_task(ignore_result=True)
def verify_log() -> None:
    watching.verify_and_report()


@shared_task(ignore_result=True)
def keep_retention() -> None:
    retention.keep()


@shared_task(ignore_result=True)
def detect(_activity_id: str = "") -> None:
    detection.detect()
    watching.notice_late()


@shared_task(ignore_result=True)
def mail_alerts(_alert_id: str = "") -> None:
    mail.send_due()
