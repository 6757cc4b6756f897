"""Heads outside the database: in a file, in a bucket, in the log stream; and places that do not answer."""

import json
import logging

import pytest

from audit.models import AuditSeal, HeadTarget
from audit.seal import heads
from audit.seal.verification import verify
from audit.services import record
from tests.audit.sealed import make_activity, seal_all

pytestmark = pytest.mark.django_db(transaction=True)


def lines_of(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_head_becomes_one_line_of_a_file(tmp_path, settings):
    settings.AUDIT_HEADS = str(tmp_path / "far" / "heads.jsonl")
    make_activity(seals=2)
    heads.publish()
    heads.publish()
    record("user.created")
    seal_all()
    heads.publish()
    path = tmp_path / "far" / "heads.jsonl"
    assert [line["number"] for line in lines_of(path)] == list(AuditSeal.objects.order_by("number").values_list("number", flat=True))
    assert path.stat().st_mode & 0o777 == 0o600
    report = verify(heads=[settings.AUDIT_HEADS])
    assert report.is_intact and report.anchored_until == report.last_seal


def test_each_head_is_a_line_of_the_log_stream_with_or_without_a_place(caplog, settings):
    settings.AUDIT_HEADS = ""
    make_activity(seals=1)
    with caplog.at_level(logging.INFO):
        heads.publish()
        heads.publish()
    said = [message.seal for message in caplog.records if message.message == "audit head"]
    assert [one["head"] for one in said] == [bytes(seal.head).hex() for seal in AuditSeal.objects.order_by("number")]


def test_what_the_log_stream_says_of_a_head_is_not_redacted():
    from aaperture.lib.redaction import redact
    from audit.seal.chain import Seal

    make_activity(seals=1)
    said = Seal.of(AuditSeal.objects.first()).published()
    assert redact(said) == said


def test_a_bucket_gets_an_object_for_each_delivery(store, settings):
    settings.AUDIT_HEADS = "s3://evidence/aaperture"
    make_activity(seals=2)
    heads.publish()
    record("user.created")
    seal_all()
    heads.publish()
    assert len([name for name in store.names() if name.startswith("evidence/aaperture/heads/")]) == 2
    report = verify(heads=[settings.AUDIT_HEADS])
    assert report.is_intact and report.anchored_until == AuditSeal.objects.count()
    name = max(store.names())
    store.write(name, store.read(name).replace(b'"head":"', b'"head":"00'))
    assert not verify(heads=[settings.AUDIT_HEADS]).is_intact


def test_a_dead_place_is_tried_again_shows_its_lag_and_holds_nothing_up(store, settings, tmp_path):
    settings.AUDIT_HEADS = f"s3://evidence/aaperture, {tmp_path}"
    store.is_down = True
    make_activity(seals=2)
    heads.publish()
    count = AuditSeal.objects.count()
    log, bucket, folder = heads.lags()
    assert bucket.missing == count and bucket.since is not None and bucket.error and bucket.oldest_missing_at is not None
    assert folder.missing == log.missing == 0 and folder.since is None
    assert len(lines_of(tmp_path / heads.FILE)) == count, "the other place has them all the same"
    store.is_down = False
    heads.publish()
    assert not any(lag.missing or lag.since for lag in heads.lags())
    assert verify(heads=heads.addresses()).is_intact


def test_a_line_that_a_power_cut_left_unfinished_is_ended_and_found(tmp_path, settings):
    settings.AUDIT_HEADS = str(tmp_path)
    make_activity(seals=2)
    heads.publish()
    path = tmp_path / heads.FILE
    path.write_bytes(path.read_bytes()[:-40])
    HeadTarget.objects.filter(name=str(tmp_path)).update(delivered_number=AuditSeal.objects.count() - 1)
    heads.publish()
    assert heads.lags()[1].missing == 0
    texts = [str(finding) for finding in verify(heads=[str(tmp_path)]).findings]
    assert len(texts) == 1 and "is not a head" in texts[0]


def test_what_is_not_anchored_is_said(tmp_path, settings):
    settings.AUDIT_HEADS = str(tmp_path)
    make_activity(seals=2)
    heads.publish()
    anchored = AuditSeal.objects.count()
    record("user.created")
    seal_all()
    report = verify(heads=[str(tmp_path)])
    assert report.is_intact and report.anchored_until == anchored and report.last_seal == anchored + 1
