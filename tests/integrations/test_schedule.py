"""When pipelines run by themselves (R-077)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import InstanceSettings
from integrations.models import Connection, Run, validate_schedule
from integrations.schedule import next_after
from integrations.services import pipelines


@pytest.mark.parametrize(
    ("now", "expected"),
    [("2026-11-22T02:59:59", "2026-11-22T03:00"), ("2026-11-22T03:00:00", "2026-11-22T15:00"), ("2026-11-22T15:00:00", "2026-11-23T03:00")],
)
def test_pipelines_run_at_three_and_fifteen_utc(now, expected):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert next_after("03:00,15:00", moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_an_empty_schedule_is_never_due_and_nonsense_is_refused():
    assert next_after("", timezone.now()) is None
    for nonsense in ("25:00", "soon", "03:00;15:00"):
        with pytest.raises(ValidationError):
            validate_schedule(nonsense)


@pytest.fixture
def due(connect) -> Connection:
    row = connect()
    Run.objects.all().delete()
    row.pipelines.update(next_run_at=timezone.now() - timedelta(seconds=1))
    return row


@pytest.mark.django_db
def test_what_is_due_is_queued_once_and_set_for_the_next_time(sandbox, due):
    assert pipelines.tick() == [Run.objects.get().pk] and Run.objects.get().trigger == "schedule"
    assert due.pipelines.get().next_run_at > timezone.now()
    assert pipelines.queue_due() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("premium_for", ["nobody", "contributors"])
def test_who_is_not_premium_is_left_out(sandbox, due, premium_for):
    InstanceSettings(premium_for=premium_for).save()
    assert pipelines.tick() == [] and due.pipelines.get().next_run_at > timezone.now()


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["needs_reauth", "paused", "revoked"])
def test_what_cannot_be_read_is_not_queued(sandbox, due, status):
    Connection.objects.update(status=status)
    assert pipelines.tick() == []


@pytest.mark.django_db
def test_a_disabled_pipeline_and_an_inactive_member_are_left_alone(sandbox, due, member):
    due.pipelines.update(enabled=False)
    assert pipelines.tick() == []
    due.pipelines.update(enabled=True)
    member.is_active = False
    member.save(update_fields=["is_active"])
    assert pipelines.tick() == []


def test_the_clock_ticks(settings):
    ticks = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert ticks["integrations.tasks.tick"] <= 30 and ticks["integrations.tasks.refresh_due_tokens"] <= 120
