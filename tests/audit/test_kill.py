"""kill -9 in the middle of sealing, of telling the heads and of archiving, in processes of their own: each goes on and ends right."""

import json
import signal
import subprocess
from datetime import date

import pytest
from django.db import transaction

from audit.models import Activity, AuditArchive, AuditSeal, SealLeaves
from audit.seal import archives, heads, retention
from audit.seal.verification import verify
from audit.services import record
from tests import processes
from tests.accounts.people import make_user
from tests.audit.sealed import make_old_activity, seal_all, wait_until_settled
from tests.audit.test_retention import MONTH, day

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SET_UP = """
import os, signal
from datetime import datetime
from audit.seal import archive_records, archives, heads, places, retention, rows, sealing

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def die_at(module, name, call=1, after=False):
    real, calls = getattr(module, name), [0]
    def dying(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call and not after:
            die()
        result = real(*args, **kwargs)
        if calls[0] == call:
            die()
        return result
    setattr(module, name, dying)
"""


def run(code: str, **environment: str) -> int:
    (process,) = processes.start(SET_UP + code, **environment)
    assert process.wait(60) in {0, -signal.SIGKILL}, process.errors
    processes.wait_for_the_dead()
    return process.returncode


def test_a_sealer_killed_anywhere_is_followed_by_one_that_goes_on():
    user = make_user()
    seal_all()
    with transaction.atomic():
        for _ in range(60):
            record("user.updated", user)
    wait_until_settled()
    points = [
        "die_at(sealing, '_made', 4)", "die_at(sealing.AuditSeal.objects, 'bulk_create', 2, after=True)",
        "die_at(sealing.SealLeaves.objects, 'bulk_create', 1, after=True)", "die_at(sealing, '_seal_batch', 3, after=True)",
    ]  # fmt: skip
    for point in points:
        assert run(f"sealing.BATCH = 4\n{point}\nsealing.seal_pending()") == -signal.SIGKILL
        assert set(AuditSeal.objects.values_list("number", flat=True)) == set(SealLeaves.objects.values_list("number", flat=True))
    run("sealing.BATCH = 4\nsealing.seal_pending()")
    seal_all()
    report = verify()
    assert report.is_intact and report.rows == Activity.objects.count() and report.unsealed == 0, report.findings


def test_a_sealer_killed_at_any_moment():
    """By the clock, not at a chosen line."""
    user = make_user()
    with transaction.atomic():
        for _ in range(400):
            record("user.updated", user)
    for moment in (0.0, 0.004, 0.015, 0.04, 0.1):
        (child,) = processes.start(f"{SET_UP}sealing.BATCH = 2\nprint('ready', flush=True)\nsealing.seal_pending()")
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(moment)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        processes.wait_for_the_dead()
    seal_all()
    report = verify()
    assert report.is_intact and report.rows == Activity.objects.count() and report.unsealed == 0, report.findings


def test_heads_are_told_after_a_kill(tmp_path, settings):
    settings.AUDIT_HEADS = str(tmp_path)
    record("user.created")
    seal_all()
    assert run("die_at(heads, '_deliver', 2, after=True)\nheads.publish()", AUDIT_HEADS=str(tmp_path)) == -signal.SIGKILL
    record("user.created")
    seal_all()
    run("heads.publish()", AUDIT_HEADS=str(tmp_path))
    numbers = {json.loads(line)["number"] for line in (tmp_path / heads.FILE).read_text().splitlines()}
    assert numbers == set(AuditSeal.objects.values_list("number", flat=True))
    assert verify(heads=[str(tmp_path)]).is_intact


@pytest.mark.parametrize(
    ("point", "rows_left"),
    [
        ("die_at(rows, 'read', 3)", 9),
        ("die_at(archives.chain, 'sign')", 9),
        ("die_at(archives, 'verify_in')", 9),
        ("die_at(archives, 'verify_in', 1, after=True)", 9),
        ("die_at(archive_records, 'add', 1, after=True)", 9),
        ("die_at(retention, 'drop')", 9),
        ("die_at(retention, 'drop', 1, after=True)", 0),
    ],
)
def test_an_archiver_killed_anywhere_loses_nothing(point, rows_left, test_database, settings, tmp_path):
    settings.AUDIT_ARCHIVE = str(tmp_path)
    make_old_activity(test_database, MONTH, rows=4)
    make_old_activity(test_database, MONTH, rows=5)
    before = Activity.objects.count()
    keep = f"retention.keep(now=datetime.fromisoformat('{day(40).isoformat()}'))"
    assert run(f"{point}\n{keep}", AUDIT_ARCHIVE=str(tmp_path)) == -signal.SIGKILL
    in_log = Activity.objects.filter(recorded_at__lt="2025-04-01T00:00Z").count()
    assert in_log == rows_left
    assert in_log == 9 or archives.verify(f"{tmp_path}/2025-03").is_intact
    assert verify().is_intact
    retention.keep(now=day(40))
    seal_all()
    assert not Activity.objects.filter(recorded_at__lt="2025-04-01T00:00Z").exists()
    assert Activity.objects.count() == before - 9 + 1, "and one that says so"
    report = archives.verify(f"{tmp_path}/2025-03")
    assert report.is_intact and report.rows == 9 and verify().is_intact
    assert AuditArchive.objects.filter(month=date(2025, 3, 1), kind="archived").count() == 1
