"""Contributions by the clock: what is due stands in rows."""

from contextlib import suppress
from uuid import UUID

from celery import shared_task

from aaperture.lib.nudge import nudge
from billing import gateway
from billing.services import events, monthly, reconciling, refunds


@shared_task(ignore_result=True)
def apply_event(event_id: str) -> None:
    events.apply_event(UUID(event_id))


@shared_task(ignore_result=True)
def send_refund(refund_id: str) -> None:
    refunds.send(UUID(refund_id))


@shared_task(ignore_result=True)
def end_subscription(subscription_id: str) -> None:
    monthly.end_due(UUID(subscription_id))


@shared_task(ignore_result=True)
def tick() -> None:
    for task, waiting in ((apply_event, events.due()), (send_refund, refunds.due()), (end_subscription, monthly.to_be_ended())):
        for pk in waiting:
            nudge(task, pk)


@shared_task(ignore_result=True)
def reconcile() -> None:
    with suppress(gateway.StripeUnavailable, gateway.StripeRefused):
        if gateway.is_enabled():
            reconciling.reconcile()
