"""The ring's keys change while everybody works: nothing fails to open, nothing is left, nothing destroyed comes back (R-028)."""

import json
import os
import secrets
import subprocess
import sys
import threading
import uuid
from base64 import b64encode
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from aaperture.lib.env import parse_key_ring
from tests import processes
from tests.process import eventually
from vault import ring, rotation, services
from vault.models import DataKey, KeySalt
from vault.services import destroy_key, keyed_hash, open_sealed, person, seal
from vault.startup import ring_faults

ROOT = Path(__file__).resolve().parents[2]
PLACE = "t|c|1"


@pytest.fixture(autouse=True)
def fresh_keys():
    ring.forget_keys()
    services.opened.forget()
    yield
    ring.forget_keys()
    services.opened.forget()


def new_key(kid: str) -> str:
    return f"{kid}:{b64encode(secrets.token_bytes(32)).decode()}"


def use(settings, text: str) -> None:
    """This process's ring, as if it had been started with it."""
    settings.ENCRYPTION_KEYS = parse_key_ring(text)[0]
    ring.forget_keys()
    services.opened.forget()


@pytest.fixture
def rings(settings):
    """The ring of the tests, one with a new key in front, and the new key alone."""
    old, new = os.environ["ENCRYPTION_KEYS"], new_key("new1")
    return {"old": old, "both": f"{new},{old}", "new": new}


def people(number: int) -> dict[uuid.UUID, bytes]:
    """Sealed values, one for each of so many people."""
    owners = [uuid.uuid4() for _ in range(number)]
    with transaction.atomic():
        return {owner: seal(owner.bytes, person(owner), PLACE) for owner in owners}


def all_open(sealed: dict[uuid.UUID, bytes]) -> bool:
    services.opened.forget()
    return all(open_sealed(value, person(owner), PLACE) == owner.bytes for owner, value in sealed.items())


def rotate(size: int = 100) -> int:
    return sum(rotation.rewrap_all(size=size))


@pytest.mark.django_db
def test_after_a_rotation_the_old_key_is_not_needed_for_anything(settings, rings):
    sealed, hashed = people(25), keyed_hash("a", "x")
    use(settings, rings["both"])
    assert rotate(size=10) == DataKey.objects.count() and rotation.left_over() == 0
    use(settings, rings["new"])
    assert all_open(sealed) and keyed_hash("a", "x") == hashed and rotation.unopened().total() == 0


@pytest.mark.django_db
def test_the_data_keys_themselves_do_not_change(settings, rings):
    sealed = people(1)
    (owner,) = sealed
    before = services._opened(person(owner), create=False).key
    use(settings, rings["both"])
    rotate()
    assert services._opened(person(owner), create=False).key == before


@pytest.mark.django_db
def test_the_proof_finds_a_single_row_that_was_left_over(settings, rings):
    people(30)
    use(settings, rings["both"])
    rotate()
    assert rotation.left_over() == 0
    row = DataKey.objects.order_by("?").first()
    row.kid, row.wrapped = "test1", b"\0" * 60
    row.save(update_fields=["kid", "wrapped"])
    assert rotation.left_over() == 1 and rotation.wrapped_by()["test1"].total() == 1
    assert rotation.retire_unused() == []


@pytest.mark.django_db
def test_the_proof_finds_a_row_that_names_the_new_key_and_is_wrapped_by_the_old_one(settings, rings):
    sealed = people(3)
    use(settings, rings["both"])
    kept = dict(DataKey.objects.values_list("pk", "wrapped"))
    rotate()
    row = DataKey.objects.get(owner_id=next(iter(sealed)))
    DataKey.objects.filter(pk=row.pk).update(wrapped=kept[row.pk])
    assert rotation.left_over() == 0 and rotation.unopened() == {"new1": 1}


@pytest.mark.django_db
def test_a_salt_that_this_process_remembers_and_the_database_no_longer_has_wraps_nothing(settings, rings):
    """As after a restore under a running process: what it wrapped by the old salt nobody could open."""
    sealed = people(2)
    use(settings, rings["both"])
    ring.master_key("new1")
    ring._salts["new1"] = KeySalt.objects.get(kid="new1").salt
    KeySalt.objects.filter(kid="new1").update(salt=secrets.token_bytes(32))
    rotate()
    use(settings, rings["new"])
    assert all_open(sealed)


