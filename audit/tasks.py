from celery import shared_task

from audit import services
from audit.alerts import detection, mail
from audit.seal import heads, retention, sealing, watching


@shared_task(ignore_result=True)
def make_partitions() -> None:
    services.make_partitions()


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
