"""Inbound webhooks: signed, fresh, once, stored before they are acknowledged, taken in by a run (R-170)."""

import json
import sys
import time
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.cache import caches
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaperture.lib import limits
from accounts.models import InstanceSettings
from audit.models import Activity
from integrations import engine, tasks
from integrations.connectors import inbound_webhook
from integrations.models import Connection, Delivery, Pipeline, Run, RunEvent, Transformation
from integrations.services import arrivals, configured, connections, deliveries, sources
from tests.accounts.people import make_user
from tests.processes import outputs, start

STEPS = [{"do": "map", "fields": {"name": "name"}}]


@pytest.fixture
def designer(db):
    return make_user(role="designer")


@pytest.fixture
def hook(designer):
    caches["limits"].clear()
    return configured.add("inbound_webhook", "Site", {"id": "id"}, actor=designer)


def pipeline_over(connection, **options):
    steps = Transformation.objects.create(name=f"Hook {uuid.uuid4()}", steps=STEPS)
    return Pipeline.objects.create(name="Hook", connection=connection, transformation=steps, destination="dataset", **options)


def post(hook, body, *, secret=None, at=None, signature=None, pk=None, **headers):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(int(time.time() if at is None else at))
    signature = signature or deliveries.signature_of(secret or deliveries.secrets_of(hook)[0], stamp, body)
    headers = {"X-Timestamp": stamp, "X-Signature": signature} | headers
    path = reverse("integrations:hook", args=[pk or hook.pk])
    return Client(headers=headers).post(path, body, content_type="application/json")


def without_id(response):
    return response.status_code, {name: value for name, value in response.json().items() if name != "request_id"}


@pytest.mark.django_db
def test_a_signed_delivery_is_stored_sealed_acknowledged_and_taken_in_once(hook, designer, monkeypatch):
    pipeline, woken = pipeline_over(hook), []
    monkeypatch.setattr("integrations.views.hooks.nudge", lambda _task, pk: woken.append(pk))
    assert (
        post(hook, {"id": 1, "name": "Quokka"}).status_code
        == post(hook, [{"id": 2, "name": "B"}, {"id": 3, "name": "C"}]).status_code
        == 202
    )
    assert woken == [hook.pk]  # once for a while
    sealed = [bytes(value.data) for value in Delivery.objects.values_list("body", flat=True)]
    assert len(sealed) == 2 and not any(b"Quokka" in body for body in sealed)
    assert connections.check_connection(hook, actor=designer) == ""
    post(hook, b"no json")
    post(hook, [{"name": "nameless"}, 7, {"id": 4, "name": "D"}])
    (run_id,) = arrivals.queue_waiting()
    engine.execute(run_id)
    run = Run.objects.get()
    assert {row.item_id: row.data["name"] for row in pipeline.rows.all()} == {"1": "Quokka", "2": "B", "3": "C", "4": "D"}
    assert (run.status, run.trigger, run.counts["quarantined"]) == ("succeeded", "arrival", 3)
    assert sorted(RunEvent.objects.values_list("code", flat=True)) == ["hook_no_record", "hook_no_record", "hook_unreadable"]
    assert (
        not Delivery.objects.waiting().exists()
        and not Delivery.objects.filter(body__isnull=False).exists()
        and not arrivals.queue_waiting()
    )
    Delivery.objects.update(applied_at=timezone.now() - timedelta(minutes=16))
    tasks.keep_datasets()
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_every_refusal_is_the_same(hook, designer):
    pipeline_over(hook)
    other = configured.add("inbound_webhook", "Other", {}, actor=designer)
    gone = configured.add("inbound_webhook", "Gone", {}, actor=designer)
    secret = deliveries.secrets_of(gone)[0]
    connections.disconnect(gone, actor=designer)
    good, now = {"id": 1}, time.time()
    refused = [
        post(hook, good, secret="guessed"), post(hook, good, secret=deliveries.secrets_of(other)[0]), post(hook, good, at=now - 301),
        post(hook, good, at=time.time() + 310), post(hook, good, signature="v1=" + "0" * 64), post(hook, good, signature="v0=1"),
        post(hook, good, **{"X-Timestamp": ""}), post(hook, good, **{"X-Timestamp": "9" * 500}), post(hook, good, pk=uuid.uuid4()),
        post(gone, good, secret=secret), post(hook, b"x" * (deliveries.LARGEST + 1)), post(hook, b"\xff\xfe"),
    ]  # fmt: skip
    assert {repr(without_id(response)) for response in refused} == {repr((401, {"detail": "Refused", "code": "refused"}))}
    assert not Delivery.objects.exists()
    reasons = set(Activity.objects.filter(action="webhook.refused").values_list("details__reason", flat=True))
    assert reasons == {"signature", "timestamp", "size", "encoding"}
    assert Client().get(reverse("integrations:hook", args=[hook.pk])).status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize("forgotten", ["nothing", "valkey", "taken in"])
