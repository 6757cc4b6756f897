from celery import shared_task

from audit import services


@shared_task(ignore_result=True)
def make_partitions() -> None:
    services.make_partitions()
