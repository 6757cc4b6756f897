"""Containment: blocked networks are refused on every channel, people's ways in are ended (R-200)."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import caches
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import ApiKey, ApiSession, Session
from accounts.protections import Refused
from accounts.roles import Role
from accounts.services import api_keys, tokens
from accounts.step_up import StepUpRequired
from audit.alerts import services as alerts
from audit.detectors import Severity
from audit.models import Activity, SecurityAlert
from integrations.models import Connection
from operations.containment import blocklist
from operations.models import BlockedNetwork
from operations.services import containment
from tests import processes
from tests.accounts.people import make_user, step_up
from tests.api.caller import with_key

ATTACKER, NEIGHBOUR, ELSEWHERE = "203.0.113.66", "203.0.113.67", "198.51.100.7"
ADD = "/admin/operations/blockednetwork/add/"


@pytest.fixture(autouse=True)
def _nothing_known():
    blocklist.forget()
    yield
    blocklist.forget()


@pytest.fixture
def admin(db):
    return make_user(role=Role.ADMIN)


def browser(user, *, fresh: bool = True) -> Client:
    client = Client()
    client.force_login(user)
    if fresh:
        step_up(client, user)
    return client


def request_of(user, *, fresh: bool = True, address: str = "127.0.0.1"):
    request = browser(user, fresh=fresh).get("/settings/").wsgi_request
    request.META["REMOTE_ADDR"] = address
    return request


def block(actor, network: str = ATTACKER, *, hours: int = 1, address: str = "127.0.0.1"):
    row = containment.block_network(
        network, hours=hours, reason="Guesses passwords", actor=actor, request=request_of(actor, address=address)
    )
    blocklist.publish()  # tests that roll back never commit
    return row


def status(path: str, address: str, *, client=None) -> int:
    return (client or Client()).get(path, REMOTE_ADDR=address).status_code


# --- networks ----------------------------------------------------------------------------------------------------------------


def test_a_blocked_address_is_refused_on_every_channel(admin):
    key, colleague = with_key(make_user(), "read"), browser(make_user(role=Role.ADMIN))
    key.client.defaults["REMOTE_ADDR"] = ATTACKER
    assert key.get("/api/v1/me").status_code == 200
    block(admin)
    for path in ("/", "/accounts/login/", "/privacy/", "/api/v1/me", "/health/live", "/static/css/app.css", "/no-such-page/"):
        assert status(path, ATTACKER) == 403, path
    assert status("/admin/", ATTACKER, client=colleague) == 403
    assert key.get("/api/v1/me").json()["code"] == "network_blocked"
    assert Client().post("/api/auth/login", "{}", content_type="application/json", REMOTE_ADDR=ATTACKER).status_code == 403
    assert status("/privacy/", NEIGHBOUR) == status("/privacy/", ELSEWHERE) == 200


def test_the_refusal_has_every_header_and_speaks_the_readers_language(admin):
    block(admin)
    answer = Client().get("/", REMOTE_ADDR=ATTACKER, headers={"Accept": "text/html", "Accept-Language": "fr"})
    assert "bloqué" in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()
    assert "default-src 'self'" in answer["Content-Security-Policy"] and "no-store" in answer["Cache-Control"]


def test_a_blocked_network_is_refused_whole_and_an_ipv6_one_too(admin):
    block(admin, "203.0.113.0/24")
    block(admin, "2001:db8:1::/48")
    assert status("/privacy/", NEIGHBOUR) == status("/privacy/", "2001:db8:1:2::3") == status("/privacy/", "::ffff:203.0.113.9") == 403
    assert status("/privacy/", ELSEWHERE) == status("/privacy/", "2001:db8:2::3") == 200


def test_a_block_ends_by_itself_and_when_it_is_lifted(admin):
    row = block(admin)
    with time_machine.travel(timezone.now() + timedelta(hours=1, minutes=1), tick=True):
        assert status("/privacy/", ATTACKER) == 200
    assert status("/privacy/", ATTACKER) == 403
    assert containment.unblock_network(row, actor=admin, request=request_of(admin))
    blocklist.publish()
    assert status("/privacy/", ATTACKER) == 200
    assert list(Activity.objects.filter(action__startswith="network.").order_by("recorded_at").values_list("action", flat=True)) == [
        "network.blocked", "network.unblocked",
    ]  # fmt: skip


@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.0/16", "::1", "0.0.0.0", "198.51.100.7", "198.51.100.0/24", "::ffff:198.51.100.7"])
def test_nobody_locks_themselves_or_this_machine_out(admin, own):
    with pytest.raises(ValidationError):
        block(admin, own, address=ELSEWHERE)
    assert not BlockedNetwork.objects.exists()


def test_our_own_proxies_cannot_be_blocked(admin, settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/24"]
    with pytest.raises(ValidationError):
        block(admin, "10.0.0.5")


@pytest.mark.parametrize("text", ["", "everybody", "0.0.0.0/0", "10.0.0.0/8", "2000::/3", "203.0.113.66/33", "203.0.113"])
def test_what_is_no_network_or_half_a_country_is_refused(admin, text):
    with pytest.raises(ValidationError):
        block(admin, text)


def test_loopback_is_never_refused_even_if_the_table_says_so(admin):
    BlockedNetwork.objects.create(network="127.0.0.1/32", reason="by hand", created_by=admin.pk, ends_at=timezone.now() + timedelta(1))
    blocklist.publish()
    assert status("/privacy/", "127.0.0.1") == 200


def test_the_same_network_is_blocked_once_and_again_after_its_end(admin):
    block(admin)
    with pytest.raises(ValidationError):
        block(admin)
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=True):
        block(admin)
    assert BlockedNetwork.objects.count() == 2


def test_a_process_that_finds_no_copy_in_valkey_reads_the_table(admin):
    block(admin)
    caches["locks"].clear()
    blocklist.forget()
    assert status("/privacy/", ATTACKER) == 403


def test_a_process_goes_on_with_what_it_knew_when_valkey_is_emptied(admin, monkeypatch, django_assert_num_queries):
    block(admin)
    caches["locks"].clear()
    monkeypatch.setattr(blocklist, "EVERY", 0)
    with django_assert_num_queries(0):
        assert blocklist.is_blocked(ATTACKER)


def test_asking_costs_no_query_and_one_look_in_two_seconds(admin, monkeypatch, django_assert_num_queries):
    block(admin)
    with django_assert_num_queries(0):
        assert blocklist.is_blocked(ATTACKER) and not blocklist.is_blocked(NEIGHBOUR)
    caches["locks"].set(blocklist.KEY, "[]", timeout=None)
    assert blocklist.is_blocked(ATTACKER)
    monkeypatch.setattr(blocklist, "EVERY", 0)
    assert not blocklist.is_blocked(ATTACKER)


def test_the_tick_publishes_the_table_and_forgets_blocks_long_over(admin):
    row = block(admin)
    caches["locks"].clear()
    assert containment.keep_blocklist() == 1
    BlockedNetwork.objects.filter(pk=row.pk).update(ends_at=timezone.now() - timedelta(days=31))
    assert containment.keep_blocklist() == 0 and not BlockedNetwork.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_another_process_refuses_within_seconds():
    code = (
        "from operations.containment import blocklist\n"
        f"assert not blocklist.is_blocked('{ATTACKER}')\nprint('ready', flush=True)\nend = time.monotonic() + 60\n"
        f"while not blocklist.is_blocked('{ATTACKER}') and time.monotonic() < end: time.sleep(0.1)\n"
        f"print(blocklist.is_blocked('{ATTACKER}'), flush=True)"
    )
    admin = make_user(role=Role.ADMIN)
    (other,) = processes.start(code)
    try:
        assert other.stdout.readline() == "ready\n"
        containment.block_network(ATTACKER, hours=1, reason="Guesses passwords", actor=admin, request=request_of(admin))
        assert other.stdout.readline() == "True\n" and blocklist.EVERY <= 3, "it looks again every few seconds"
    finally:
        other.kill()
        other.wait()


# --- who may ------------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role.values)
def test_who_blocks_networks(role):
    user = make_user(role=role)
    if role in {"admin", "developer"}:
        assert block(user).pk
    else:
        with pytest.raises(PermissionDenied):
            block(user)


def test_every_act_asks_for_a_fresh_proof(admin):
    person, stale = make_user(), request_of(admin, fresh=False)
    with pytest.raises(StepUpRequired):
        containment.block_network(ATTACKER, hours=1, reason="Guesses", actor=admin, request=stale)
    for act in containment.ACTS.values():
        with pytest.raises(StepUpRequired):
            act.do(admin, person, stale)


def test_nobody_contains_whom_they_may_not_touch(admin):
    developer, viewer = make_user(role=Role.DEVELOPER), make_user(role=Role.VIEWER)
    for act in containment.ACTS.values():
        with pytest.raises(Refused):
            act.do(developer, admin, request_of(developer))
        with pytest.raises(Refused):
            act.do(viewer, make_user(), request_of(viewer))
        with pytest.raises(Refused):
            act.do(admin, admin, request_of(admin))


# --- people -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(db):
    user = make_user()
    browser(user)
    tokens.open_session(user, RequestFactory().get("/"), second_factor=True)
    api_keys.create(user, name="Backup", scopes=["read"], days=30)
    Connection.objects.create(provider="gmail", provider_subject="theirs", owner=user, status=Connection.Status.ACTIVE)
    return user


def test_all_sessions_of_a_person_end(admin, person):
    assert containment.end_sessions(admin, person, request_of(admin)) == 2
    assert not Session.objects.filter(user=person).exists() and not ApiSession.objects.filter(user=person, ended_at=None).exists()


def test_a_persons_keys_and_connections_are_revoked(admin, person):
    assert containment.revoke_access(admin, person, request_of(admin)) == 2
    assert ApiKey.objects.get(user=person).revoked_at and Connection.objects.get().status == Connection.Status.REVOKED
    ends = Activity.objects.filter(action__in=["api_key.revoked", "connection.revoked"])
    assert {row.actor_id for row in ends} == {admin.pk} and len(ends) == 2


def test_a_suspended_account_is_out_everywhere(admin, person):
    containment.suspend(admin, person, request_of(admin))
    person.refresh_from_db()
    assert not person.is_active and not Session.objects.filter(user=person).exists()


# --- the console -----------------------------------------------------------------------------------------------------------------


def test_a_network_is_blocked_and_answered_again_in_the_console(admin):
    client = browser(admin)
    form = {"network": ATTACKER, "hours": "24", "reason": "Guesses passwords"}
    assert client.get(ADD).status_code == 200
    assert client.post(ADD, {**form, "network": "127.0.0.1"}).status_code == 200  # with what is wrong
    assert client.post(ADD, form).status_code == 302
    row = BlockedNetwork.objects.get()
    assert (row.network, row.created_by) == (f"{ATTACKER}/32", admin.pk)
    assert ATTACKER in client.get("/admin/operations/blockednetwork/").content.decode()
    assert client.post(f"/admin/operations/blockednetwork/{row.pk}/lift/").status_code == 302
    row.refresh_from_db()
    assert row.lifted_at


def test_the_console_asks_for_a_proof_before_the_form(admin):
    answer = browser(admin, fresh=False).get(ADD)
    assert answer.status_code == 302 and "reauthenticate" in answer["Location"]


@pytest.mark.parametrize(
    ("role", "sees", "blocks"), [("executor", 200, 403), ("viewer", 403, 403), ("executive", 403, 403), ("developer", 200, 200)]
)
@pytest.mark.django_db
def test_who_sees_and_who_changes_the_list(role, sees, blocks):
    client = browser(make_user(role=role))
    assert client.get("/admin/operations/blockednetwork/").status_code == sees
    assert client.get(ADD).status_code == blocks


@pytest.mark.parametrize("act", containment.ACTS)
def test_a_person_behind_an_alert_is_contained_from_its_page(admin, person, act):
    alerts.report("chain_broken", severity=Severity.HIGH)
    alert = SecurityAlert.objects.get()
    url = f"/admin/operations/blockednetwork/person/{person.pk}/{act}/?alert={alert.pk}"
    client = browser(admin)
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 302
    assert [note.text for note in alert.notes.filter(what="contained")] == [act]
    contained = Activity.objects.get(action="alert.contained")
    assert contained.details == {"act": act, "person_id": str(person.pk)}
    assert Activity.objects.filter(action__in=["session.ended", "api_key.revoked", "user.deactivated"], actor_id=admin.pk).exists()


def test_a_person_is_found_by_their_address_when_there_is_no_alert(admin, person):
    client = browser(admin)
    answer = client.post("/admin/operations/containment/", {"email": person.email.upper()})
    assert answer.status_code == 302 and str(person.pk) in answer["Location"]
    page = client.get(answer["Location"]).content.decode()
    assert person.email in page and "revoke_access" in page
    assert client.post("/admin/operations/containment/", {"email": "nobody@example.test"}).status_code == 200


def test_containment_is_for_those_who_may_change_accounts(client, db):
    for role, status_code in (("developer", 200), ("executor", 403), ("viewer", 403), ("member", 403)):
        assert browser(make_user(role=role)).get("/admin/operations/containment/").status_code == status_code
