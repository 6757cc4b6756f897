"""What the owner of the tables does to the log by SQL, and that `verify_audit` finds and names it (R-121)."""

import json
from datetime import date, timedelta
from io import StringIO

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import Activity, AuditSeal, HeadTarget
from audit.seal import chain, heads, restores
from audit.seal.chain import Seal
from audit.seal.findings import Kind
from audit.seal.verification import verify
from audit.services import NotStored, record
from tests.audit.sealed import as_owner, make_activity, make_old_activity, seal_all, sealed_rows
from vault.services import destroy_key, person

pytestmark = pytest.mark.django_db(transaction=True)

MONTH = date(2025, 5, 1)
ROW = "(SELECT to_jsonb(a) FROM audit_activity a WHERE id = '{one}')"
COPIED = f"SELECT * FROM jsonb_populate_record(NULL::audit_activity, {ROW} || '{{changes}}')"


def found(**options) -> dict[Kind, list[str]]:
    kinds: dict[Kind, list[str]] = {}
    for finding in verify(**options).findings:
        kinds.setdefault(finding.kind, []).append(str(finding))
    return kinds


@pytest.fixture
def log(test_database, tmp_path, settings):
    """Six seals of four rows, heads outside, and the owner's connection."""
    settings.AUDIT_HEADS = str(tmp_path)
    make_activity(seals=6, rows=4)
    heads.publish()
    assert verify(heads=[str(tmp_path)]).is_intact
    with as_owner(test_database) as owner:
        yield owner


def rows_of(number: int) -> list[str]:
    return [str(pk) for pk in sealed_rows(number)]


@pytest.mark.parametrize(
    "change",
    [
        "actor_id = gen_random_uuid()", "action = 'user.login'", "details = '{}'", "recorded_at = recorded_at + interval '1 second'",
        "target_id = ''", "address = sha256('')", "address_hash = NULL", "credential_id = 'x'", "organization_id = gen_random_uuid()",
    ],
)  # fmt: skip
def test_an_edited_column_is_named_with_its_row(log, change):
    row = rows_of(3)[1]
    log.execute(f"UPDATE audit_activity SET {change} WHERE id = %s", [row])
    (text,) = found()[Kind.ROW_EDITED]
    assert row in text and change.split(" =")[0] in text and "seal 3" in text


def test_edited_canonical_text(log):
    row = rows_of(3)[0]
    log.execute("UPDATE audit_activity SET canonical = replace(canonical, 'user.updated', 'user.created') WHERE id = %s", [row])
    (text,) = found()[Kind.CANONICAL_EDITED]
    assert row in text


def test_a_row_edited_before_it_was_sealed(log):
    """Its canonical text still says what was stored; nothing else does yet."""
    row = record("user.created")
    log.execute("UPDATE audit_activity SET action = 'user.login' WHERE id = %s", [row.pk])
    (text,) = found()[Kind.ROW_EDITED]
    assert str(row.pk) in text and text.endswith("not sealed yet: action")


def test_a_row_edited_together_with_its_canonical_text(log):
    row = rows_of(3)[0]
    change = "SET action = 'user.created', canonical = replace(canonical, 'user.updated', 'user.created')"
    log.execute(f"UPDATE audit_activity {change} WHERE id = %s", [row])
    (text,) = found()[Kind.ROW_REWRITTEN]
    assert row in text


def test_a_deleted_row(log):
    row = rows_of(3)[2]
    log.execute("DELETE FROM audit_activity WHERE id = %s", [row])
    kinds = found()
    (text,) = kinds.pop(Kind.ROW_MISSING)
    assert row in text and not kinds


def test_an_inserted_row(log):
    one = rows_of(3)[0]
    changes = json.dumps({"id": "0199aaaa-0000-7000-8000-000000000001"})
    log.execute("INSERT INTO audit_activity " + COPIED.format(one=one, changes=changes))
    (text,) = found()[Kind.ROW_INSERTED]
    assert "0199aaaa-0000-7000-8000-000000000001" in text


def test_a_row_inserted_with_a_transaction_number_of_the_future(log):
    changes = json.dumps({"id": "0199aaaa-0000-7000-8000-000000000002", "tx": 2**47})
    log.execute("INSERT INTO audit_activity " + COPIED.format(one=rows_of(3)[0], changes=changes))
    assert Kind.ROW_INSERTED in found()


