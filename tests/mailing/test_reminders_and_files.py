"""Reminders that go out by themselves, once each; and files that people add, which are gone when the mail is."""

import email as parser
import email.policy
import io
import urllib.error
import urllib.request
from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from mailing import object_store, tasks
from mailing.models import AddedFile, ReminderRule, ScheduledEmail
from mailing.sending import batch
from mailing.services import emails, files, reminders
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.documents.papers import make_invoice, make_job
from tests.mailing.post import contacts_named, mail_server, make_template, use_server
from tests.studio.trade import studio_of

pytestmark = pytest.mark.django_db
in_threads = pytest.mark.django_db(transaction=True)
PDF = b"%PDF-1.7\n%canary-in-a-file\n"


def url(name, *args, **query):
    return reverse(f"mailing:{name}", args=args, query=query)


@pytest.fixture
def anna(db):
    return make_user(name="Anna", language="en")


@pytest.fixture
def server(settings):
    with mail_server() as (told, port):
        use_server(port)
        yield told


def then():
    return datetime.combine(timezone.localdate() + timedelta(days=90), time(12), UTC)


def due(days, project, anna, **fields):
    """An invoice that is so many days overdue `then`."""
    return make_invoice(project, anna, due_on=then().date() - timedelta(days=days), **fields)


def reminder(project, anna, language="fr", **fields):
    words = {"kind": "reminder", "language": language, "name": f"Rappel {language}", "subject": "Rappel {{ invoice.number }}", "text": "R"}
    return make_template(project.organization, anna, **words | fields)


def test_each_occasion_makes_one_reminder_and_old_invoices_none(anna):
    project = make_job(anna)
    french, english = reminder(project, anna), reminder(project, anna, "en")
    for days, template in ((7, french), (7, english), (10, french)):
        reminders.add_rule(project.organization, days=days, template=template, actor=anna)
    with pytest.raises(emails.NotPossible, match="twice"):
        reminders.add_rule(project.organization, days=7, template=french, actor=anna)
    rows = {days: due(days, project, anna) for days in (3, 7, 12, 60)}
    foreign = due(8, project, anna, language="en")
    stopped = due(8, project, anna)
    reminders.stop_reminders(stopped, actor=anna)
    assert reminders.schedule_due_reminders() == 0
    with time_machine.travel(then()):
        assert reminders.schedule_due_reminders() == 3
        assert reminders.schedule_due_reminders() == 0
    found = {row.invoice_id: (row.occurrence.rpartition(":")[2], row.template_version.template.language)
             for row in ScheduledEmail.objects.select_related("template_version__template")}  # fmt: skip
    assert found == {rows[7].pk: ("7", "fr"), rows[12].pk: ("10", "fr"), foreign.pk: ("7", "en")}
    occasion = ScheduledEmail.objects.get(invoice=rows[7])
    with pytest.raises(IntegrityError, match="mailing_once_an_occurrence"):
        emails.schedule_email(
            project.organization, template=french, document=rows[7], occurrence=occasion.occurrence, actor=None
        )  # fmt: skip


@in_threads
def test_a_reminder_that_was_stopped_or_paid_meanwhile_does_not_go_out(anna, server):
    project = make_job(anna)
    reminders.add_rule(project.organization, days=7, template=reminder(project, anna), actor=anna)
    invoice, other = due(7, project, anna), due(7, project, anna)
    with time_machine.travel(then()):
        tasks.schedule_reminders()
        ScheduledEmail.objects.update(due_at=timezone.now())
        web = browser_of(anna)
        assert "Stop reminding" in web.get(url("invoice_panel", invoice.pk)).text
        web.post(url("invoice_reminders_stop", invoice.pk))
        assert ScheduledEmail.objects.get(invoice=invoice).status == "cancelled"
        assert "Remind again" in web.get(url("invoice_panel", invoice.pk)).text
        ScheduledEmail.objects.filter(invoice=invoice).update(status="scheduled")  # stopped between the tick and the sending
        assert batch.send_due() == {"skipped": 1, "sent": 1} and len(server.taken) == 1
        web.post(url("invoice_reminders_resume", invoice.pk))
        assert not hasattr(type(invoice).objects.get(pk=invoice.pk), "reminder_stop") and other.number.encode() in server.taken[0][1]


