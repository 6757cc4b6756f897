from celery import shared_task
from django.utils import timezone

from accounts.services import account_mail, tokens
from accounts.sessions import SessionStore


@shared_task(ignore_result=True)
def clear_expired_sessions() -> None:
    SessionStore.clear_expired()
    tokens.forget_old(now=timezone.now())


@shared_task(ignore_result=True)
def tell_of_lock(user_pk: str) -> None:
    account_mail.tell_of_lock(user_pk)


@shared_task(ignore_result=True)
def tell_of_recovery_code(user_pk: str) -> None:
    account_mail.tell_of_recovery_code(user_pk)


@shared_task(ignore_result=True)
def tell_of_new_program(user_pk: str) -> None:
    account_mail.tell_of_new_program(user_pk)
