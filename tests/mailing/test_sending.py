"""What is due goes out once; what does not go out says why, and what is in doubt says so."""

import email as parser
import email.policy
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from aaperture.lib.uuid7 import uuid7
from audit.models import Activity
from documents.models import Quote
from documents.services import invoices, payments, quotes
from mailing.mime import as_bytes
from mailing.models import ScheduledEmail
from mailing.sending import batch, claims, marks, smtp
from mailing.sending.preparing import Preparation, load
from mailing.sending.smtp import run_apart
from mailing.services import emails, free_text, templates
from tests.accounts.people import make_user
from tests.documents.papers import LINES, accepted_quote, make_invoice, make_job, make_quote
from tests.mailing.post import contacts_named, mail_server, make_template, status_of, use_server
from tests.studio.trade import YEAR, make_contact, make_session, studio_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna():
    return make_user(name="Anna")


@pytest.fixture
def server(settings):
    with mail_server() as (told, port):
        use_server(port)
        yield told


def schedule(anna, names, **options):
    organization = studio_of(anna)
    template = make_template(organization, anna)
    return emails.schedule_emails(organization, template=template, targets=contacts_named(organization, names), actor=anna, **options)


def parsed(message):
    return parser.message_from_bytes(message, policy=email.policy.default)


def test_what_is_due_goes_out_once_and_nothing_of_its_text_is_kept(anna, server):
    schedule(anna, [f"client{n}" for n in range(40)])
    [later] = schedule(make_user(name="Ben"), ["later"], send_at=timezone.now() + timedelta(hours=1))
    assert batch.send_due() == {"sent": 40}
    assert batch.send_due() == {}
    assert sorted(to for to, _message in server.taken) == sorted(f"client{n}@clients.example" for n in range(40))
    message = parsed(server.to("client7@clients.example")[0])
    row = ScheduledEmail.objects.get(recipient="client7@clients.example")
    assert (message["subject"], message["message-id"]) == ("Pour Client7", row.message_id) == (row.subject, row.message_id)
    assert message.get_body(["plain"]).get_content().split() == ["Bonjour", "Client7,", "merci.", "Anna"]
    assert "<p>Bonjour Client7,</p>" in message.get_body(["html"]).get_content()
    assert 1 < server.most_at_once <= batch.CONNECTIONS
    assert ScheduledEmail.objects.get(pk=later.pk).status == "scheduled"
    assert Activity.objects.filter(action="email.sent").count() == 40
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row_to_json(e)::text, '') FROM mailing_scheduledemail e")
        assert "merci" not in cursor.fetchone()[0]


ANSWERS = {
    "a recipient that does not exist": ("recipients", "550 5.1.1 No such mailbox", "failed", "recipient", 1),
    "a recipient to try again": ("recipients", "451 4.2.1 Greylisted", "scheduled", "recipient_later", 1),
    "a message that is refused": ("contents", "554 5.7.1 Spam", "failed", "content", 1),
    "a message to try again": ("contents", "452 4.3.1 Disk full", "scheduled", "content_later", 1),
    "a connection that breaks after the message": ("contents", "drop", "unknown", "dropped", 1),
    "a connection that breaks after taking the message": ("contents", "take and drop", "unknown", "dropped", 1),
    "a server that never answers": ("contents", "hang", "unknown", "dropped", 1),
}


def test_each_answer_has_its_consequence_and_the_others_go_out(anna, server, monkeypatch):
    monkeypatch.setattr(smtp, "TIMEOUT", 1.0)
    names = [f"case{place}" for place in range(len(ANSWERS))]
    for name, (when, answer, *_rest) in zip(names, ANSWERS.values(), strict=True):
        getattr(server, when)[name] = answer
    schedule(anna, [*names, "fine", "well"])
    before = timezone.now()
    batch.send_due()
    for name, (_when, answer, status, error, attempts) in zip(names, ANSWERS.values(), strict=True):
        row = ScheduledEmail.objects.get(recipient=f"{name}@clients.example")
        assert (row.status, row.error, row.attempts) == (status, error, attempts), name
        if status == "scheduled":
            assert row.due_at >= before + timedelta(seconds=50) and row.error_reply.startswith(answer[:3]) and row.claim is None
    assert (status_of("fine"), status_of("well")) == ("sent", "sent")
    wanted = sorted((f"email.{status}", error) for _when, _answer, status, error, _attempts in ANSWERS.values() if status != "scheduled")
    told = Activity.objects.filter(action__in={action for action, _error in wanted}).values_list("action", "details")
    assert sorted((action, details["error"]) for action, details in told) == wanted, "with the reason, and of each once"
    assert batch.send_due() == {}  # what is to be tried again waits; what is in doubt waits for somebody
    doubtful = ScheduledEmail.objects.filter(status="unknown").order_by("recipient")
    emails.resolve_email(doubtful[0], arrived=True, actor=anna)
    emails.resolve_email(ScheduledEmail.objects.filter(status="unknown").first(), arrived=False, actor=anna)
    assert sorted(ScheduledEmail.objects.exclude(error="not_arrived").values_list("status", flat=True)).count("sent") == 3
    assert emails.retry_emails(ScheduledEmail.objects.filter(error="not_arrived"), actor=anna) == 1


