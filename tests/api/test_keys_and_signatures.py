"""Keys: scopes, expiry, revocation, and the signature of critical calls (R-147, R-148)."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches
from django.utils import timezone

from accounts.models import ApiKey
from accounts.services import api_keys
from audit.models import Activity
from tests.accounts.people import make_user
from tests.api.caller import Caller, signature, with_key, with_token

pytestmark = pytest.mark.django_db
ME, KEYS = "/api/v1/me", "/api/v1/api-keys"


def test_a_key_is_recognisable_stored_as_a_hash_and_shown_once():
    caller = with_token(make_user(), stepped_up=True)
    made = caller.post(KEYS, {"name": "Backup", "scopes": ["read"], "days": 30})
    assert made.status_code == 201 and re.fullmatch(r"aap_live_[0-9a-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", made.body["key"])
    row = ApiKey.objects.get()
    assert made.body["key"].startswith(row.prefix) and made.body["key"].encode() not in bytes(row.key_hash)
    assert row.signing_secret == made.body["signing_secret"]
    for answer in (caller.get(KEYS), caller.get(f"{KEYS}/{row.pk}")):
        assert made.body["key"] not in answer.content.decode() and made.body["signing_secret"] not in answer.content.decode()
    assert made.body["key"] not in str(list(Activity.objects.values_list("details", flat=True)))


def test_a_misspelt_key_costs_no_query(django_assert_num_queries):
    raw = with_key(make_user()).headers["X-API-Key"]
    with django_assert_num_queries(0):
        assert api_keys.find(raw[:-1] + ("a" if raw[-1] != "a" else "b")) is None and api_keys.find("x" * 5000) is None
    with django_assert_num_queries(1):
        assert api_keys.find(raw) is not None


def test_each_scope_opens_its_own_half():
    user = make_user()
    reader, writer = with_key(user, "read"), with_key(user, "write")
    assert reader.get(ME).status_code == 200 and writer.patch(ME, {"name": "Sam"}).status_code == 200
    for answer in (reader.patch(ME, {"name": "Kim"}), writer.get(ME)):
        assert answer.status_code == 403 and answer.body["code"] == "scope_missing"
    assert Activity.objects.filter(action="permission.denied", credential="api_key").count() == 2


def test_a_key_ends_by_itself_and_at_once_when_revoked():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        user = make_user()
        short, other = with_key(user, days=1), with_key(user)
        clock.shift(24 * 3600 - 1)
        assert short.get(ME).status_code == 200
        clock.shift(2)
        assert short.get(ME).status_code == 401 and short.get(ME).body["code"] == "key_invalid"
        assert with_token(user).delete(f"{KEYS}/{other.key.pk}").status_code == 204
        assert other.get(ME).status_code == 401


@pytest.mark.parametrize("days", [0, 366, -1, 1.5, "x", None])
def test_a_key_lasts_one_to_365_days(days):
    answer = with_token(make_user(), stepped_up=True).post(KEYS, {"name": "x", "scopes": ["read"], "days": days})
    assert answer.status_code == 400 and list(answer.body["errors"]) == ["days"]


def test_last_used_is_written_once_a_minute():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        machine = with_key(make_user())
        machine.get(ME)
        first = ApiKey.objects.get().last_used_at
        clock.shift(59)
        machine.get(ME)
        assert ApiKey.objects.get().last_used_at == first
        clock.shift(1)
        machine.get(ME)
        assert ApiKey.objects.get().last_used_at == first + timedelta(seconds=60)


def test_a_key_makes_no_keys():
    machine = with_key(make_user())
    answer = machine.post(KEYS, {"name": "Another", "scopes": ["write"], "days": 30})
    assert answer.status_code == 403 and answer.body["code"] == "step_up_required" and ApiKey.objects.count() == 1


# --- signatures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine():
    caller = with_key(make_user())
    caller.other = f"{KEYS}/{with_key(caller.key.user).key.pk}"
    return caller


def refused(answer, code):
    assert answer.status_code == 401 and answer.body["code"] == code
    return True


def test_a_critical_call_needs_a_signature_and_an_everyday_one_does_not(machine):
    assert machine.patch(ME, {"name": "Sam"}, signed=False).status_code == 200
    assert refused(machine.delete(machine.other, signed=False), "signature_missing")
    assert machine.delete(machine.other).status_code == 204


def test_a_log_in_signs_nothing():
    user = make_user()
    assert with_token(user).delete(f"{KEYS}/{with_key(user).key.pk}").status_code == 204


@pytest.mark.parametrize("change", ["method", "path", "query", "body", "timestamp", "nonce", "secret"])
def test_a_signature_holds_for_one_call_exactly(change):
    machine = with_key(make_user(role="admin"))
    path, body = "/api/v1/settings", b'{"registration_open": true}'
    other = {"method": "PUT", "path": "/api/v1/users", "query": f"{path}?a=1"}
    made = signature(
        "another-secret" if change == "secret" else machine.secret,
        other["method"] if change == "method" else "PATCH",
        other[change] if change in {"path", "query"} else path,
        b'{"registration_open": false}' if change == "body" else body,
    )
    made |= {"timestamp": {"X-Timestamp": str(int(made["X-Timestamp"]) + 1)}, "nonce": {"X-Nonce": "n" * 32}}.get(change, {})
    assert refused(machine.patch(path, body, headers=made, signed=False), "signature_invalid")
    assert machine.patch(path, body).status_code == 200


def test_a_signature_works_once(machine):
    headers = signature(machine.secret, "DELETE", machine.other)
    assert machine.delete(machine.other, headers=headers).status_code == 204
    assert refused(machine.delete(machine.other, headers=headers), "nonce_used")
    row = Activity.objects.get(action="signature.refused")
    assert row.details == {"reason": "nonce_used"} and row.target_id == str(machine.key.pk) and row.actor_id == machine.key.user_id


@pytest.mark.parametrize(("seconds", "accepted"), [(-300, True), (300, True), (-302, False), (302, False)])
def test_the_clock_may_be_five_minutes_off(machine, seconds, accepted):
    with time_machine.travel(timezone.now(), tick=False):
        headers = signature(machine.secret, "DELETE", machine.other, at=timezone.now().timestamp() + seconds)
        answer = machine.delete(machine.other, headers=headers)
    assert answer.status_code == 204 if accepted else refused(answer, "signature_expired")


def test_a_nonce_is_remembered_for_longer_than_any_clock_allows(machine):
    machine.delete(machine.other, headers=signature(machine.secret, "DELETE", machine.other, nonce="n" * 20))
    cache = caches["locks"]
    client = cache._cache.get_client("x", write=True)
    left = [client.ttl(key) for key in client.scan_iter("*nonce*")]
    assert len(left) == 1 and 650 < left[0] <= 660


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Nonce": "short"},
        {"X-Nonce": "x" * 65},
        {"X-Nonce": "a b" * 8},
        {"X-Timestamp": "now"},
        {"X-Timestamp": "-1"},
        {"X-Signature": "v1="},
    ],
)
def test_malformed_headers_are_refused(machine, headers):
    made = signature(machine.secret, "DELETE", machine.other) | headers
    assert refused(machine.delete(machine.other, headers=made), "signature_invalid")


def test_two_secrets_are_accepted_while_a_program_changes_over(machine):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        answer = with_token(machine.key.user, stepped_up=True).post(f"{KEYS}/{machine.key.pk}/rotate-secret")
        assert answer.status_code == 201
        fresh = Caller(machine.headers, answer.body["signing_secret"])
        paths = [f"{KEYS}/{with_key(machine.key.user).key.pk}" for _ in range(3)]
        assert machine.delete(paths[0]).status_code == fresh.delete(paths[1]).status_code == 204
        clock.shift(24 * 3600 + 1)
        assert refused(machine.delete(paths[2]), "signature_invalid") and fresh.delete(paths[2]).status_code == 204


def test_while_nobody_can_say_whether_it_was_seen_before_a_signed_call_is_503(machine, settings):
    settings.CACHES = settings.CACHES | {"locks": settings.CACHES["locks"] | {"LOCATION": "unix:///nonexistent.sock?db=0"}}
    answer = machine.delete(machine.other)
    assert answer.status_code == 503 and answer.body["code"] == "unavailable" and answer.headers["Retry-After"] == "30"
    assert ApiKey.objects.filter(revoked_at=None).count() == 2 and machine.get(ME).status_code == 200