def test_rules_are_made_and_removed_on_the_settings_page(anna):
    project = make_job(anna)
    web = browser_of(anna)
    assert "needs a template" in web.get(url("settings")).text
    template = reminder(project, anna)
    web.post(url("rule_add"), {"days": "7", "template": template.pk})
    rule = ReminderRule.objects.get()
    assert "7 days after the due date" in web.get(url("settings")).text
    for wrong in ({"days": "7", "template": template.pk}, {"days": "999", "template": template.pk}, {"days": "1", "template": rule.pk}):
        web.post(url("rule_add"), wrong)
    assert ReminderRule.objects.count() == 1
    web.post(url("rule_remove", rule.pk))
    assert not ReminderRule.objects.exists()


# --- added files --------------------------------------------------------------------------------------------------------------


def upload(web, contact, name="plan.pdf", content=PDF, beside=()):
    file = io.BytesIO(content)
    file.name = name
    return web.post(url("file_add", contact=contact.pk), {"upload": file, "file": [row.pk for row in beside]})


@in_threads
def test_an_added_file_is_seen_by_a_signed_address_sent_and_removed(anna, server, store):
    [contact] = contacts_named(studio_of(anna), ["client"])
    web = browser_of(anna)
    assert "plan.pdf" in upload(web, contact).text
    row = AddedFile.objects.get()
    assert store.names() == [f"aaperture/{row.key}"] and row.key.startswith("tmp/")
    head = store.client.head_object(Bucket="aaperture", Key=row.key)
    assert head["ServerSideEncryption"] == "AES256"
    signed = web.get(url("file", row.pk))["Location"]
    assert "X-Amz-Signature" in signed and "X-Amz-Expires=300" in signed
    with urllib.request.urlopen(signed) as answer:
        assert answer.read() == PDF and answer.headers["Content-Disposition"] == "attachment"
    assert browser_of(make_user()).get(url("file", row.pk)).status_code == 404

    template = make_template(studio_of(anna), anna)
    far = {"when": "later", "day": (timezone.localdate() + timedelta(days=3)).isoformat(), "time": "10:00", "file": row.pk}
    assert "within 20 hours" in web.post(url("new", contact=contact.pk, template=template.pk), far).text
    web.post(url("new", contact=contact.pk, template=template.pk), {"when": "now", "file": row.pk})
    tasks.send_due_emails()
    [part] = parser.message_from_bytes(server.taken[0][1], policy=email.policy.default).iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("plan.pdf", PDF)
    assert store.names() == [] and AddedFile.objects.get().removed_at

    # by hand: gone at once, also when it fails
    server.recipients["client"] = "550 No"
    upload(web, contact)
    row = AddedFile.objects.get(removed_at=None)
    written = {"subject": "a", "text": "b", "file": row.pk}
    failed = web.post(url("new", contact=contact.pk, template="none"), written)
    assert failed.status_code == 502 and "Add them again" in failed.text and str(row.pk) not in failed.text
    assert store.names() == []
    # and never without what was to go with it
    server.recipients.clear()
    for chosen, fields in (("none", written), (template.pk, {"when": "now", "file": row.pk})):
        refused = web.post(url("new", contact=contact.pk, template=chosen), fields)
        assert refused.status_code == 422 and "Add them again" in refused.text
    with pytest.raises(files.NotTaken, match="gone"):
        emails.schedule_email(contact.organization, template=template, contact=contact, files=[row], actor=anna)
    assert ScheduledEmail.objects.count() == 2 and len(server.taken) == 1


def test_a_file_on_its_way_touches_no_disk(anna, store, settings):
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"
    [contact] = contacts_named(studio_of(anna), ["client"])
    web = browser_of(anna)
    assert "plan.pdf" in upload(web, contact, content=PDF.ljust(9 * 2**20)).text
    row = AddedFile.objects.get()
    assert row.size == 9 * 2**20
    settings.S3_BUCKET = ""  # the instance does without a store from now on
    assert web.get(url("file", row.pk)).status_code == 404