def test_after_a_day_of_trying_it_is_given_up(anna, server):
    server.recipients["never"] = "451 Later"
    schedule(anna, ["never"])
    for _ in range(len(marks.BACK_OFF)):
        ScheduledEmail.objects.update(due_at=timezone.now())
        batch.send_due()
    row = ScheduledEmail.objects.get()
    assert (row.status, row.error) == ("failed", "gave_up") and sum(marks.BACK_OFF, timedelta(0)) > timedelta(hours=20)


def test_a_server_that_is_down_costs_nothing_but_time(anna, settings):
    use_server(1)
    schedule(anna, ["one", "two", "three"])
    assert batch.send_due() == {"scheduled": 3}
    assert set(ScheduledEmail.objects.values_list("error", "attempts")) == {("connect", 1)}
    with mail_server() as (told, port):
        use_server(port)
        ScheduledEmail.objects.update(due_at=timezone.now())
        assert batch.send_due() == {"sent": 3}
        assert len(told.taken) == 3


def test_what_was_being_sent_when_its_sender_was_lost_is_in_doubt(anna, server):
    [lost] = schedule(anna, ["lost"])
    [pk] = claims.claim_due(claim := uuid7())
    with marks.Marks(claim) as sender:
        assert run_apart(sender.may_send(lost)) and not run_apart(sender.may_send(lost))
    assert batch.send_due() == {} and status_of("lost") == "sending"
    ScheduledEmail.objects.filter(pk=pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert batch.send_due() == {}
    row = ScheduledEmail.objects.get()
    assert (row.status, row.error) == ("unknown", "lost") and not server.taken
    with marks.Marks(claim) as sender:  # the lost one comes back and says it sent it
        sender.ended(marks.Outcome(row, "sent"))
    assert status_of("lost") == "unknown"


def test_a_batch_of_more_mails_reads_no_more_often(anna):
    def reads():
        ids = claims.claim_due(uuid7())
        with CaptureQueriesContext(connection) as queries:
            preparation = Preparation(load(ids))
            for row in preparation.emails:
                assert b"Subject: " in as_bytes(preparation.mail(row))
        return len(ids), len(queries)

    schedule(anna, ["one", "two"])
    few = reads()
    schedule(make_user(name="Ben"), [f"client{n}" for n in range(12)])
    assert reads() == (12, few[1]) and few[0] == 2


def test_a_lapsed_claim_is_due_again_and_its_holder_sends_nothing(anna, server):
    schedule(anna, ["slow"])
    [pk] = claims.claim_due(claim := uuid7())
    assert claims.claim_due(uuid7()) == []
    ScheduledEmail.objects.filter(pk=pk).update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert batch.send_due() == {"sent": 1}
    row = ScheduledEmail.objects.get()
    with marks.Marks(claim) as late:
        assert not run_apart(late.may_send(row))
    assert len(server.taken) == 1


def test_whose_claim_has_passed_to_another_may_not_begin_and_the_other_may(anna, server):
    [row] = schedule(anna, ["slow"])
    first, second = uuid7(), uuid7()
    claims.claim_due(first)
    ScheduledEmail.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert claims.claim_due(second) == [row.pk]
    with marks.Marks(first) as late, marks.Marks(second) as holder:
        assert not run_apart(late.may_send(row)) and status_of("slow") == "scheduled"
        assert run_apart(holder.may_send(row))


def test_what_hinders_a_mail_that_was_claimed_twice_says_nothing_of_the_one_on_its_way(anna, server):
    [row] = schedule(anna, ["slow"])
    claims.claim_due(claim := uuid7())
    with marks.Marks(claim) as sender:
        assert run_apart(sender.may_send(row))
        sender.ended(marks.Outcome(row, "scheduled", "greeting", again=True))  # its lease lapsed, and the same run took it again
    assert status_of("slow") == "sending"
    with marks.Marks(claim) as sender:
        sender.ended(marks.Outcome(row, "unknown", "dropped", begun=True))
    assert status_of("slow") == "unknown"


def test_what_is_cancelled_while_claimed_does_not_go_out(anna, server):
    [row] = schedule(anna, ["gone"])
    claims.claim_due(claim := uuid7())
    assert emails.cancel_emails([row], actor=anna) == 1
    with marks.Marks(claim) as sender:
        assert not run_apart(sender.may_send(row))
    assert batch.send_due() == {} and status_of("gone") == "cancelled"


def test_held_mail_waits_and_is_released(anna, server):
    rows = schedule(anna, ["one", "two"])
    assert emails.hold_emails(rows[:1], actor=anna) == 1
    assert batch.send_due() == {"sent": 1}
    assert emails.release_emails(rows, actor=anna) == 1
    emails.reschedule_email(rows[0], send_at=timezone.now() + timedelta(hours=1), actor=anna)
    assert batch.send_due() == {}
    with pytest.raises(emails.NotPossible, match="sent"):
        emails.reschedule_email(rows[1], send_at=timezone.now(), actor=anna)


def test_a_scheduled_mail_keeps_its_version_of_the_template(anna, server):
    [row] = schedule(anna, ["client"])
    template = row.template_version.template
    templates.change_template(template, fields={"subject": "Autre", "text": "Autre texte"}, actor=anna)
    batch.send_due()
    assert b"Pour Client" in server.taken[0][1]
    with pytest.raises(templates.UnknownPlaceholders, match=r"client\.password"):
        templates.change_template(template, fields={"subject": "x", "text": "{{ client.password }}"}, actor=anna)


# --- with documents -----------------------------------------------------------------------------------------------------------


def test_a_draft_that_is_for_another_client_now_does_not_go_to_the_one_before(anna, server):
    project = make_job(anna)
    quote = make_quote(project, anna)
    template = make_template(project.organization, anna, kind="quote", subject="Devis", text="{{ link }}")
    emails.schedule_email(project.organization, template=template, document=quote, actor=anna)
    other = make_contact(project.organization, email="other@client.example")
    quotes.edit_quote(quote, fields={"contact": other}, lines=LINES, actor=anna)
    assert batch.send_due() == {"skipped": 1} and not server.taken and not quote.links.exists()


def test_a_quote_is_sent_when_its_mail_is_with_a_link_and_its_pdf(anna, server):
    project = make_job(anna)
    quote = make_quote(project, anna)
    make_session(project, anna, hours=30)
    text = "Voici votre devis {{ quote.number }} de {{ quote.total }} pour le {{ session.date }} :\n\n{{ link }}"
    template = make_template(project.organization, anna, kind="quote", subject="Devis {{ quote.number }}", text=text)
    row = emails.schedule_email(project.organization, template=template, document=quote, actor=anna)
    assert Quote.objects.get().number == ""
    assert batch.send_due() == {"sent": 1}
    emails.settle_sent()
    quote = Quote.objects.get()
    assert (quote.status, quote.links.count()) == ("sent", 1) and emails.settle_sent() == 0
    emptied = Quote.objects.create(organization=quote.organization)  # by somebody, while its mail went out
    ScheduledEmail.objects.filter(pk=row.pk).update(quote=emptied, settled_at=None)
    assert emails.settle_sent() == 1 and emails.settle_sent() == 0
    message = parsed(server.taken[0][1])
    assert message["subject"] == f"Devis {quote.number}" and message["reply-to"].addresses[0].addr_spec == "bonjour@studio.example"
    [attachment] = message.iter_attachments()
    assert attachment.get_filename() == f"{quote.number}.pdf" and attachment.get_content().startswith(b"%PDF")
    assert f"pour le 12 juin {YEAR} au 13 juin {YEAR}" in message.get_body(["plain"]).get_content()
    assert '<a href="http://localhost:8000/p/' in message.get_body(["html"]).get_content()
    assert [entry.kind for entry in project.timeline.order_by("at")][-2:] == ["email.sent", "quote.sent"]
    assert ScheduledEmail.objects.get(pk=row.pk).settled_at


def test_a_reminder_is_not_needed_when_the_invoice_was_paid_meanwhile(anna, server):
    project = make_job(anna)
    invoice = make_invoice(project, anna)
    text = "Il reste {{ invoice.balance }}"
    template = make_template(project.organization, anna, kind="reminder", subject="Rappel {{ invoice.number }}", text=text)
    common = {"template": template, "document": invoice, "actor": anna}
    first = emails.schedule_email(project.organization, **common)
    emails.schedule_email(project.organization, send_at=timezone.now() + timedelta(days=7), **common)
    assert batch.send_due() == {"sent": 1}
    payments.record_payment(invoice, amount=invoice.gross, paid_on=invoice.issued_on, actor=anna)
    ScheduledEmail.objects.exclude(pk=first.pk).update(due_at=timezone.now())
    assert batch.send_due() == {"skipped": 1} and len(server.taken) == 1


def test_a_document_that_lacks_something_fails_and_says_so(anna, server):
    project = make_job(anna)
    draft = make_quote(project, anna, lines=[])
    template = make_template(project.organization, anna, kind="quote", subject="Devis", text="Voici")
    emails.schedule_email(project.organization, template=template, document=draft, actor=anna)
    answered = accepted_quote(project, anna)
    emails.schedule_email(project.organization, template=template, document=answered, actor=anna)
    assert batch.send_due() == {"failed": 1, "skipped": 1}
    assert ScheduledEmail.objects.get(status="failed").error == "document" and not server.taken


def test_one_occurrence_is_scheduled_once(anna):
    project = make_job(anna)
    invoice = make_invoice(project, anna)
    template = make_template(project.organization, anna, kind="reminder", subject="Rappel", text="Rappel")
    options = {"template": template, "document": invoice, "occurrence": f"{invoice.pk}:7", "actor": anna}
    emails.schedule_email(project.organization, **options)
    with pytest.raises(Exception, match="mailing_once_an_occurrence"):
        emails.schedule_email(project.organization, **options)


def test_a_credit_note_needs_no_reason_to_be_paid(anna, server):
    project = make_job(anna)
    note = invoices.credit_invoice(make_invoice(project, anna), gross=Decimal(10), actor=anna)
    template = make_template(project.organization, anna, kind="invoice", subject="Avoir", text="Voici")
    emails.schedule_email(project.organization, template=template, document=note, actor=anna)
    assert batch.send_due() == {"sent": 1}


def test_a_worker_stops_in_time_for_the_next_tick(anna, server):
    schedule(anna, [f"client{n}" for n in range(5)])
    begun = time.monotonic()
    assert batch.send_due(seconds=0) == {} and time.monotonic() - begun < 5


# --- written by hand ----------------------------------------------------------------------------------------------------------


def send_by_hand(anna, contact, text="Un mot **secret** {{ client.name }}", **options):
    return free_text.send_now(contact.organization, free_text.Written("Bonjour", text), contact=contact, actor=anna, **options)


def test_a_message_written_by_hand_goes_out_at_once_and_is_kept_nowhere(anna, server):
    [contact] = contacts_named(studio_of(anna), ["client"])
    row = send_by_hand(anna, contact)
    assert (row.status, row.template_version_id, row.attempts) == ("sent", None, 1)
    assert "<strong>secret</strong> { { client.name }}" in parsed(server.taken[0][1]).get_body(["html"]).get_content()
    server.recipients["client"] = "451 Later"
    failed = send_by_hand(anna, contact)
    assert (failed.status, failed.error) == ("failed", "recipient_later") and emails.retry_emails([failed], actor=anna) == 0
    server.recipients.clear()
    server.contents["client"] = "drop"
    assert send_by_hand(anna, contact).status == "unknown"


def test_a_message_by_hand_that_was_interrupted_is_not_sent_by_a_worker(anna, server):
    [contact] = contacts_named(studio_of(anna), ["client"])
    free_text._leased(
        contact.organization, free_text.Written("a", "b"), contact=contact, document=None, attach=True, actor=anna, request=None
    )
    assert batch.send_due() == {}
    ScheduledEmail.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert batch.send_due() == {"failed": 1} and ScheduledEmail.objects.get().error == "text_gone" and not server.taken
