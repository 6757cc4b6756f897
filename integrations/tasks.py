"""The alarm clock: tasks take ids, never content, and do nothing twice."""

from uuid import UUID

from celery import shared_task

from aaperture.lib.nudge import nudge
from integrations import engine
from integrations.services import arrivals, datasets, pipelines, tokens


@shared_task(ignore_result=True)
def execute_run(run_id: str) -> None:
    engine.execute(UUID(run_id))


@shared_task(ignore_result=True)
def tick() -> None:
    arrivals.queue_waiting()
    for run_id in pipelines.tick():
        nudge(execute_run, run_id)


@shared_task(ignore_result=True)
def take_in(connection_id: str) -> None:
    for run_id in arrivals.queue_waiting(UUID(connection_id)):
        nudge(execute_run, run_id)


@shared_task(ignore_result=True)
def refresh_due_tokens() -> None:
    tokens.refresh_due()


@shared_task(ignore_result=True)
def keep_datasets() -> None:
    datasets.keep_retention()
    arrivals.sweep()