def test_a_replay_is_refused_though_valkey_forgot_it(hook, forgotten):
    pipeline_over(hook)
    at = time.time()
    assert post(hook, {"id": 1}, at=at).status_code == 202
    if forgotten != "nothing":
        caches["limits"].clear()
    if forgotten == "taken in":
        engine.execute(arrivals.queue_waiting()[0])
    assert post(hook, {"id": 1}, at=at).status_code == 401 and Delivery.objects.count() == 1
    assert post(hook, {"id": 1}, at=at - 1).status_code == 202  # signed anew


@pytest.mark.django_db
def test_two_secrets_are_good_while_one_replaces_the_other(hook, designer):
    first = deliveries.secrets_of(hook)[0]
    second = deliveries.rotate(hook, actor=designer)
    hook.refresh_from_db()
    assert [post(hook, {"id": n}, secret=one).status_code for n, one in enumerate((first, second, "third"))] == [202, 202, 401]
    third = deliveries.rotate(hook, actor=designer)
    assert [post(hook, {"id": n}, secret=one).status_code for n, one in enumerate((first, second, third), 3)] == [401, 202, 202]
    hook.refresh_from_db()
    hook.secret = f"{third}\n{second} {(timezone.now() - timedelta(seconds=1)).isoformat()}"
    hook.save()
    assert post(hook, {"id": 9}, secret=second).status_code == 401
    deliveries.end_former(hook, actor=designer)
    hook.refresh_from_db()
    assert deliveries.secrets_of(hook) == [third] and third not in str(list(Activity.objects.values_list("details", flat=True)))
    configured.change(hook, "Renamed", {"id": "ref"}, actor=designer)
    hook.refresh_from_db()
    assert deliveries.secrets_of(hook) == [third] and hook.config["id"] == "ref"
    for role in ("executor", "viewer", "member"):
        with pytest.raises(PermissionDenied):
            deliveries.rotate(hook, actor=make_user(role=role))


@pytest.mark.django_db
def test_too_many_wait_and_what_no_pipeline_took_is_taken_by_the_first_or_goes_after_a_week(hook, monkeypatch):
    assert post(hook, {"id": 1, "name": "early"}).status_code == 202
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=6))
    tasks.keep_datasets()
    pipeline = pipeline_over(hook)
    engine.execute(arrivals.queue_waiting(hook.pk)[0])
    assert pipeline.rows.get().data == {"name": "early"}
    post(hook, {"id": 2})
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=8))
    tasks.keep_datasets()
    assert not Delivery.objects.waiting().exists()
    monkeypatch.setattr(deliveries, "PER_MINUTE", 3)
    answers = [post(hook, {"id": n}) for n in range(5)]
    assert answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) > 0
    before = Delivery.objects.count()
    monkeypatch.setattr(limits, "take", _valkey_is_down)
    assert post(hook, {"id": 99}).status_code == 503 and Delivery.objects.count() == before  # nothing is stored that cannot be told apart


@pytest.mark.django_db
def test_what_nobody_would_take_in_is_refused_at_the_door_and_the_owner_told(monkeypatch):
    caches["limits"].clear()
    owner = make_user()
    own = sources.add(owner, "inbound_webhook", "Mine", {}, destination="dataset")
    web, page = Client(), reverse("integrations:source", args=[own.pk])
    web.force_login(owner)
    InstanceSettings.objects.create(pk=1, premium_for="nobody")
    assert without_id(post(own, {"id": 1}, secret="guessed"))[0] == 401  # only who signs rightly learns more
    assert post(own, {"id": 1}).status_code == 403 and post(own, {"id": 1}).json()["code"] == "not_entitled"
    assert not Delivery.objects.exists() and "reads by itself for those who contribute" in web.get(page).content.decode()
    InstanceSettings.objects.update(premium_for="everyone")
    assert post(own, {"id": 1}).status_code == 202
    engine.execute(arrivals.queue_waiting()[0])
    assert "reads by itself" not in web.get(page).content.decode()
    post(own, {"id": 2})
    Delivery.objects.filter(applied_at=None).update(received_at=timezone.now() - timedelta(days=8))
    arrivals.sweep()
    assert "nothing read it for a week" in web.get(page).content.decode()
    assert set(Activity.objects.values_list("details__reason", flat=True)) >= {"hook_not_entitled"}


@pytest.mark.django_db
@pytest.mark.parametrize("bound", ["MOST_WAITING", "MOST_BYTES"])
def test_no_more_waits_than_may(hook, monkeypatch, bound):
    pipeline_over(hook)
    monkeypatch.setattr(deliveries, "COUNTED", 0)  # anew for each
    monkeypatch.setattr(deliveries, bound, 2 if bound == "MOST_WAITING" else 2000)
    assert [post(hook, {"id": n, "name": "x" * 1000}).status_code for n in range(3)] == [202, 202, 429]
    refused = post(hook, {"id": 4})
    assert refused.json()["code"] == "inbox_full" and refused["Retry-After"] == "60" and Delivery.objects.count() == 2
    hook.refresh_from_db()
    assert (hook.status, hook.error_code) == ("active", "hook_full")
    engine.execute(arrivals.queue_waiting()[0])
    hook.refresh_from_db()
    assert hook.error_code == "" and post(hook, {"id": 4}).status_code == 202


