"""Rotation as an operator meets it: console, API and command, one at a time, on record, with a proof at the end (R-028, R-031)."""

import os
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from audit.models import Activity, AuditSeal
from audit.seal import chain
from audit.services import record
from operations import key_usage
from operations.key_usage import Step, key_uses, latest_rotation, next_step
from operations.services import key_rotation
from operations.tasks import resume_key_rotations, rotate_keys
from tests import processes
from tests.accounts.people import make_user, step_up
from tests.api.caller import with_key, with_token
from tests.audit.sealed import seal_all
from tests.operations.rings import all_open, forget, new_entry, people, use
from tests.process import eventually
from vault import rotation
from vault.models import DataKey, KeyRotation, KeySalt

ROOT = Path(__file__).resolve().parents[2]
PAGE, ROTATE = "/admin/operations/keys/", "/api/v1/admin/keys/rotate"


@pytest.fixture(autouse=True)
def fresh_keys():
    forget()
    yield
    forget()


@pytest.fixture
def rings():
    """The ring of the tests, one with a new key in front, and the new key alone."""
    old, new = os.environ["ENCRYPTION_KEYS"], new_entry("new1")
    return {"old": old, "both": f"{new},{old}", "new": new}


@pytest.fixture
def two_keys(db, settings, rings):
    """A new key stands in front; what there is hangs on the old one."""
    sealed = people(5)
    use(settings, rings["both"])
    return sealed


def step() -> Step:
    return next_step(key_uses(), latest_rotation())


def signed_in(role: str = Role.ADMIN) -> Client:
    client, user = Client(), make_user(role=role)
    client.force_login(user)
    step_up(client, user)
    return client


# --- from the first key to the proof -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_whole_way_from_a_new_key_to_the_old_one_taken_out(settings, rings, capsys):
    sealed = people(5)
    record("settings.changed")
    seal_all()
    assert step() is Step.NOTHING
    use(settings, rings["both"])
    assert step() is Step.REWRAP and [use_.signs for use_ in key_uses()] == [False, True]
    with pytest.raises(CommandError):
        call_command("rotate_keys", "--check")
    assert "Must stay in ENCRYPTION_KEYS: test1." in capsys.readouterr().out
    call_command("rotate_keys")
    seal_all()
    assert step() is Step.REMOVE and [use_.kid for use_ in key_uses() if use_.is_removable] == ["test1"]
    call_command("rotate_keys", "--check")
    assert "Nothing depends on test1 any more" in capsys.readouterr().out
    use(settings, rings["new"])
    assert step() is Step.NOTHING and all_open(sealed)
    call_command("rotate_keys", "--check")
    call_command("verify_audit")
    assert "Intact." in capsys.readouterr().out


def test_the_record_says_ids_and_counts_only(two_keys):
    admin = make_user(role=Role.ADMIN)
    asked = key_rotation.ask_for_rotation(admin)
    before = DataKey.objects.filter(kid="test1").count()
    key_rotation.carry_out(asked.pk)
    done = Activity.objects.get(action="keys.rotated")
    assert done.details == {"to_id": "new1", "rewrapped": {"test1": before}, "left": 0, "unopened": 0, "retired": ["test1"]}
    assert done.actor_id == admin.pk and done.target_id == str(asked.pk)
    assert Activity.objects.get(action="keys.rotation_started").details == {"to_id": "new1", "from_ids": ["test1"]}


def test_what_does_not_open_is_left_named_and_keeps_the_old_key(two_keys, capsys):
    DataKey.objects.filter(owner_id=min(two_keys)).update(wrapped=b"\1" * 60)
    with pytest.raises(CommandError, match="Something is left"):
        call_command("rotate_keys")
    assert latest_rotation().outcome == "incomplete" and step() is Step.REWRAP
    with pytest.raises(CommandError):
        call_command("rotate_keys", "--check")
    told = capsys.readouterr().out
    assert "1 data keys say that test1 wraps them, and it does not open them." in told and "Must stay in ENCRYPTION_KEYS: test1." in told


def test_a_key_out_of_the_ring_that_is_still_needed_is_the_first_thing_to_do(db, settings, rings, capsys):
    people(3)
    use(settings, rings["new"])
    assert step() is Step.PUT_BACK
    with pytest.raises(CommandError):
        call_command("rotate_keys", "--check")
    assert re.search(r"test1 is not in ENCRYPTION_KEYS, and wraps \d+ data keys: put it back\.", capsys.readouterr().out)