@pytest.mark.django_db
def test_a_damaged_row_is_left_as_it_is_and_does_not_stop_the_others(settings, rings):
    sealed = people(12)
    DataKey.objects.filter(owner_id=min(sealed)).update(wrapped=b"\1" * 60)
    use(settings, rings["both"])
    assert rotate(size=5) == DataKey.objects.count() - 1 and rotation.left_over() == 1
    assert bytes(DataKey.objects.get(owner_id=min(sealed)).wrapped) == b"\1" * 60


@pytest.mark.django_db(transaction=True)
def test_a_key_destroyed_in_the_middle_of_a_batch_does_not_come_back(settings, rings, monkeypatch):
    """Without the row locks the rotation would write back what it had read before."""
    sealed = people(3)
    victim = min(sealed)
    use(settings, rings["both"])
    real, destroyed = ring.wrap, threading.Event()

    def erase() -> None:
        destroy_key(person(victim))
        connection.close()
        destroyed.set()

    def slow(*args):
        if not erasing.is_alive() and not destroyed.is_set():
            erasing.start()
            assert eventually(lambda: destroyed.is_set() or processes.somebody_waits(), within=60)  # with the locks: for our commit
        return real(*args)

    erasing = threading.Thread(target=erase)
    monkeypatch.setattr(ring, "wrap", slow)
    rotate()
    erasing.join(60)
    row = DataKey.objects.get(owner_id=victim)
    assert row.destroyed_at is not None and bytes(row.wrapped) == b""


@pytest.mark.django_db
def test_a_key_that_was_destroyed_before_counts_for_nothing(settings, rings):
    sealed = people(2)
    destroy_key(person(min(sealed)))
    use(settings, rings["both"])
    rotate()
    assert rotation.left_over() == 0 and DataKey.objects.filter(kid="test1").count() == 1
    assert rotation.retire_unused() == ["test1"]


@pytest.mark.django_db
def test_no_process_with_an_old_ring_wraps_by_a_retired_key(settings, rings):
    """The trigger on the table keeps the proof true; without it a data key would be made that nobody can open afterwards."""
    people(2)
    use(settings, rings["both"])
    rotate()
    assert rotation.retire_unused() == ["test1"] and rotation.retire_unused() == []
    use(settings, rings["old"])
    with pytest.raises(DatabaseError, match="test1 is retired"), transaction.atomic():
        seal(b"x", person(uuid.uuid4()), PLACE)
    assert ring_faults()[-1].startswith("begins with test1, retired on ")
    use(settings, rings["both"])
    assert seal(b"x", person(uuid.uuid4()), PLACE)


@pytest.mark.django_db
def test_going_back_to_the_old_key_is_a_rotation_like_any_other(settings, rings):
    sealed = people(2)
    use(settings, rings["both"])
    rotate()
    rotation.retire_unused()
    use(settings, f"{rings['old']},{rings['new']}")
    rotate()
    assert rotation.retire_unused() == ["new1"] and KeySalt.objects.get(kid="test1").retired_at is None
    use(settings, rings["old"])
    assert all_open(sealed) and ring_faults() == []


@pytest.mark.django_db(transaction=True)
def test_a_key_is_not_retired_while_a_transaction_is_making_something_by_it(settings, rings):
    """Retiring waits for it, then finds the row; without the lock it would look too early."""
    people(1)
    use(settings, rings["both"])
    rotate()
    row = DataKey(kind="person", owner_id=uuid.uuid4())
    row.kid, (_, row.wrapped) = "test1", ring.wrap(bytes(32), row.associated())
    inserted, retired = threading.Event(), []

    def stale() -> None:
        with transaction.atomic():
            row.save(force_insert=True)
            inserted.set()
            assert eventually(processes.somebody_waits, within=60)
        connection.close()

    thread = threading.Thread(target=stale)
    thread.start()
    assert inserted.wait(60)
    retired += rotation.retire_unused()
    thread.join()
    assert retired == [] and rotation.left_over() == 1


# --- real processes ----------------------------------------------------------------------------------------------------

