"""A person's own sources: added in the browser, fed, read, looked through, exported, emptied, disconnected; nobody else's business."""

import json
import time
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import InstanceSettings
from audit.models import Activity
from integrations import engine
from integrations.models import Connection, Pipeline, Run, Transformation, TransformationVersion
from integrations.services import arrivals, deliveries, pipelines, sources
from operations.privacy.own_data import PARTS, records
from studio.models import Contact
from tests.accounts.people import make_user

pytestmark = pytest.mark.django_db


def url(name, *args):
    return reverse(f"integrations:{name}", args=args)


def text(response):
    return response.content.decode()


@pytest.fixture
def member():
    return make_user(email="camille@studio.example")


@pytest.fixture
def web(member):
    caches["limits"].clear()
    client = Client()
    client.force_login(member)
    return client


def test_a_table_is_brought_looked_through_exported_and_emptied(web, member):
    assert "Add a source" in text(web.get(url("connections")))
    assert "CSV files" in text(web.get(url("source_add"))) and web.get(url("source_new", "gmail")).status_code == 404
    form = {"name": "Prices", "destination": "dataset", "delimiter": "auto", "encoding": "auto", "id": "ref"}
    assert web.post(url("source_new", "csv_upload"), form | {"name": ""}).status_code == 422
    page = web.post(url("source_new", "csv_upload"), form).url
    connection, pipeline = Connection.objects.get(), Pipeline.objects.get()
    assert page == url("source", connection.pk) and connection.owner == member and pipeline.pinned.steps == sources.STEPS
    shown = text(web.get(page))
    assert "The source “Prices” is added." in shown and "Bring a file" in shown
    assert "Nothing is kept yet" in text(web.get(url("dataset", pipeline.pk)))
    rows = "\n".join(["ref,title,price", *(f"{n},Wedding {n},{n}00 €" for n in range(30)), '30,"=1+1",Élan'])
    sent = web.post(url("file_add", connection.pk), {"upload": SimpleUploadedFile("x.csv", rows.encode())})
    run = Run.objects.get()
    assert sent.url == page and "It is being read" in text(web.get(page))
    engine.execute(run.pk)
    listed = text(web.get(url("dataset", pipeline.pk)))
    assert '<th scope="col">price</th>' in listed and "Page 1 of 2" in listed and "31 rows kept" in text(web.get(page))
    found = text(web.get(url("dataset", pipeline.pk), {"q": "élan 1+1"}))
    assert "=1+1" in found and "Wedding" not in found and "Nothing found" in text(web.get(url("dataset", pipeline.pk), {"q": "nowhere"}))
    csv = b"".join(web.get(url("dataset_export", pipeline.pk)).streaming_content).decode()
    assert csv.count("\n") == 32 and '"\'=1+1"' in csv and csv.splitlines()[0] == '\ufeff"Id","Kept since","ref","price","title"'
    part = next(part for part in PARTS if part.name == "dataset_rows")
    assert len(list(records(part, member))) == 31
    stranger = Client()
    stranger.force_login(make_user(role="admin"))
    for name in ("dataset", "dataset_export", "dataset_empty"):
        assert stranger.get(url(name, pipeline.pk)).status_code == 404
    assert stranger.get(page).status_code == stranger.get(url("file_add", connection.pk)).status_code == 404
    assert "31 rows go for good" in text(web.get(url("dataset_empty", pipeline.pk)))
    web.post(url("dataset_empty", pipeline.pk))
    assert not pipeline.rows.exists()
    assert set(Activity.objects.filter(actor_id=member.pk).values_list("action", flat=True)) >= {
        "connection.created", "pipeline.created", "source_file.received", "dataset.exported", "dataset.emptied",
    }  # fmt: skip


def test_who_does_not_contribute_keeps_their_sources(web, member):
    """What is given up after a scan is the permission to read a mailbox: a source has none, and nothing would bring it back."""
    InstanceSettings(premium_for="nobody").save()
    web.post(url("source_new", "csv_upload"), {"name": "P", "destination": "dataset", "delimiter": "auto", "encoding": "auto", "id": ""})
    connection = Connection.objects.get()
    for rows in ("ref\n1", "ref\n2"):
        web.post(url("file_add", connection.pk), {"upload": SimpleUploadedFile("x.csv", rows.encode())})
        engine.execute(Run.objects.latest("queued_at").pk)
    connection.refresh_from_db()
    assert (connection.status, Pipeline.objects.get().rows.count()) == ("active", 2)