def test_one_row_that_hangs_on_a_retired_key_makes_it_needed_again(two_keys):
    """Put there by hand, by somebody who can switch the trigger off."""
    key_rotation.carry_out(key_rotation.ask_for_rotation().pk)
    KeySalt.objects.filter(kid="test1").update(retired_at=None)
    DataKey.objects.filter(owner_id=min(two_keys)).update(kid="test1")
    KeySalt.objects.filter(kid="test1").update(retired_at=timezone.now())
    assert not any(use_.is_removable for use_ in key_uses()) and step() is Step.REWRAP


def test_a_dry_run_counts_and_changes_nothing(two_keys, capsys):
    count = DataKey.objects.filter(kid="test1").count()
    call_command("rotate_keys", "--dry-run")
    assert f"{count} data keys would be wrapped by new1." in capsys.readouterr().out
    assert DataKey.objects.filter(kid="test1").count() == count and not KeyRotation.objects.exists()


def test_a_new_key_is_printed_ready_for_the_ring_and_dated(db, settings, capsys):
    call_command("rotate_keys", "--new-key")
    entry = capsys.readouterr().out.strip()
    use(settings, f"{entry},{os.environ['ENCRYPTION_KEYS']}")
    assert settings.ENCRYPTION_KEYS[0][0].startswith("k20") and len(settings.ENCRYPTION_KEYS) == 2


def test_a_ring_of_one_key_has_nothing_to_rotate_to(db):
    with pytest.raises(CommandError, match="one key only"):
        call_command("rotate_keys")


# --- the log's signatures ----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_key_that_signed_the_newest_seal_stays_until_a_seal_by_the_new_one(settings, rings):
    """Without this the log's last seals would be signed by nobody we know."""
    people(1)
    record("settings.changed")
    seal_all()
    use(settings, rings["both"])
    sum(rotation.rewrap_all())
    rotation.retire_unused()
    assert step() is Step.SEAL and not any(use_.is_removable for use_ in key_uses())
    record("settings.changed")
    seal_all()
    assert bytes(AuditSeal.objects.latest("number").public_key) == chain.public_bytes(chain.signing_key("new1"))
    assert step() is Step.REMOVE


# --- one at a time, and again after a kill ------------------------------------------------------------------------------


def test_asking_twice_is_one_rotation(two_keys):
    assert key_rotation.ask_for_rotation().pk == key_rotation.ask_for_rotation().pk
    assert Activity.objects.filter(action="keys.rotation_started").count() == 1


def test_a_worker_with_another_ring_leaves_it_alone(two_keys, settings, rings):
    asked = key_rotation.ask_for_rotation()
    use(settings, rings["old"])
    assert key_rotation.open_rotations() == [] and key_rotation.carry_out(asked.pk) is None
    assert KeyRotation.objects.get().finished_at is None and DataKey.objects.filter(kid="new1").count() == 0


def test_a_rotation_to_a_key_that_is_first_no_longer_is_closed(two_keys, settings, rings):
    asked = key_rotation.ask_for_rotation()
    use(settings, f"{new_entry('new2')},{rings['both']}")
    newer = key_rotation.ask_for_rotation()
    asked.refresh_from_db()
    assert asked.outcome == "superseded" and newer.kid == "new2"


@pytest.mark.django_db(transaction=True)
def test_two_processes_do_not_rotate_at_once(settings, rings):
    people(2)
    use(settings, rings["both"])
    asked = key_rotation.ask_for_rotation()
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key_rotation.LOCK])
    try:
        with pytest.raises(key_rotation.BusyElsewhere):
            key_rotation.carry_out(asked.pk)
        assert key_rotation.open_rotations() == []
        rotate_keys(str(asked.pk))  # quietly
        assert KeyRotation.objects.get().started_at is None
    finally:
        other.close()
    assert eventually(lambda: key_rotation.open_rotations() == [asked.pk], within=60)