def test_rows_that_changed_places(log):
    first, second = rows_of(3)[0], rows_of(3)[3]
    log.execute(
        "UPDATE audit_activity a SET tx = b.tx FROM audit_activity b WHERE (a.id, b.id) IN ((%(a)s, %(b)s), (%(b)s, %(a)s))",
        {"a": first, "b": second},
    )
    assert Kind.ROWS_REORDERED in found()


def test_a_row_that_was_moved_into_another_seal(log):
    moved = rows_of(2)[0]
    log.execute("UPDATE audit_activity SET tx = (SELECT to_tx FROM audit_auditseal WHERE number = 5) WHERE id = %s", [moved])
    (text,) = found()[Kind.ROWS_REORDERED]
    assert moved in text


def test_the_tail_of_the_rows_cut_off(log):
    last = AuditSeal.objects.order_by("-number").first()
    log.execute("DELETE FROM audit_activity WHERE id = ANY(%s::uuid[])", [rows_of(last.number)[2:]])
    assert {Kind.TAIL_CUT, Kind.ROW_MISSING} <= found().keys()
    log.execute("DELETE FROM audit_activity WHERE tx >= %s", [last.from_tx])
    assert Kind.TAIL_CUT in found()


def test_rows_and_their_seals_cut_off_together(log, tmp_path):
    """The database alone agrees with itself: the heads outside do not."""
    cut = AuditSeal.objects.get(number=5)
    log.execute("DELETE FROM audit_activity WHERE tx >= %s", [cut.from_tx])
    log.execute("DELETE FROM audit_auditseal WHERE number >= 5")
    assert not found()
    (text,) = found(heads=[str(tmp_path)])[Kind.TAIL_CUT]
    assert "ends at seal 4" in text


def test_a_restore_that_nobody_made_explains_no_cut_tail(log, tmp_path, monkeypatch):
    """The line that tells of a restore counts with our signature only."""
    cut, last = AuditSeal.objects.get(number=5), AuditSeal.objects.latest("number").number
    said = {}
    for whose, key in (("theirs", Ed25519PrivateKey.generate()), ("ours", chain.current_key())):
        with monkeypatch.context() as patch:
            patch.setattr(chain, "current_key", lambda key=key: key)
            said[whose] = restores._signed(4, bytes(AuditSeal.objects.get(number=4).head), given_up_to=last)
    log.execute("DELETE FROM audit_activity WHERE tx >= %s", [cut.from_tx])
    log.execute("DELETE FROM audit_auditseal WHERE number >= 5")
    told = (tmp_path / heads.FILE).read_bytes()
    (tmp_path / heads.FILE).write_bytes(told + said["theirs"])
    (text,) = found(heads=[str(tmp_path)])[Kind.HEADS_ALTERED]
    assert "not our key" in text
    altered = json.dumps(json.loads(said["ours"]) | {"given_up_to": last + 1}).encode() + b"\n"
    (tmp_path / heads.FILE).write_bytes(told + altered)
    assert "signature does not fit" in found(heads=[str(tmp_path)])[Kind.HEADS_ALTERED][0]
    (tmp_path / heads.FILE).write_bytes(told + said["ours"])
    assert not found(heads=[str(tmp_path)])


def test_a_whole_month_deleted(log, test_database):
    make_old_activity(test_database, MONTH)
    assert verify().is_intact
    log.execute("DROP TABLE audit_activity_2025_05")
    (text,) = found()[Kind.MONTH_MISSING]
    assert "2025-05" in text


def test_a_detached_month(log, test_database):
    make_old_activity(test_database, MONTH)
    log.execute("ALTER TABLE audit_activity DETACH PARTITION audit_activity_2025_05")
    try:
        assert Kind.MONTH_MISSING in found()
    finally:
        log.execute("DROP TABLE audit_activity_2025_05")


def test_every_row_deleted(log):
    log.execute("DELETE FROM audit_activity")
    assert {Kind.MONTH_MISSING, Kind.TAIL_CUT} <= found().keys()


@pytest.mark.parametrize("table", ["audit_activity", "audit_auditseal"])
def test_a_table_that_is_gone(log, table):
    log.execute(f"ALTER TABLE {table} RENAME TO hidden")
    try:
        assert list(found()) == [Kind.TABLE_MISSING]
    finally:
        log.execute(f"ALTER TABLE hidden RENAME TO {table}")


@pytest.mark.parametrize(
    "change", ["count = count + 1", "sealed_at = now()", "rows_hash = sha256('')", "month = '2020-01-01'", "to_tx = to_tx + 1"]
)
def test_a_changed_seal(log, change):
    log.execute(f"UPDATE audit_auditseal SET {change} WHERE number = 3")
    assert any("SEAL 3" in text.upper() for text in found()[Kind.SEAL_EDITED])


