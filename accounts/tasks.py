from celery import shared_task
from django.core.management import call_command

from accounts.services import account_mail


@shared_task(ignore_result=True)
def clear_expired_sessions() -> None:
    call_command("clearsessions")


@shared_task(ignore_result=True)
def tell_of_lock(user_pk: str) -> None:
    account_mail.tell_of_lock(user_pk)


@shared_task(ignore_result=True)
def tell_of_recovery_code(user_pk: str) -> None:
    account_mail.tell_of_recovery_code(user_pk)
