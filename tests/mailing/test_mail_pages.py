"""E-mails as people with different rights meet them, request by request."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Membership, User
from documents.services import quotes
from mailing.models import EmailTemplate, ScheduledEmail
from mailing.placeholders import compile_text, filled
from mailing.sending import batch
from mailing.sending.marks import Marks
from mailing.services import emails, templates
from mailing.views import bulk
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of
from tests.documents.papers import accepted_quote, make_invoice, make_job, make_quote
from tests.mailing.post import contacts_named, mail_server, make_template, use_server
from tests.studio.trade import make_contact, studio_of

pytestmark = pytest.mark.django_db
in_threads = pytest.mark.django_db(transaction=True)  # marks are written by a thread with a connection of its own
MOST_QUERIES = 12
Status = ScheduledEmail.Status


def url(name, *args, **query):
    return reverse(f"mailing:{name}", args=args, query=query)


@pytest.fixture
def anna(db):
    return make_user(name="Anna", language="en", timezone="Europe/Paris")


@pytest.fixture
def server(settings):
    with mail_server() as (told, port):
        use_server(port)
        yield told


def said(page):
    return [str(message) for message in page.context["messages"]]


def scheduled(anna, names, **options):
    organization = studio_of(anna)
    template = EmailTemplate.objects.for_organization(organization).first() or make_template(organization, anna)
    return emails.schedule_emails(organization, template=template, targets=contacts_named(organization, names), actor=anna, **options)


def join(organization, role):
    user = make_user()
    Membership.objects.create(organization=organization, user=user, role=role)
    User.objects.filter(pk=user.pk).update(organization=organization)
    return User.objects.get(pk=user.pk)


def put(row, **values):
    ScheduledEmail.objects.filter(pk=row.pk).update(**values)


def test_what_needs_somebody_stands_first_with_what_to_do(anna):
    web = browser_of(anna)
    assert "Mail to your clients" in web.get(url("email_list")).text
    failed, doubtful, held, later, gone = scheduled(anna, ["failed", "doubtful", "held", "later", "gone"])
    put(failed, status="failed", error="recipient", error_reply="550 No such mailbox")
    put(doubtful, status="unknown", error="dropped")
    put(held, status="held", error="auth")
    put(gone, status="sent", sent_at=timezone.now())
    page = web.get(url("email_list"))
    assert page.text.count(url("email_cancel", failed.pk)) == 1
    assert {row.pk for row in page.context["troubled"]} == {failed.pk, doubtful.pk, held.pk}
    for words in (
        "recipient’s address was refused",
        "550 No such mailbox",
        "Send again",
        doubtful.message_id.strip("<>"),
        "It arrived",
        "Release",
    ):
        assert words in page.text
    assert page.text.index("Needs you") < page.text.index("5 e-mails")

    web.post(url("email_retry", failed.pk), {"back": "list"})
    web.post(url("email_resolve", doubtful.pk), {"lost": "1"})
    web.post(url("email_release", held.pk))
    web.post(url("email_hold", later.pk))
    assert dict(ScheduledEmail.objects.values_list("recipient", "status")) == {
        "failed@clients.example": "scheduled", "doubtful@clients.example": "failed", "held@clients.example": "scheduled",
        "later@clients.example": "held", "gone@clients.example": "sent",
    }  # fmt: skip
    web.post(url("email_cancel", later.pk))
    assert "no longer possible" in said(web.post(url("email_hold", gone.pk), follow=True))[-1]
    assert "no longer possible" in said(web.post(url("email_resolve", gone.pk), {"arrived": "1"}, follow=True))[-1]
    web.post(url("email_cancel", doubtful.pk))  # nobody sends it again: it needs nobody any more
    assert set(ScheduledEmail.objects.filter(status="cancelled")) == {later, doubtful}
    assert not web.get(url("email_list")).context["troubled"]


def test_a_mail_is_moved_to_another_time_on_ones_own_clock(anna):
    web = browser_of(anna)
    [row] = scheduled(anna, ["one"], send_at=timezone.now() + timedelta(days=3))
    day = timezone.localdate() + timedelta(days=5)
    web.post(url("email_reschedule", row.pk), {"day": day.isoformat(), "time": "09:30"})
    row.refresh_from_db()
    local = row.send_at.astimezone(ZoneInfo("Europe/Paris"))
    assert (local.date(), f"{local:%H:%M}", row.due_at) == (day, "09:30", row.send_at)
    past = web.post(url("email_reschedule", row.pk), {"day": "2020-01-01", "time": "09:30"})
    assert past.status_code == 422 and "still to come" in past.text
    put(row, status="sent")
    assert "no longer possible" in said(web.post(url("email_reschedule", row.pk), {"day": day, "time": "09:30"}, follow=True))[-1]


def test_the_list_is_searched_filtered_and_costs_the_same_however_long_it_is(anna):
    web = browser_of(anna)
    scheduled(anna, [f"client{n}" for n in range(4)])
    with CaptureQueriesContext(connection) as few:
        web.get(url("email_list"))
    scheduled(anna, [f"person{n}" for n in range(60)])
    ScheduledEmail.objects.filter(recipient__startswith="person").update(status="failed", error="recipient")
    with CaptureQueriesContext(connection) as many:
        page = web.get(url("email_list"))
    assert len(many) == len(few) <= MOST_QUERIES, [query["sql"][:120] for query in many]
    assert len(page.context["troubled"]) == 20 and page.context["more_troubled"] and page.context["total"] == 64
    assert web.get(url("email_list", q="client3")).context["total"] == 1
    rows = web.get(url("email_list", status="failed"), headers={"HX-Request": "true", "HX-Target": "emails"})
    assert "<html" not in rows.text and rows.context["total"] == 60 and rows["HX-Push-Url"].endswith("?status=failed")


@in_threads
def test_a_quote_goes_out_with_a_template_in_the_clients_language(anna, server):
    project = make_job(anna)
    quote = make_quote(project, anna)
    web = browser_of(anna)
    templates.add_first_templates(project.organization, actor=anna)
    page = web.get(url("new", quote=quote.pk))
    assert page.context["template"].language == "fr" and "Bonjour Claire" in page.text and "Votre devis (its number)" in page.text
    assert "/p/…" in page.text and quote.links.count() == 0
    quote.refresh_from_db()
    assert quote.number == ""
    english = EmailTemplate.objects.get(kind="quote", language="en")
    part = web.get(url("new", quote=quote.pk, template=english.pk), headers={"HX-Request": "true", "HX-Target": "compose"})
    assert "<html" not in part.text and "Hello Claire" in part.text

    assert "btn-primary" not in web.get(url("quote_panel", quote.pk)).text
    quotes.make_ready(quote, actor=anna)
    assert "btn-primary" in web.get(url("quote_panel", quote.pk)).text, "nothing is left but to send it"
    answer = web.post(url("new", quote=quote.pk, template=english.pk), {"when": "later", "attach": "on"})
    assert answer.status_code == 422 and "Say when" in answer.text and not ScheduledEmail.objects.exists()
    answer = web.post(url("new", quote=quote.pk, template=english.pk), {"when": "now", "attach": "on"})
    assert answer["Location"] == reverse("documents:quote", args=[quote.pk])
    assert batch.send_due() == {"sent": 1} and server.taken[0][0] == "claire@faure.example"
    panel = web.get(url("quote_panel", quote.pk))
    assert "Sent" in panel.text and "btn-primary" not in panel.text and f"?quote={quote.pk}" in panel.text


def test_what_stands_in_the_way_is_said_before_anything_is_written(anna):
    project = make_job(anna)
    web = browser_of(anna)
    templates.add_first_templates(project.organization, actor=anna)
    draft = make_invoice(project, anna, issued=False)
    assert "Issue it first" in web.get(url("new", invoice=draft.pk)).text
    assert "is answered" in web.get(url("new", quote=accepted_quote(project, anna).pk)).text
    nobody = make_contact(project.organization, given_name="Max", email="")
    assert "no e-mail address" in web.get(url("new", contact=nobody.pk)).text
    assert web.post(url("new", contact=nobody.pk, template="none"), {"subject": "a", "text": "b"}).status_code == 200
    planned = make_template(project.organization, anna, name="Rendez-vous", text="Le {{ session.date }}")
    contact = make_contact(project.organization, email="b@c.example")
    page = web.get(url("new", contact=contact.pk, template=planned.pk))
    assert "session.date" in page.text and "disabled" in page.text
    assert web.post(url("new", contact=contact.pk, template=planned.pk), {"when": "now"}).status_code == 422
    assert web.get(url("new", contact="x")).status_code == 400
    assert "to whom" in web.get(url("new")).text
    assert not ScheduledEmail.objects.exists()


@in_threads
def test_a_message_by_hand_goes_out_in_its_request_and_stays_in_the_form_when_it_does_not(anna, server, monkeypatch):
    project = make_job(anna)
    invoice = make_invoice(project, anna)
    web = browser_of(anna)
    address = url("new", invoice=invoice.pk, template="none")
    written = {"subject": "Bonjour", "text": "Un **canari** & co.", "link": "on"}
    looking = web.post(address, written, headers={"HX-Request": "true", "HX-Target": "preview"})
    assert "<html" not in looking.text and "<strong>canari</strong> &amp; co." in looking.text and not ScheduledEmail.objects.exists()
    server.recipients["claire"] = "550 No such mailbox"
    failed = web.post(address, written)
    assert failed.status_code == 502 and "Un **canari** &amp; co.</textarea>" in failed.text and "address was refused" in failed.text
    server.recipients.clear()
    assert web.post(address, written)["Location"] == reverse("documents:invoice", args=[invoice.pk])
    message = server.to("claire@faure.example")[0]
    assert b"/p/" in message.replace(b"=\r\n", b"") and b"canari" in message
    server.contents["claire"] = "drop"
    row = ScheduledEmail.objects.latest("created_at")
    doubtful = web.post(address, written)
    row = ScheduledEmail.objects.get(status="unknown")
    assert doubtful["Location"] == url("email", row.pk)
    assert f"invoice={invoice.pk}" in web.get(url("email", ScheduledEmail.objects.get(status="failed").pk)).text
    server.contents.clear()
    monkeypatch.setattr(Marks, "_sent", lambda *_: ())  # what became of it cannot be written: nobody may say that it did not go out
    assert web.post(address, written)["Location"] == url("email", ScheduledEmail.objects.get(status="sending").pk)


def test_several_are_shown_before_any_is_written(anna):
    project = make_job(anna)
    organization = project.organization
    due, other = make_invoice(project, anna), make_invoice(project, anna)
    templates.add_first_templates(organization, actor=anna)
    reminder = EmailTemplate.objects.get(kind="reminder", language="fr")
    web = browser_of(anna)
    assert due.number in web.get(url("bulk")).text
    form = {"template": reminder.pk, "when": "now", "attach": "on", "pick": [due.pk, other.pk]}
    page = web.post(url("bulk", what="invoice"), form)
    assert "2 e-mails, as they will read" in page.text and f"facture {due.number}" in page.text and not ScheduledEmail.objects.exists()
    day = (timezone.localdate() + timedelta(days=2)).isoformat()
    web.post(url("bulk", what="invoice"), form | {"send": "1", "when": "later", "day": day, "time": "10:00"})
    assert ScheduledEmail.objects.filter(kind="reminder", status="scheduled", send_at__gt=timezone.now()).count() == 2

    contacts = contacts_named(organization, [f"c{n}" for n in range(30)])
    message = EmailTemplate.objects.get(kind="message", language="en")
    picked = {"template": message.pk, "when": "now", "pick": [contact.pk for contact in contacts[:3]]}
    with CaptureQueriesContext(connection) as few:
        web.post(url("bulk", what="message"), picked)
    with CaptureQueriesContext(connection) as many:
        web.post(url("bulk", what="message"), picked | {"pick": [contact.pk for contact in contacts]})
    assert len(few) == len(many) <= MOST_QUERIES
    assert web.post(url("bulk", what="message"), {"template": message.pk, "when": "now"}).status_code == 422


def test_links_of_markdown_lead_where_they_say():
    template = compile_text("", "[Lire]({{ link }}) ou [ici]( {{link}} ), {{ link }}, [mon site](www.studio.example)")
    words = filled(template, {"link": "https://aaperture.example/p/abc"}).html
    assert re.findall(r'href="([^"]*)"', words) == ["https://aaperture.example/p/abc"] * 3 + ["https://www.studio.example"]
    assert "{{" not in words and "[Lire]" not in words


def test_what_would_go_out_by_mistake_is_asked_about(anna, monkeypatch):
    organization, web = studio_of(anna), browser_of(anna)
    templates.add_first_templates(organization, actor=anna)
    message = EmailTemplate.objects.get(kind="message", language="fr")
    contact, _other, _third = contacts_named(organization, ["a", "b", "c"])
    day = (timezone.localdate() + timedelta(days=2)).isoformat()
    page = web.post(url("new", contact=contact.pk, template=message.pk), {"when": "now", "day": day, "time": "09:00"})
    assert page.status_code == 422 and "You named a day" in page.text and "The link is a sample" not in page.text
    never = {"when": "later", "day": "0001-01-01", "time": "00:00"}
    assert web.post(url("new", contact=contact.pk, template=message.pk), never).status_code == 422

    looking = {"headers": {"HX-Request": "true", "HX-Target": "preview"}}
    by_hand = url("new", contact=contact.pk, template="none")
    written = {"subject": "Bonjour", "text": "Pour {{ client.name }}"}
    assert web.post(by_hand, written).status_code == 422
    assert "filled in templates only" in web.post(by_hand, written, **looking).text
    assert "There is no placeholder" in web.post(url("template_edit", message.pk), written | {"text": "{{ x }}"}, **looking).text
    assert not ScheduledEmail.objects.exists()

    assert "Pick all 3" in web.get(url("bulk", what="message")).text
    monkeypatch.setattr(bulk, "MOST", 2)
    assert "the first 2" in web.get(url("bulk", what="message")).text
    for kind, language in (("reminder", "en"), ("reminder", "fr")):
        User.objects.filter(pk=anna.pk).update(language=language)
        first = next(iter(browser_of(anna).get(url("settings")).context["reminder_form"].fields["template"].queryset))
        assert (first.kind, first.language) == (kind, language)


def test_templates_are_written_with_known_placeholders_and_keep_their_versions(anna):
    web = browser_of(anna)
    assert "Begin with our templates" in web.get(url("settings")).text
    web.post(url("templates_first"))
    assert EmailTemplate.objects.count() == 10 and web.get(url("settings")).text.count("version 1") == 10
    web.post(url("templates_first"))
    assert EmailTemplate.objects.count() == 10
    words = {"kind": "quote", "language": "fr", "name": "Mien", "subject": "Bonjour {{ link }}", "text": "{{ client.password }}"}
    refused = web.post(url("template_add"), words)
    assert refused.status_code == 422 and "“client.password”" in refused.text and "“link”" in refused.text
    assert web.post(url("template_add"), words | {"name": "Devis", "subject": "a", "text": "b"}).status_code == 422
    web.post(url("template_add"), words | {"subject": "a", "text": "b {{ quote.total }}"})
    template = EmailTemplate.objects.get(name="Mien")
    assert "In brackets stands" in web.get(url("template_edit", template.pk)).text  # there is no quote yet
    looking = web.post(url("template_edit", template.pk), {"name": "Mien", "subject": "c", "text": "**d**", "preview": "1"})
    assert "<strong>d</strong>" in looking.text and template.versions.count() == 1
    web.post(url("template_edit", template.pk), {"name": "Mien", "subject": "c", "text": "**d**"})
    assert list(template.versions.order_by("number").values_list("subject", flat=True)) == ["a", "c"]
    assert "version 2" in web.get(url("template_edit", template.pk)).text
    web.post(url("template_archive", template.pk))
    assert web.get(url("template_edit", template.pk)).status_code == 404


def test_a_colleague_sees_and_does_what_their_role_may(anna):
    project = make_job(anna)
    invoice = make_invoice(project, anna)
    organization = project.organization
    [row] = scheduled(anna, ["one"])
    template = make_template(organization, anna, kind="invoice", name="F", subject="F", text="F")
    bill = emails.schedule_email(organization, template=template, document=invoice, actor=anna)
    assistant, accountant = browser_of(join(organization, "assistant")), browser_of(join(organization, "accountant"))
    assert assistant.get(url("email_list")).context["total"] == 1
    assert [assistant.get(url("email", pk)).status_code for pk in (row.pk, bill.pk)] == [200, 403]
    assert assistant.post(url("email_cancel", bill.pk)).status_code == 403
    assert assistant.get(url("new", invoice=invoice.pk)).status_code == 403
    assert assistant.get(url("bulk", what="invoice")).status_code == 403
    assert [assistant.get(url(name)).status_code for name in ("settings", "account", "template_add")] == [403, 403, 403]
    assert accountant.get(url("email_list")).status_code == 403 and accountant.get(url("settings")).status_code == 200
    assert accountant.get(url("invoice_panel", invoice.pk)).content == b""
    assert accountant.post(url("templates_first")).status_code == 403
    stranger = browser_of(make_user())
    assert stranger.get(url("new", invoice=invoice.pk)).status_code == 404