TRAFFIC = """
import json, select, uuid
from vault import services
from vault.services import open_sealed, person, seal
mine, failed, done = {}, [], 0
end = time.monotonic() + 60
while time.monotonic() < end and not done:
    try:
        owner = uuid.uuid4()
        mine[owner] = seal(owner.bytes, person(owner), "t|c|1")
        if len(mine) == 5:
            print("ready", flush=True)
        services.opened.forget()  # as if a minute had gone by
        for known, value in list(mine.items())[-20:]:
            assert open_sealed(value, person(known), "t|c|1") == known.bytes
    except Exception as error:
        failed.append(repr(error))
    done = bool(select.select([sys.stdin], [], [], 0)[0])
print(json.dumps({"failed": failed, "sealed": {str(owner): value.hex() for owner, value in mine.items()}}), flush=True)
"""
ROTATE = "from vault import rotation; print(sum(rotation.rewrap_all(size={size})), flush=True)"
# in the middle of the third batch
DIES = """
import signal
from vault import ring, rotation
wrap, calls = ring.wrap, iter(range(13))
ring.wrap = lambda *given: wrap(*given) if next(calls, None) is not None else os.kill(os.getpid(), signal.SIGKILL)
for done in rotation.rewrap_all(size=5):
    print(done, flush=True)
"""


def start(script: str, keys: str) -> processes.Process:
    (process,) = processes.start(script, ENCRYPTION_KEYS=keys)
    return process


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_nobody_fails_to_open_anything_while_the_keys_rotate(settings, rings):
    """Three processes seal and open all the time; one of them still wraps by the old key, as in the middle of a roll-out."""
    sealed = people(400)
    late = f"{rings['old']},{rings['new']}"
    traffic = [start(TRAFFIC, keys) for keys in (rings["both"], rings["both"], late)]
    for process in traffic:
        assert process.stdout.readline() == "ready\n"
    rotating = start(ROTATE.format(size=7), rings["both"])
    assert int(rotating.communicate(timeout=120)[0]) >= 400
    for process in traffic:
        process.stdin.write("x")
        process.stdin.flush()
    told = [json.loads(process.communicate(timeout=60)[0]) for process in traffic]
    assert [one["failed"] for one in told] == [[], [], []]
    made = {uuid.UUID(owner): bytes.fromhex(value) for one in told for owner, value in one["sealed"].items()}
    assert len(made) > 10
    use(settings, rings["both"])
    rotate()  # the late process is gone: what it made by the old key is found and wrapped anew
    assert rotation.left_over() == 0 and rotation.retire_unused() == ["test1"]
    use(settings, rings["new"])
    assert all_open(sealed | made)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_rotation_killed_in_the_middle_goes_on_and_ends_right(settings, rings):
    sealed = people(60)
    printed, _errors = start(DIES, rings["both"]).communicate(timeout=60)
    assert printed == "5\n5\n"
    processes.wait_for_the_dead()
    use(settings, rings["both"])
    left = rotation.left_over()
    assert left == DataKey.objects.count() - 10 and all_open(sealed)
    assert rotate() == left and rotation.left_over() == 0
    use(settings, rings["new"])
    assert all_open(sealed) and rotation.unopened().total() == 0


# --- what starts, and what does not --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_ring_that_lacks_a_key_in_use_is_named_with_what_depends_on_it(settings, rings):
    people(3)
    count = DataKey.objects.count()
    use(settings, rings["new"])
    assert ring_faults() == [f"lacks key test1, which still wraps {count} data keys: put it back, then run manage.py rotate_keys"]


@pytest.mark.django_db
def test_another_key_under_the_same_id_is_found(settings, rings):
    people(3)
    use(settings, new_key("test1"))
    assert ring_faults() == [f"has another key under the id test1 than the one that wraps {DataKey.objects.count()} data keys"]


PROGRAMS = {
    "server": ["-c", "import aaperture.wsgi"],
    "worker": ["-m", "celery", "-A", "aaperture", "worker", "--pool", "solo"],
    "clock": ["-m", "celery", "-A", "aaperture", "beat"],
}


def run(program: str, keys: str, state: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "aaperture.settings", "ENCRYPTION_KEYS": keys, "AAPERTURE_STATE": str(state)}
    command = [sys.executable, *PROGRAMS[program]]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_that_works_with_data_starts_with_a_ring_that_does_not_fit(rings, program, tmp_path):
    people(1)
    refused = run(program, rings["new"], tmp_path)
    assert refused.returncode == 78 and "ENCRYPTION_KEYS lacks key test1" in refused.stderr
    assert rings["new"].split(":")[1] not in refused.stderr


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_server_starts_with_the_whole_ring(rings, tmp_path):
    people(1)
    assert run("server", rings["both"], tmp_path).returncode == 0