def test_the_form_of_a_website_brings_contacts(web, member):
    form = {"name": "Website", "destination": "contacts", "items": "", "id": ""}
    page = web.post(url("source_new", "inbound_webhook"), form).url
    hook = Connection.objects.get()
    assert page == url("hook_secret", hook.pk)
    first = deliveries.secrets_of(hook)[0]
    assert first not in text(web.get(page)) and str(hook.pk) in text(web.get(page))
    shown = web.post(page, {"act": "rotate"})
    hook.refresh_from_db()
    secret = deliveries.secrets_of(hook)[0]
    assert shown.status_code == 201 and secret in text(shown) and secret not in text(web.get(page)) and first not in text(shown)
    web.post(page, {"act": "end"})
    hook.refresh_from_db()
    assert deliveries.secrets_of(hook) == [secret]
    body, stamp = (
        json.dumps({"Prénom": "Ada", "Nom": "Lovelace", "E-mail": "ada@example.test", "message": "May?"}).encode(),
        str(int(time.time())),
    )
    headers = {"X-Timestamp": stamp, "X-Signature": deliveries.signature_of(secret, stamp, body)}
    assert Client(headers=headers).post(url("hook", hook.pk), body, content_type="application/json").status_code == 202
    (run_id,) = arrivals.queue_waiting()
    engine.execute(run_id)
    assert Contact.objects.get().name == "Ada Lovelace" and "Becomes contacts" in text(web.get(url("source", hook.pk)))
    assert "Disconnect this source" in text(web.get(url("disconnect", hook.pk)))
    web.post(url("disconnect", hook.pk))
    hook.refresh_from_db()
    assert hook.status == "revoked" and hook.secret is None and web.get(page).status_code == 404
    for role in ("member", "viewer", "executor", "designer"):
        other = Client()
        other.force_login(make_user(role=role))
        assert other.get(page).status_code == 404


def test_a_feed_is_tested_read_by_hand_and_by_the_clock(web, member, feed):
    feed.pages["/feed"] = [{"id": 1, "title": "Grant"}]
    form = {"name": "Grants", "destination": "dataset", "url": f"{feed.url}/feed", "id": "id", "auth": "none", "paging": "none"}
    page = web.post(url("source_new", "http_json"), form).url
    again = web.post(url("source_new", "http_json"), form)
    assert again.status_code == 422 and "read already" in text(again)
    connection, pipeline = Connection.objects.get(), Pipeline.objects.get()
    assert "It answers" in text(web.post(url("source_test", connection.pk), follow=True))
    feed.statuses = [404]
    assert "nothing at this address" in text(web.post(url("source_test", connection.pk), follow=True))
    web.post(url("source_run", connection.pk))
    engine.execute(Run.objects.get().pk)
    assert pipeline.rows.get().data == {"record": {"id": 1, "title": "Grant"}} and pipeline.rows.get().owner == member
    assert "Finished" in text(web.get(url("run_detail", Run.objects.get().pk))) and web.get(page).status_code == 200
    assert pipeline.schedule and timezone.now() < pipeline.next_run_at < timezone.now() + timedelta(days=1)
    Pipeline.objects.update(next_run_at=timezone.now() - timedelta(minutes=1))
    assert pipelines.queue_due() == 1


def test_ten_sources_are_the_most_and_staff_cannot_change_what_is_done_to_them(web, member):
    form = {"name": "Source", "destination": "contacts", "delimiter": "auto", "encoding": "auto"}
    for _ in range(sources.MOST - 1):
        sources.add(member, "csv_upload", "Source", form, destination="contacts")
    assert web.post(url("source_new", "csv_upload"), form).status_code == 302
    refused = web.post(url("source_new", "csv_upload"), form)
    assert refused.status_code == 422 and "Ten sources" in text(refused) and Connection.objects.count() == sources.MOST
    assert TransformationVersion.objects.filter(transformation__name=sources.WHOLE).count() == 1
    Transformation.objects.filter(name=sources.WHOLE).update(steps=[{"do": "map", "fields": {"nothing": "nothing"}}])
    assert Pipeline.objects.first().steps == sources.STEPS
