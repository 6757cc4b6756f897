"""The alarm clock of the top floor."""

from contextlib import suppress
from uuid import UUID

from celery import shared_task

from aaperture.lib.nudge import nudge
from operations.services import backups, containment, erasures, exports, key_rotation, maintenance, secret_ages


@shared_task(ignore_result=True)
def rotate_keys(rotation_id: str) -> None:
    with suppress(key_rotation.BusyElsewhere):
        key_rotation.carry_out(UUID(rotation_id))


@shared_task(ignore_result=True)
def resume_key_rotations() -> None:
    for rotation_id in key_rotation.open_rotations():
        nudge(rotate_keys, rotation_id)


@shared_task(ignore_result=True)
def observe_secrets() -> None:
    secret_ages.look_at_secrets()


@shared_task(ignore_result=True)
def keep_blocklist() -> None:
    containment.keep_blocklist()


@shared_task(ignore_result=True)
def build_export(export_id: str) -> None:
    exports.build(UUID(export_id))


@shared_task(ignore_result=True)
def build_due_exports() -> None:
    exports.sweep()
    for export_id in exports.due():
        nudge(build_export, export_id)


@shared_task(ignore_result=True)
def carry_on_erasure(erasure_id: str) -> None:
    erasures.carry_on(UUID(erasure_id))


@shared_task(ignore_result=True)
def carry_on_erasures() -> None:
    for erasure_id in erasures.due():
        nudge(carry_on_erasure, erasure_id)


@shared_task(ignore_result=True, time_limit=24 * 3600)
def make_backup(backup_id: str) -> None:
    with suppress(backups.BusyElsewhere):
        backups.carry_out(UUID(backup_id))


@shared_task(ignore_result=True, time_limit=24 * 3600)
def clean_up(run_id: str) -> None:
    with suppress(maintenance.BusyElsewhere):
        maintenance.carry_out(UUID(run_id))


@shared_task(ignore_result=True)
def tick_maintenance() -> None:
    maintenance.tick()
    for backup_id in backups.open_backups():
        nudge(make_backup, backup_id)
    for run_id in maintenance.open_runs():
        nudge(clean_up, run_id)
