"""What is sealed stays sealed: R-021 … R-027, R-032."""

import os
import uuid

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import transaction

from tests import processes
from vault import ring, services
from vault.errors import SealedDataError
from vault.models import DataKey, KeySalt
from vault.services import Owner, destroy_key, keyed_hash, open_sealed, organization, person, seal

pytestmark = pytest.mark.django_db
CANARY = b"canary-4711-refresh-token"


@pytest.fixture(autouse=True)
def fresh_keys():
    ring.forget_keys()
    services.opened.forget()
    yield
    ring.forget_keys()
    services.opened.forget()


def test_a_sealed_value_opens_for_its_owner_and_place():
    owner = person(uuid.uuid4())
    assert open_sealed(seal(CANARY, owner, "t|c|1"), owner, "t|c|1") == CANARY


@pytest.mark.django_db(transaction=True)
def test_ten_thousand_seals_of_one_text_are_all_different():
    owner = person(uuid.uuid4())
    sealed = [seal(CANARY, owner, "t|c|1") for _ in range(10_000)]
    assert len(set(sealed)) == len({value[1:13] for value in sealed}) == 10_000


@pytest.mark.parametrize("position", [0, 1, 12, 13, 20, -1, -16, -17])
def test_one_changed_bit_anywhere_is_one_typed_error_without_a_trace_of_the_text(position):
    owner = person(uuid.uuid4())
    sealed = bytearray(seal(CANARY, owner, "t|c|1"))
    sealed[position] ^= 1
    with pytest.raises(SealedDataError) as caught:
        open_sealed(bytes(sealed), owner, "t|c|1")
    assert "canary" not in repr(caught.value) and caught.value.__cause__ is None


def test_a_value_copied_to_another_row_column_or_owner_does_not_open():
    owner, other = person(uuid.uuid4()), person(uuid.uuid4())
    seal(b"x", other, "t|c|1")
    sealed = seal(CANARY, owner, "t|c|1")
    for wrong_owner, place in ((owner, "t|c|2"), (owner, "t|d|1"), (other, "t|c|1"), (organization(owner.id), "t|c|1")):
        with pytest.raises(SealedDataError):
            open_sealed(sealed, wrong_owner, place)


def test_an_independent_aes_256_gcm_opens_what_we_sealed():
    owner = person(uuid.uuid4())
    sealed = seal(CANARY, owner, "t|c|1")
    row = DataKey.objects.get(owner_id=owner.id)
    kid, master = settings.ENCRYPTION_KEYS[0]
    import hashlib

    stretched = hashlib.scrypt(master, salt=bytes(KeySalt.objects.get(kid=kid).salt), n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
    wrapped = bytes(row.wrapped)
    data_key = AESGCM(stretched).decrypt(wrapped[:12], wrapped[12:], f"aap1|datakey|person|{owner.id}".encode())
    assert len(data_key) == 32
    assert AESGCM(data_key).decrypt(sealed[1:13], sealed[13:], b"t|c|1") == CANARY


def test_the_same_master_key_under_another_salt_is_another_key():
    kid = settings.ENCRYPTION_KEYS[0][0]
    first = ring.master_key(kid)
    KeySalt.objects.filter(kid=kid).update(salt=os.urandom(32))
    ring.forget_keys()
    assert ring.master_key(kid) != first


def test_a_destroyed_key_opens_nothing_any_more():
    owner = person(uuid.uuid4())
    sealed = seal(CANARY, owner, "t|c|1")
    destroy_key(owner)
    services.opened.forget(owner)
    with pytest.raises(SealedDataError):
        open_sealed(sealed, owner, "t|c|1")
    with pytest.raises(SealedDataError):
        seal(CANARY, owner, "t|c|1")


def test_every_key_of_the_ring_opens_and_the_first_seals(settings):
    owner = person(uuid.uuid4())
    sealed = seal(CANARY, owner, "t|c|1")
    settings.ENCRYPTION_KEYS = [("newer", os.urandom(32)), *settings.ENCRYPTION_KEYS]
    services.opened.forget()
    assert open_sealed(sealed, owner, "t|c|1") == CANARY
    second = person(uuid.uuid4())
    seal(CANARY, second, "t|c|1")
    assert DataKey.objects.get(owner_id=second.id).kid == "newer"


def test_a_ring_without_the_key_is_one_typed_error(settings):
    owner = person(uuid.uuid4())
    sealed = seal(CANARY, owner, "t|c|1")
    settings.ENCRYPTION_KEYS = [("other", os.urandom(32))]
    ring.forget_keys()
    services.opened.forget()
    with pytest.raises(SealedDataError):
        open_sealed(sealed, owner, "t|c|1")


def test_a_new_master_key_survives_a_rollback_of_what_used_it_first(settings):
    settings.ENCRYPTION_KEYS = [("new1", bytes(range(100, 132))), *settings.ENCRYPTION_KEYS]
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        seal(CANARY, person(uuid.uuid4()), "t|c|1")
        raise ZeroDivisionError
    assert not KeySalt.objects.filter(kid="new1").exists()
    owner = person(uuid.uuid4())
    sealed = seal(CANARY, owner, "t|c|1")
    ring.forget_keys()  # as another process, which knows only what was committed
    services.opened.forget()
    assert open_sealed(sealed, owner, "t|c|1") == CANARY


def test_keyed_hashes_tell_equal_values_and_differ_by_purpose():
    assert keyed_hash("a", "x") == keyed_hash("a", "x") != keyed_hash("b", "x")
    assert keyed_hash("a", "x") != keyed_hash("a", "y") and len(keyed_hash("a", "x")) == 32


def test_no_key_is_shown_by_repr():
    owner = Owner("person", uuid.uuid4())
    seal(CANARY, owner, "t|c|1")
    key = services._opened(owner, create=False)
    assert repr(key) == "<opened key>"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_ten_processes_that_need_a_new_key_at_once_agree_on_one():
    owner = uuid.uuid4()
    script = f"import uuid; from vault.services import person, seal;print(seal(b'x', person(uuid.UUID('{owner}')), 't|c|1').hex())"
    sealed = processes.outputs(processes.start(script, times=10))
    assert DataKey.objects.filter(owner_id=owner).count() == 1
    services.opened.forget()
    assert all(open_sealed(bytes.fromhex(value), person(owner), "t|c|1") == b"x" for value in sealed)