@pytest.mark.django_db
def test_who_may_see_a_webhook_and_not_change_it_is_refused_and_to_others_it_does_not_exist(hook, designer):
    page = reverse("integrations:hook_secret", args=[hook.pk])
    found = {}
    for role in ("admin", "designer", "executor", "viewer", "executive", "member"):
        web = Client()
        web.force_login(designer if role == "designer" else make_user(role=role))
        found[role] = (web.get(page).status_code, web.post(page, {"act": "rotate"}).status_code)
    changes, sees, neither = (200, 201), (403, 403), (404, 404)  # rbac.yaml, connectors: edit, view
    assert found == {
        "admin": changes, "designer": changes, "executor": sees, "viewer": sees, "executive": neither, "member": neither,
    }  # fmt: skip


@pytest.mark.django_db
def test_who_knocks_without_end_does_not_fill_the_log(hook, monkeypatch):
    monkeypatch.setattr("integrations.views.hooks.RECORDED", 2)
    assert {post(hook, {"id": n}, secret="guessed").status_code for n in range(4)} == {401}
    assert Activity.objects.filter(action="webhook.refused").count() == 2


@pytest.mark.django_db
def test_large_deliveries_are_opened_a_few_at_a_time(hook, monkeypatch):
    pipeline_over(hook)
    for n in range(5):
        post(hook, {"id": n, "name": "x" * (5000 if n == 0 else 1000)})
    monkeypatch.setattr(deliveries, "AT_ONCE", 2500)
    inbox, taken, after = deliveries.HeldInbox(hook, None), [], ""
    while found := inbox.take(after, 500):
        after = found[-1][0]
        taken.append([json.loads(body)["id"] for _name, body in found])
    assert taken == [[0], [1, 2], [3, 4]]


def _valkey_is_down(_keys):
    from redis import ConnectionError as Down

    raise Down


@pytest.mark.parametrize("name", ["", "to_string(@)"])
def test_what_is_just_too_deep_is_left_alone_and_stops_nobody_elses(name):
    """Reading goes a level or two deeper than writing: such a delivery would fail every run, and all that wait behind it."""
    depths = range(sys.getrecursionlimit() - 140, sys.getrecursionlimit() - 40)
    waiting = [(str(n), '{"a":' * n + "1" + "}" * n) for n in depths]
    held = SimpleNamespace(take=lambda after, _most: [] if after else waiting, settle=lambda _names: None)
    connector = inbound_webhook.InboundWebhookConnector({"id": name}, "", stopping=lambda _seconds: False, held=held)
    (batch,) = connector.read("")
    assert len(batch.records) + len(batch.faults) == len(depths) and {"hook_unreadable", "hook_no_record"} == {
        one.code for one in batch.faults
    }


@pytest.mark.django_db
def test_a_pipeline_that_failed_rests_a_little(hook):
    pipeline = pipeline_over(hook)
    post(hook, {"id": 1})
    (run_id,) = arrivals.queue_waiting()
    assert not arrivals.queue_waiting()  # one is waiting already
    for ended in ("failed", "cancelled"):
        Run.objects.filter(pk=run_id).update(status=ended, finished_at=timezone.now())
        assert not arrivals.queue_waiting()
    Run.objects.filter(pk=run_id).update(finished_at=timezone.now() - arrivals.REST)
    assert arrivals.queue_waiting()
    pipeline.runs.all().delete()
    Pipeline.objects.update(enabled=False)
    assert not arrivals.queue_waiting()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_same_delivery_at_the_same_instant_is_stored_once():
    caches["limits"].clear()
    hook = configured.add("inbound_webhook", "Site", {}, actor=make_user(role="designer"))
    pipeline_over(hook)
    body, stamp = b'{"id": 1}', str(int(time.time()))
    code = """
from django.core.cache import caches
from integrations.services import deliveries
caches["limits"].get = lambda _name: None  # all of them looked before any had stored
try:
    deliveries.receive(os.environ["HOOK"], body=os.environ["BODY"].encode(), timestamp=os.environ["STAMP"], signature=os.environ["SIGNED"])
    print("stored")
except deliveries.DeliveryRefused as refusal:
    print(refusal.code)
"""
    signed = deliveries.signature_of(deliveries.secrets_of(hook)[0], stamp, body)
    printed = outputs(start(code, times=4, HOOK=str(hook.pk), BODY=body.decode(), STAMP=stamp, SIGNED=signed))
    assert sorted(printed) == ["replay", "replay", "replay", "stored"] and Delivery.objects.count() == 1
    assert Connection.objects.count() == 1
