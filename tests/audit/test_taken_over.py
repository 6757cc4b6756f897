"""What somebody with the application's database role can do to the seal, and that it is noticed."""

from datetime import timedelta

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from audit.models import Activity, AuditArchive, AuditSeal, SealLeaves, SecurityAlert
from audit.seal import sealing, watching
from audit.seal.findings import Kind
from audit.seal.rows import Mark
from audit.seal.verification import verify
from audit.services import record
from tests.audit.sealed import as_owner, make_activity, make_old_activity, seal_all, wait_until_settled
from tests.audit.test_retention import MONTH

pytestmark = pytest.mark.django_db(transaction=True)


def kinds() -> set[Kind]:
    return {finding.kind for finding in verify().findings}


def forged_seal(*, to_tx: int) -> AuditSeal:
    """The next of the chain, in itself without a fault, signed by a key of the forger's."""
    last = sealing.last_seal()
    last.number, last.previous_head = last.number + 1, last.head
    last.first, last.last = Mark(last.last.tx + 1, last.last.id), Mark(to_tx, last.last.id)
    return last.seal_with(Ed25519PrivateKey.generate()).stored()


def test_a_seal_of_somebody_elses_is_named_and_what_comes_after_it_is_sealed_all_the_same(test_database):
    make_activity(seals=2)
    forged = forged_seal(to_tx=AuditSeal.objects.latest("number").to_tx + 1_000_000)
    forged.save(force_insert=True)
    try:
        record("user.created")
        assert sealing.seal_pending() == 0  # notices that numbers went back, and begins an epoch
        record("role.changed", old="viewer", new="admin")
        wait_until_settled()
        sealing.seal_pending()
        newest = AuditSeal.objects.latest("number")
        assert newest.number == forged.number + 1 and newest.doubt and newest.count == 1
        texts = [str(finding) for finding in verify().findings]
        assert any(text.startswith(f"SEAL FORGED: seal {forged.number}:") and "not our key" in text for text in texts)
        assert watching.verify_and_report().findings and SecurityAlert.objects.get().kind == "chain_broken"
    finally:
        with as_owner(test_database) as owner:
            owner.execute("CREATE OR REPLACE FUNCTION audit_epoch() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 0'")


def test_a_sealer_that_is_kept_from_its_work_raises_an_alert():
    make_activity(seals=1)
    SealLeaves.objects.create(number=AuditSeal.objects.latest("number").number + 1, month=MONTH, leaves=b"")
    record("user.created")
    wait_until_settled()
    with pytest.raises(IntegrityError):
        sealing.seal_pending()
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        assert watching.notice_late() and kinds() == {Kind.SEALING_LATE}


def test_a_month_that_is_said_to_be_archived_and_dropped_is_missed(test_database):
    make_old_activity(test_database, MONTH)
    last = AuditSeal.objects.filter(month=MONTH).latest("number")
    said = {"rows": 6, "seals": 1, "last_seal": last.number, "manifest_hash": bytes(32), "made_at": timezone.now()}
    AuditArchive.objects.create(kind="archived", month=MONTH, public_key=bytes(last.public_key), proof=bytes(last.proof), **said)
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_drop_month(%s)", [MONTH])
    assert not Activity.objects.filter(recorded_at__lt="2025-04-01T00:00Z").exists() and kinds() == {Kind.ARCHIVE_FORGED}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditseal SET doubt = false", "DELETE FROM audit_sealleaves", "DROP FUNCTION audit_epoch()",
        "CREATE OR REPLACE FUNCTION audit_epoch() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 7'",
        "CREATE RULE quiet AS ON INSERT TO audit_activity DO INSTEAD NOTHING", "ALTER TABLE audit_activity DISABLE TRIGGER USER",
        "ALTER TABLE audit_activity ALTER COLUMN tx SET DEFAULT 1", "CREATE VIEW mine AS SELECT 1",
        "SELECT audit_forget_leaves(current_date)",
        "INSERT INTO audit_activity (id, recorded_at, tx) VALUES (gen_random_uuid(), now(), 1)",
        "SET session_replication_role = replica", "ALTER TABLE audit_activity DETACH PARTITION audit_activity_default",
    ],
)  # fmt: skip
def test_what_the_application_may_not_even_try(statement):
    make_activity(seals=1)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    seal_all()
    assert verify().is_intact
