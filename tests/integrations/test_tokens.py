"""Using and renewing tokens: the owner only, five minutes ahead, once however many ask (R-007, R-070 … R-072, R-114)."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts.models import InstanceSettings
from audit.models import Activity
from integrations import google_oauth
from integrations.errors import NotConnected, OAuthUnavailable
from integrations.models import Connection
from integrations.services import tokens
from integrations.services.connections import check_connection
from tests import processes
from tests.accounts.people import make_user
from vault.services import destroy_key, opened, person

ASK = """
from integrations.models import Connection
from integrations.services import tokens
row = Connection.objects.select_related("owner").get()
print(tokens.access_token_for(row, acting_user=row.owner))
"""
WITHOUT_THE_LOCK = """
from django.db.models import QuerySet
QuerySet.select_for_update = lambda self, *_, **__: self
from integrations import google_oauth
from tests.processes import meet
refresh = google_oauth.refresh
def all_have_looked(token):
    meet(os.environ["WHERE"], str(os.getpid()), others=2)
    return refresh(token)
google_oauth.refresh = all_have_looked
"""


def expire(row: Connection, **left) -> None:
    row.expires_at = timezone.now() + timedelta(**left)
    row.save(update_fields=["expires_at"])


def refreshes(sandbox) -> int:
    return sandbox.control("GET", "/requests")["counts"].get("oauth.token.refresh_token", 0)


@pytest.mark.django_db
@pytest.mark.parametrize(("left", "renewals"), [({"minutes": 5, "seconds": 1}, 0), ({"minutes": 4, "seconds": 59}, 1), ({"hours": -2}, 1)])
def test_a_token_is_renewed_when_less_than_five_minutes_are_left(sandbox, connect, member, left, renewals):
    row = connect()
    before = row.access_token
    with time_machine.travel(timezone.now(), tick=False):
        expire(row, **left)
        given = tokens.access_token_for(row, acting_user=member)
    assert refreshes(sandbox) == renewals and (given != before) == bool(renewals)
    assert tokens.access_token_for(row, acting_user=member) == given and refreshes(sandbox) == renewals
    assert Activity.objects.filter(action="connection.token_refreshed").count() == renewals


@pytest.mark.django_db
def test_nobody_but_the_owner_gets_a_token(sandbox, connect):
    row = connect()
    for role in ("member", "admin", "developer"):
        with pytest.raises(PermissionDenied):
            tokens.access_token_for(row, acting_user=make_user(role=role))
        with pytest.raises(PermissionDenied):
            tokens.renewed_after_refusal(row, acting_user=make_user(role=role), refused="x")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_renew_once(sandbox, connect):
    expire(connect(), minutes=1)
    sandbox.control("POST", "/latency", {"ms": 300, "path": "/token"})
    given = processes.outputs(processes.start(ASK, times=3))
    assert refreshes(sandbox) == 1 and len(set(given)) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_row_lock_they_would_renew_three_times(sandbox, connect, tmp_path):
    """The proof that the test above tests something."""
    expire(connect(), minutes=1)
    processes.outputs(processes.start(WITHOUT_THE_LOCK + ASK, times=3, WHERE=str(tmp_path)))
    assert refreshes(sandbox) == 3


@pytest.mark.django_db(transaction=True)
def test_a_withdrawn_grant_asks_the_owner_once_and_keeps_the_cursor(sandbox, connect, member):
    row = connect()
    row.pipelines.update(cursor={"seen_until": 7})
    sandbox.control("POST", "/tokens/revoke", {})
    expire(row, minutes=1)
    for _ in range(3):
        with pytest.raises(NotConnected):
            tokens.access_token_for(row, acting_user=member)
    row.refresh_from_db()
    assert (row.status, row.error_code, row.access_token, row.refresh_token) == ("needs_reauth", "invalid_grant", None, None)
    assert row.pipelines.get().cursor == {"seen_until": 7}
    assert [message.to for message in mail.outbox] == [[member.email]]
    assert "/connections/" in mail.outbox[0].body and "connect" in mail.outbox[0].subject
    assert Activity.objects.filter(action="connection.needs_reauth").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_google_that_is_down_costs_nobody_the_grant(sandbox, connect, member, status):
    row = connect()
    expire(row, minutes=1)
    sandbox.control("POST", "/faults", {"status": status, "path": "/token", "count": 1})
    with pytest.raises(OAuthUnavailable):
        tokens.access_token_for(row, acting_user=member)
    row.refresh_from_db()
    assert row.status == "active" and row.refresh_token
    assert tokens.access_token_for(row, acting_user=member)


@pytest.mark.django_db
def test_the_clock_renews_what_is_due_and_only_that(sandbox, connect):
    row = connect()
    assert tokens.refresh_due() == 0
    expire(row, minutes=4)
    assert tokens.refresh_due() == 1 and tokens.refresh_due() == 0


@pytest.mark.django_db
def test_the_clock_drops_the_keys_of_who_is_no_longer_premium(sandbox, connect):
    row = connect()
    row.pipelines.get().runs.update(status="succeeded")
    expire(row, minutes=4)
    InstanceSettings(premium_for="nobody").save()
    assert tokens.refresh_due() == 0 and refreshes(sandbox) == 0
    row.refresh_from_db()
    assert (row.status, row.refresh_token, row.access_token) == ("paused", None, None)


@pytest.mark.django_db
def test_the_key_of_one_scan_does_not_outlive_its_hour(sandbox, connect):
    """Its worker may have died before it could drop the key."""
    InstanceSettings(premium_for="nobody").save()
    row = connect()
    row.pipelines.get().runs.update(status="failed")
    tokens.refresh_due()
    row.refresh_from_db()
    assert row.access_token
    expire(row, seconds=-1)
    tokens.refresh_due()
    row.refresh_from_db()
    assert (row.status, row.access_token) == ("paused", None)


@pytest.mark.django_db
def test_a_refused_token_is_renewed_once_for_all_who_held_it(sandbox, connect, member):
    row = connect()
    refused = row.access_token
    fresh = tokens.renewed_after_refusal(row, acting_user=member, refused=refused)
    assert fresh != refused and tokens.renewed_after_refusal(row, acting_user=member, refused=refused) == fresh
    assert refreshes(sandbox) == 1


@pytest.mark.django_db
def test_the_owner_can_test_a_connection(sandbox, connect, member):
    row = connect()
    assert check_connection(row, actor=member) == ""
    sandbox.control("POST", "/tokens/expire", {})
    assert check_connection(row, actor=member) == "" and refreshes(sandbox) == 1
    sandbox.control("POST", "/tokens/revoke", {})
    assert check_connection(row, actor=member) == "invalid_grant"


@pytest.mark.django_db
def test_one_connection_that_cannot_be_opened_does_not_keep_the_others_from_being_renewed(monkeypatch):
    answer = google_oauth.TokenAnswer("new", "", "", timezone.now() + timedelta(hours=1), ())
    monkeypatch.setattr(tokens.google_oauth, "refresh", lambda _token: answer)
    owners = [make_user() for _ in range(3)]
    for owner in owners:
        Connection.objects.create(
            owner=owner, provider="gmail", provider_subject="1", access_token="old", refresh_token="kept", renewable=True,
            status=Connection.Status.ACTIVE, expires_at=timezone.now(),
        )  # fmt: skip
    destroy_key(person(owners[1].pk))
    opened.forget()
    assert tokens.refresh_due() == 2