SLOW = """
from operations.services import key_rotation
from vault import rotation
rotation.rewrap_all.__kwdefaults__["size"] = 5
asked = key_rotation.ask_for_rotation()
key_rotation.carry_out(asked.pk, progress=lambda done, total: (print(done, total, flush=True), done < 15 or sys.stdin.readline()))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_rotation_is_found_by_the_clock_and_ends_with_one_record(settings, rings):
    sealed = people(60)
    before = DataKey.objects.count()
    (process,) = processes.start(SLOW, ENCRYPTION_KEYS=rings["both"])
    assert [process.stdout.readline() for _ in range(4)] == [f"{done} {before}\n" for done in (0, 5, 10, 15)]
    process.kill()
    process.communicate(timeout=60)
    processes.wait_for_the_dead()  # its lock is gone with its connection
    use(settings, rings["both"])
    assert rotation.left_over() == before - 15 and all_open(sealed)
    assert key_rotation.open_rotations()
    assert key_usage.progress(latest_rotation()) == (before - rotation.left_over(), before)
    rotate_keys(str(key_rotation.open_rotations()[0]))
    assert latest_rotation().outcome == "done" and KeyRotation.objects.count() == 1
    assert Activity.objects.get(action="keys.rotated").details["rewrapped"] == {"test1": before}
    assert KeySalt.objects.get(kid="test1").retired_at is not None
    use(settings, rings["new"])
    assert all_open(sealed)


def test_the_clock_wakes_a_worker_for_what_waits(two_keys, monkeypatch, django_capture_on_commit_callbacks):
    asked = key_rotation.ask_for_rotation()
    woken = []
    monkeypatch.setattr(rotate_keys, "apply_async", lambda args, **_options: woken.append(args))
    with django_capture_on_commit_callbacks(execute=True):
        resume_key_rotations()
    assert woken == [(str(asked.pk),)]


# --- who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role.values)
def test_only_administrators_see_and_rotate(two_keys, role):
    expected = role == Role.ADMIN
    client, caller = signed_in(role), with_token(make_user(role=role), stepped_up=True)
    assert client.get(PAGE).status_code == (200 if expected else 403)
    assert client.get("/console/keys").status_code == (200 if expected else 403)
    assert caller.get("/api/v1/admin/keys").status_code == (200 if expected else 403)
    assert caller.post(ROTATE).status_code == (202 if expected else 403)
    assert client.post(PAGE).status_code == (302 if expected else 403)
    assert KeyRotation.objects.count() == expected


def test_without_a_step_up_nothing_starts(two_keys):
    admin, client = make_user(role=Role.ADMIN), Client()
    client.force_login(admin)
    assert "/accounts/" in client.post(PAGE)["Location"]
    answer = with_token(admin).post(ROTATE)
    assert (answer.status_code, answer.body["code"]) == (403, "step_up_required")
    assert not KeyRotation.objects.exists()


def test_a_key_for_machines_must_sign_and_cannot_step_up(two_keys):
    caller = with_key(make_user(role=Role.ADMIN))
    assert caller.post(ROTATE, signed=False).body["code"] == "signature_missing"
    assert caller.post(ROTATE).body["code"] == "step_up_required"
    assert not KeyRotation.objects.exists()


def test_the_api_tells_the_state_and_never_a_value(two_keys, rings):
    caller = with_token(make_user(role=Role.ADMIN), stepped_up=True)
    rotate_keys(caller.post(ROTATE).body["id"])
    answer = caller.get("/api/v1/admin/keys")
    assert [(one["id"], one["first"]) for one in answer.body["keys"]] == [("new1", True), ("test1", False)]
    assert answer.body["rotation"]["outcome"] == "done" and answer.body["keys"][1]["persons"] == 0
    text = answer.content.decode()
    assert not any(part.split(":")[1] in text for part in rings["both"].split(",")) and os.environ["SECRET_KEY"] not in text


def test_a_server_with_an_old_ring_does_not_rotate_back(two_keys, settings, rings):
    caller = with_token(make_user(role=Role.ADMIN), stepped_up=True)
    key_rotation.carry_out(key_rotation.ask_for_rotation().pk)
    newer = rings["both"].split(",")
    use(settings, f"{newer[1]},{newer[0]}")
    answer = caller.post(ROTATE)
    assert answer.status_code == 409 and "first key is retired" in str(answer.body)
    assert DataKey.objects.filter(kid="test1").count() == 0


# --- nothing is forgotten ----------------------------------------------------------------------------------------------


def test_whoever_uses_a_master_key_is_counted_by_the_proof():
    """Something new that hangs on the ring must be added to `key_usage` before it is added here."""
    users = set()
    for path in [
        path
        for app in ("aaperture", "vault", "audit", "accounts", "integrations", "studio", "documents", "mailing", "tracker", "operations")
        for path in (ROOT / app).rglob("*.py")
    ]:
        if re.search(r"master_key\(|ring\.(un)?wrap\(|settings\.ENCRYPTION_KEYS", path.read_text()):
            users.add(path.relative_to(ROOT).as_posix())
    assert users == {
        "vault/ring.py", "vault/services.py", "vault/rotation.py", "vault/startup.py",  # data keys
        "audit/seal/chain.py",  # signatures
        "operations/key_usage.py", "operations/known_secrets.py",  # the proof and the ages
        "operations/services/restoring.py",  # whether a backup's keys are there
    }  # fmt: skip


@pytest.mark.django_db
def test_every_column_that_names_a_master_key_is_known():
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'kid'")
        assert {row[0] for row in cursor.fetchall()} == {"vault_datakey", "vault_keysalt", "vault_keyrotation"}