def test_a_removed_seal(log):
    log.execute("DELETE FROM audit_auditseal WHERE number = 3")
    kinds = found()
    assert list(kinds) == [Kind.SEAL_MISSING] and "seal 3 is gone" in kinds[Kind.SEAL_MISSING][0]


def test_the_row_list_of_a_seal_changed_to_hide_a_row(log):
    row = rows_of(3)[0]
    log.execute("DELETE FROM audit_activity WHERE id = %s", [row])
    log.execute("UPDATE audit_sealleaves SET leaves = substr(leaves, 25) WHERE number = 3")
    assert {Kind.LEAVES_EDITED, Kind.ROW_MISSING} <= found().keys()


def rewrite_from(owner, number: int, key: Ed25519PrivateKey) -> None:
    """The rest of the chain made anew, in itself without a fault."""
    previous: Seal | None = None
    for row in AuditSeal.objects.order_by("number"):
        seal = Seal.of(row)
        if seal.number >= number:
            seal.previous_head = previous.head if previous else chain.FIRST_HEAD
            seal.seal_with(key)
            owner.execute(
                "UPDATE audit_auditseal SET (previous_head, head, public_key, proof) = (%s, %s, %s, %s) WHERE number = %s",
                [seal.previous_head, seal.head, seal.public_key, seal.proof, seal.number],
            )
        previous = seal


def test_a_chain_rewritten_without_our_key(log):
    rewrite_from(log, 3, Ed25519PrivateKey.generate())
    (text,) = found()[Kind.SEAL_FORGED]
    assert "not our key" in text


def test_one_seal_forged_without_our_key(log):
    seal = Seal.of(AuditSeal.objects.get(number=3))
    seal.discordant = 0
    seal.seal_with(Ed25519PrivateKey.generate())
    log.execute(
        "UPDATE audit_auditseal SET (head, public_key, proof) = (%s, %s, %s) WHERE number = 3",
        [sha(seal.head), seal.public_key, seal.proof],
    )
    assert {Kind.SEAL_EDITED, Kind.SEAL_FORGED, Kind.HEAD_REPLACED} <= found().keys()


