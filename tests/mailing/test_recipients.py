"""To whom a mail goes when its contact changes, and what is left of a contact who was deleted."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection, connections
from django.utils import timezone

from mailing.models import AddedFile, ScheduledEmail
from mailing.sending import batch
from mailing.services import emails
from mailing.tasks import send_due_emails
from studio.services import contacts, projects
from studio.services.timeline import add_entry
from tests.accounts.people import make_user
from tests.mailing.post import mail_server, make_template, use_server
from tests.studio.trade import make_contact, make_project, make_session, studio_of

Status = ScheduledEmail.Status


@pytest.mark.django_db(transaction=True)
def test_a_corrected_address_is_where_the_mail_goes(settings):
    anna = make_user(name="Anna")
    studio = studio_of(anna)
    wrong, gone = make_contact(studio, email="clare@faure.example"), make_contact(studio, email="old@faure.example")
    template = make_template(studio, anna)
    failing, _waiting = emails.schedule_emails(studio, template=template, targets=[wrong, gone], actor=anna)
    with mail_server() as (told, port):
        use_server(port)
        told.recipients["clare"] = "550 nobody here"
        ScheduledEmail.objects.filter(contact=gone).update(due_at=timezone.now() + timedelta(hours=1))
        send_due_emails()
        failing.refresh_from_db()
        assert (failing.status, failing.error) == (Status.FAILED, "recipient")
        contacts.edit_contact(wrong, fields={"email": "claire@faure.example"}, actor=anna)
        contacts.edit_contact(gone, fields={"email": "new@faure.example"}, actor=anna)
        ScheduledEmail.objects.filter(contact=gone).update(due_at=timezone.now())
        emails.retry_emails([failing], actor=anna)
        send_due_emails()
        assert sorted(to for to, _message in told.taken) == ["claire@faure.example", "new@faure.example"]
    assert set(ScheduledEmail.objects.values_list("status", "recipient")) == {
        (Status.SENT, "claire@faure.example"), (Status.SENT, "new@faure.example"),
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("answer", "status"), [("250 OK", Status.SENT), ("452 Later", Status.SKIPPED)])
def test_who_is_deleted_while_a_mail_is_on_its_way_is_not_written_back(answer, status):
    anna = make_user(name="Anna")
    studio = studio_of(anna)
    contact = make_contact(studio, given_name="Zénobie", family_name="Quartz", email="zenobie@quartz.example")
    project = make_project(studio, title="Mariage en juin")
    template = make_template(studio, anna)
    [row] = emails.schedule_emails(studio, template=template, targets=[contact], actor=anna)
    ScheduledEmail.objects.update(project=project)
    with mail_server() as (told, port):
        use_server(port)
        told.contents["zenobie"] = answer
        told.while_sending = in_another_thread(lambda: contacts.delete_contact(contact, actor=anna))
        send_due_emails()
        assert [to for to, _message in told.taken] == ["zenobie@quartz.example"][: status == Status.SENT]
        ScheduledEmail.objects.update(due_at=timezone.now())
        send_due_emails()  # what was put off
    row.refresh_from_db()
    assert row.status == status and "quartz" not in everything_kept()


@pytest.mark.django_db(transaction=True)
def test_a_project_that_is_deleted_while_its_mail_is_on_its_way_has_no_part_in_it():
    anna = make_user(name="Anna")
    studio = studio_of(anna)
    project = make_project(studio)
    [row] = emails.schedule_emails(studio, template=make_template(studio, anna), targets=[make_contact(studio)], actor=anna)
    ScheduledEmail.objects.update(project=project)
    with mail_server() as (told, port):
        use_server(port)
        told.while_sending = in_another_thread(lambda: projects.delete_project(project, actor=anna))
        assert batch.send_due() == {"sent": 1}
    row.refresh_from_db()
    assert (row.status, row.project) == (Status.SENT, None)


def in_another_thread(act):
    """The server has none for the database."""

    def run() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(act).result(20)
            pool.submit(connections.close_all).result()

    return run


@pytest.mark.django_db
def test_who_was_deleted_gets_no_mail_and_is_named_nowhere_in_the_studio():
    anna = make_user(name="Anna")
    studio = studio_of(anna)
    contact = make_contact(studio, given_name="Zénobie", family_name="Quartz", email="zenobie@quartz.example", phone="+33 6 98 76 54 32")
    other = make_contact(studio)
    project = make_project(studio, contact=contact, title="Mariage en juin")
    make_session(project, anna)
    template = make_template(studio, anna)
    rows = emails.schedule_emails(studio, template=template, targets=[contact] * 5 + [other], actor=anna)
    states = [Status.SCHEDULED, Status.HELD, Status.FAILED, Status.SENT, Status.UNKNOWN, Status.SCHEDULED]
    for row, status in zip(rows, states, strict=True):
        ScheduledEmail.objects.filter(pk=row.pk).update(status=status, project=project)
    add_entry(project, "email.sent", actor=anna, subject="Pour Zénobie Quartz")
    AddedFile.objects.create(
        organization=studio, email=rows[3], name="quartz.pdf", content_type="application/pdf", size=9, created_by=anna,
        removed_at=timezone.now(),
    )  # fmt: skip

    assert "quartz" in everything_kept()
    contacts.delete_contact(contact, actor=anna)
    assert "quartz" not in everything_kept() and "zenobie" not in everything_kept()
    cancelled = [Status.CANCELLED] * 3
    assert [ScheduledEmail.objects.get(pk=row.pk).status for row in rows] == [*cancelled, *states[3:]]
    assert ScheduledEmail.objects.get(pk=rows[5].pk).recipient == other.email
    assert not emails.retry_emails([rows[2]], actor=anna)


def everything_kept():
    """Each row of the trade and the post, and the log, as text without accents."""
    tables = [model._meta.db_table for name in ("studio", "mailing", "audit") for model in apps.get_app_config(name).get_models()]
    found = []
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT string_agg(row_to_json(t)::text, chr(10)) FROM "{table}" t')
            found.append(cursor.fetchone()[0] or "")
    return "\n".join(found).casefold().replace("é", "e")