def test_a_store_that_encrypts_everything_without_being_asked_takes_files_too(anna, store):
    store.without_sse = True
    [contact] = contacts_named(studio_of(anna), ["client"])
    web = browser_of(anna)
    for content in (PDF, PDF.ljust(9 * 2**20)):  # in one piece, and in parts
        upload(web, contact, content=content)
    assert sorted(len(store.read(name)) for name in store.names()) == [len(PDF), 9 * 2**20]


@in_threads
def test_files_that_cannot_be_read_wait_and_those_that_are_gone_say_so(anna, server, store):
    [one, two] = contacts_named(studio_of(anna), ["one", "two"])
    template = make_template(studio_of(anna), anna)
    for contact in (one, two):
        file = files.add_file(studio_of(anna), name="a.pdf", content=PDF, beside=(), actor=anna)
        emails.schedule_email(studio_of(anna), template=template, contact=contact, files=[file], actor=anna)
    store.is_down = True
    assert batch.send_due() == {"scheduled": 2}
    assert set(ScheduledEmail.objects.values_list("error", flat=True)) == {"files_later"}
    store.is_down = False
    object_store.delete(AddedFile.objects.get(email__contact=one).key)
    ScheduledEmail.objects.update(due_at=timezone.now())
    assert batch.send_due() == {"failed": 1, "sent": 1}
    files.remove_ended()
    assert store.names() == [] and not AddedFile.objects.lying().exists()
    failed = ScheduledEmail.objects.get(status="failed")
    emails.retry_emails([failed], actor=anna)
    assert batch.send_due() == {"failed": 1} and len(server.taken) == 1  # never without what was to go with it


def test_what_is_taken_and_what_is_not(anna, store, settings):
    [contact] = contacts_named(studio_of(anna), ["client"])
    web = browser_of(anna)
    refused = {
        "a.exe": b"MZ", "a.pdf": b"<html>", "a.png": PDF, "a.webp": b"RIFF0000WAVE", "b\n.pdf": PDF, "a.pdf.exe": PDF, "pdf": PDF,
    }  # fmt: skip
    for name, content in refused.items():
        with pytest.raises(files.NotTaken, match=r"type|name"):
            files.add_file(studio_of(anna), name=name, content=content, beside=(), actor=anna)
    assert "no PDF" in upload(web, contact, "a.exe", b"MZ").text
    assert "too large" in upload(web, contact, content=PDF + b"0" * files.LARGEST).text
    store.is_down = True
    assert "could not be stored" in upload(web, contact).text
    store.is_down = False
    assert "file:" not in str(AddedFile.objects.all()) and store.names() == []
    kept = files.add_file(studio_of(anna), name="a.PDF", content=PDF, beside=(), actor=anna)
    assert web.post(url("file_remove", kept.pk)).status_code == 200 and not AddedFile.objects.filter(pk=kept.pk).exists()
    files.add_file(studio_of(anna), name="a.pdf", content=PDF, beside=(), actor=anna)
    files.remove_ended()
    assert store.names()
    row = {"organization": studio_of(anna), "name": "b.pdf", "content_type": "application/pdf", "created_by": anna, "size": files.LARGEST}
    rows = AddedFile.objects.bulk_create([AddedFile(**row) for _ in range(files.MOST_UNUSED - 1)])
    assert len(files.waiting_files(studio_of(anna), [one.pk for one in rows[:3]], owner=anna)) == 1  # 15 MB, though the form names 30
    with pytest.raises(files.NotTaken, match="count"):
        files.add_file(studio_of(anna), name="a.pdf", content=PDF, beside=(), actor=anna)
    AddedFile.objects.update(created_at=timezone.now() - timedelta(hours=2))
    files.remove_ended()
    assert store.names() == []
    settings.S3_BUCKET = ""
    assert "id_upload" not in web.get(url("new", contact=contact.pk)).text and upload(web, contact).status_code == 400


def test_a_signed_address_names_its_end(anna, store):
    row = files.add_file(studio_of(anna), name="a.pdf", content=PDF, beside=(), actor=anna)
    signed = object_store.signed_address(row.key, content_type=row.content_type)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{signed.partition('?')[0]}?X-Amz-Expires=300")