def sha(value: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(value).digest()


def test_a_replaced_head_even_with_our_own_key(log, tmp_path):
    """Whoever took the ring too can rewrite the chain, but not what was written outside."""
    row = rows_of(4)[0]
    log.execute("UPDATE audit_auditseal SET sealed_at = sealed_at + interval '1 hour' WHERE number >= 4")
    rewrite_from(log, 4, chain.current_key())
    assert not found(), row
    assert len(found(heads=[str(tmp_path)])[Kind.HEAD_REPLACED]) == AuditSeal.objects.filter(number__gte=4).count()


def altered(tmp_path, change) -> dict[Kind, list[str]]:
    path = tmp_path / heads.FILE
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return found(heads=[str(tmp_path)])


def test_a_file_of_heads_that_was_edited(log, tmp_path):
    def edit(lines):
        said = json.loads(lines[2])
        lines[2] = json.dumps({**said, "head": "00" * 31 + "01"})

    assert list(altered(tmp_path, edit)) == [Kind.HEADS_ALTERED]


def test_a_file_of_heads_with_a_line_taken_out(log, tmp_path):
    assert Kind.HEADS_ALTERED in altered(tmp_path, lambda lines: lines.pop(2))


def test_a_file_of_heads_with_an_invented_line(log, tmp_path):
    def invent(lines):
        said = json.loads(lines[-1])
        lines.append(json.dumps({**said, "number": said["number"] + 1}))

    assert Kind.HEADS_ALTERED in altered(tmp_path, invent)


def test_a_file_of_heads_that_is_gone(log, tmp_path):
    (tmp_path / heads.FILE).unlink()
    assert list(found(heads=[str(tmp_path)])) == [Kind.HEADS_UNREADABLE]


QUIET = "CREATE TRIGGER quiet BEFORE INSERT ON audit_activity"
SWALLOW = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"


@pytest.mark.parametrize(
    ("change", "back", "named"),
    [
        (
            f"{SWALLOW}; {QUIET} FOR EACH ROW WHEN (new.action = 'role.changed') EXECUTE FUNCTION swallow()",
            "DROP TRIGGER quiet ON audit_activity; DROP FUNCTION swallow()",
            "trigger quiet on audit_activity",
        ),
        (
            "CREATE RULE quiet AS ON INSERT TO audit_activity WHERE new.action = 'role.changed' DO INSTEAD NOTHING",
            "DROP RULE quiet ON audit_activity",
            "rule quiet on audit_activity",
        ),
    ],
)
def test_a_trigger_that_swallows_rows_is_named_and_what_it_swallows_does_not_happen(log, change, back, named):
    """What is never written is missed by no chain: so it must not be possible to act without it."""
    log.execute(change)
    try:
        with pytest.raises(NotStored):
            record("role.changed", old="viewer", new="admin")
        record("user.created")
        assert any(named in text for text in found()[Kind.TABLE_ALTERED])
    finally:
        log.execute(back)
    assert not found()


@pytest.mark.parametrize(
    ("change", "back", "named"),
    [
        ("ALTER TABLE audit_auditseal ENABLE ROW LEVEL SECURITY", "ALTER TABLE audit_auditseal DISABLE ROW LEVEL SECURITY", "row security"),
        (
            "ALTER TABLE audit_activity ALTER COLUMN tx SET DEFAULT 1",
            "ALTER TABLE audit_activity ALTER COLUMN tx SET DEFAULT (audit_epoch()::bigint << 48) + (pg_current_xact_id()::text)::bigint",
            "transaction numbers come from 1",
        ),
    ],
)
def test_tables_that_are_not_what_the_migrations_made(log, change, back, named):
    log.execute(change)
    try:
        assert any(named in text for text in found()[Kind.TABLE_ALTERED])
    finally:
        log.execute(back)
    assert not found()


def test_heads_that_somebody_keeps_from_a_place(log, tmp_path, settings):
    """Even the application's role can pretend that a place has them, and cut the tail a day later."""
    HeadTarget.objects.update(delivered_number=10**9)
    record("user.created")
    seal_all()
    heads.publish()
    last = AuditSeal.objects.latest("number").number
    assert not found(heads=[str(tmp_path)])
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        (text,) = found(heads=[str(tmp_path)])[Kind.HEADS_LATE]
    assert f"seal {last}:" in text and str(tmp_path) in text


def test_a_key_that_a_stranger_was_given(log):
    ours = chain.public_bytes(chain.current_key())
    assert not found(public_keys=[ours])
    theirs = chain.public_bytes(Ed25519PrivateKey.generate())
    assert list(found(public_keys=[theirs])) == [Kind.SEAL_FORGED]


def test_a_key_that_was_rotated_out_still_counts_below_one_of_ours(log, settings):
    import secrets

    from vault import ring

    old = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [("new1", secrets.token_bytes(32)), *old]
    try:
        record("user.created")
        seal_all()
        settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
        report = verify()
        assert report.is_intact and len(report.keys) == 2, report.findings
    finally:
        ring.forget_keys()


def test_a_part_of_the_chain_can_be_verified_alone(log):
    log.execute("DELETE FROM audit_activity WHERE id = %s", [rows_of(5)[0]])
    assert not found(first=1, last=4)
    assert found(first=3, last=5).keys() == found(first=5).keys() == {Kind.ROW_MISSING} or Kind.TAIL_CUT in found(first=3, last=5)


def test_erasing_a_person_leaves_the_log_verifiable(log):
    activity = Activity.objects.exclude(actor_id=None).first()
    destroy_key(person(activity.actor_id))
    assert verify().is_intact


def test_the_command_names_what_it_finds_and_ends_with_an_error(log, tmp_path):
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "Intact." in out.getvalue() and f"Anchored outside: seals 1–{AuditSeal.objects.count()}" in out.getvalue()
    row = rows_of(3)[0]
    log.execute("UPDATE audit_activity SET action = 'user.login' WHERE id = %s", [row])
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("verify_audit", stdout=out)
    assert error.value.returncode == 1 and f"ROW EDITED: seal 3: row {row}" in out.getvalue()


def test_the_instance_notices_by_itself_and_raises_one_critical_alert(log, settings):
    from audit.models import SecurityAlert
    from audit.seal.watching import verify_and_report

    assert verify_and_report().is_intact and not SecurityAlert.objects.exists()
    log.execute("DELETE FROM audit_activity WHERE id = %s", [rows_of(3)[0]])
    verify_and_report()
    verify_and_report()
    (alert,) = SecurityAlert.objects.all()
    assert alert.kind == "chain_broken" and alert.severity == "critical"


def test_an_instance_without_a_single_act_is_not_accused(settings, tmp_path):
    settings.AUDIT_HEADS = str(tmp_path / "nowhere")
    assert verify(heads=heads.addresses()).is_intact
