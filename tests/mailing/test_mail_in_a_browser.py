"""The pages of e-mail in a browser: sound in every look, and several mails written to and timed at once."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from mailing.models import EmailTemplate, ReminderRule, ScheduledEmail, SendingAccount
from mailing.services import emails, templates
from tests.accounts.people import make_user
from tests.documents.papers import make_invoice, make_job, make_quote
from tests.mailing.post import contacts_named, make_template
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.trade import studio_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
Status = ScheduledEmail.Status
LONG = "Votre devis pour le mariage de Marie-Charlotte de la Tour-Maubourg et Jean-Baptiste à Saint-Rémy-lès-Chevreuse"


def url(name, *args, **query):
    return reverse(f"mailing:{name}", args=args, query=query)


def busy_post(anna):
    """A mail of every status, some with documents, a reply of a server and files gone; the newest template and a rule."""
    project = make_job(anna)
    studio = project.organization
    templates.add_first_templates(studio, actor=anna)
    words = make_template(studio, anna, name="Bonjour de loin", subject=LONG)
    rows = emails.schedule_emails(studio, template=words, targets=contacts_named(studio, list(Status.values)), actor=anna)
    errors = {Status.FAILED: ("recipient", "550 5.1.1 no such user here"), Status.UNKNOWN: ("lost", ""), Status.HELD: ("auth", "535 no")}
    for number, (row, status) in enumerate(zip(rows, Status.values, strict=True)):
        error, reply = errors.get(status, ("", ""))
        sent_at = timezone.now() - timedelta(days=number) if status == Status.SENT else None
        ScheduledEmail.objects.filter(pk=row.pk).update(status=status, error=error, error_reply=reply, sent_at=sent_at)
    ReminderRule.objects.create(organization=studio, days=7, template=EmailTemplate.objects.filter(kind="reminder", language="fr").get())
    return project, {row.recipient.partition("@")[0]: row for row in rows}


def test_pages_of_mail_are_sound(page, axe, live_server, login, transactional_db):
    anna = make_user(name="Anna", language="fr")
    project, rows = busy_post(anna)
    quote, invoice = make_quote(project, anna), make_invoice(project, anna)
    SendingAccount.objects.create(organization=project.organization, host="smtp.example", port=465, username="anna", password="x",
                                  from_email="anna@studio.example", from_name="Anna")  # fmt: skip
    login(User.objects.get(pk=anna.pk))
    words = EmailTemplate.objects.filter(kind="quote", language="fr").get()
    for path in (url("email_list") + "?", url("settings")):
        assert look_at(page, axe, live_server.url + path) == []
    paths = [url("email", rows[name].pk) for name in ("unknown", "scheduled")]
    paths += [
        url("email_list", q="nobody"), url("new"), url("new", quote=quote.pk), url("new", invoice=invoice.pk, template="none"),
        url("bulk"), url("bulk", what="message"), url("template_edit", words.pk), url("account"),
    ]  # fmt: skip
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []


def test_empty_pages_of_mail_are_sound(page, axe, live_server, login, transactional_db):
    login(make_user(language="fr"))
    paths = [url(name) for name in ("email_list", "settings", "bulk", "new", "account")]
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []


def test_several_are_written_to_at_a_time_and_one_is_found_and_called_back(page, axe, live_server, login, transactional_db):
    anna = make_user(name="Anna", language="en", timezone="Europe/Paris")
    studio = studio_of(anna)
    templates.add_first_templates(studio, actor=anna)
    contacts_named(studio, ["claire", "paul", "zoe"])
    login(anna)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + url("email_list"))
    expect(page.get_by_role("heading", name="Mail to your clients")).to_be_visible()
    page.goto(live_server.url + url("bulk", what="message"))
    for name in ("Claire", "Zoe"):
        page.get_by_label(name).check()
    page.get_by_label("At a time that I choose").check()
    day = timezone.localdate() + timedelta(days=3)
    page.locator("#id_day").fill(day.isoformat())
    page.locator("#id_time").fill("09:30")
    page.get_by_role("button", name="Preview all").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("2 e-mails")
    assert axe() == []
    page.get_by_role("button", name="Send 2 e-mails").click()
    expect(page.locator("#messages")).to_contain_text("2 e-mails go out on")
    page.get_by_role("searchbox").press_sequentially("zo")
    page.wait_for_url("**?q=zo")  # "z" finds as many, and a row that is about to be replaced is not to be clicked
    expect(page.locator("#emails tbody tr")).to_have_count(1)
    expect(page.locator("#found")).to_have_text("1 e-mail")
    page.locator("#emails tbody a").first.click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#messages")).to_contain_text("It is cancelled.")
    assert sorted(ScheduledEmail.objects.values_list("status", flat=True)) == ["cancelled", "scheduled"]
