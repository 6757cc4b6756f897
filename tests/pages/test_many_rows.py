"""Every page of the trade asks the database at most twelve times, and answers, with 10,000 contacts and 50,000 documents."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse
from django.utils import timezone

from documents.models import ContractTemplate, Payment, Quote
from documents.services import contracts
from documents.services.templates import add_first_templates
from mailing.models import ReminderRule, ScheduledEmail
from studio.models import ContactImport
from tests.accounts.studios import browser_of, make_studio
from tests.mailing.post import make_template
from tests.multiplied import fill_studio
from tests.pages.test_today import add_email, put_to_work
from tests.urlconf import every_url

MOST_QUERIES = 12
SPACES = ("home", "studio:", "documents:", "mailing:", "integrations:today_", "tracker:today_needs", "tracker:today_stages")
OTHERWISE = {  # a file in the object store; what was not done here; whoever has a link
    "mailing:file", "mailing:file_remove", "studio:contact_import_undo", "studio:session_calendar", "mailing:account_remove",
    "documents:client", "documents:client_open", "documents:client_pdf", "documents:client_accept", "documents:client_decline",
}  # fmt: skip
ASKED = ("?q=n7&page=2", "?page=100", "?state=overdue&status=sent&when=past&what=invoice")


def routes() -> Iterator[tuple[str, bool]]:
    """The name of every page, and whether it is of one thing."""
    for name, _route, pattern in every_url(get_resolver()):
        if name.startswith(SPACES) and name not in OTHERWISE:
            yield name, bool(pattern.pattern.regex.groupindex)


@pytest.fixture
def things(db):
    """Somebody of a studio that has very much, and one of each thing by the beginning of the routes about it."""
    studio, people = make_studio("Atelier Morel", anna="owner")
    anna = people["anna"]
    put_to_work(studio, anna)
    project = studio.projects.get()
    add_first_templates(studio, actor=anna)
    fields = {"contact": project.contact, "project": project, "subject": "C", "text": "x", "language": "fr"}
    contract = contracts.mark_sent(contracts.create_contract(studio, fields=fields, actor=anna), actor=anna)
    add_email(studio, project.contact, "sent", days=-1, sent_at=timezone.now() - timedelta(days=1))
    words = make_template(studio, anna, kind="reminder")
    payment = Payment.objects.get()
    one = {
        "studio:contact_import_": ContactImport.objects.create(organization=studio, columns=["name"], content="name\nx"),
        "studio:contact_": project.contact, "studio:session_add": project, "studio:session_": studio.photo_sessions.first(),
        "studio:": project, "documents:template_": ContractTemplate.objects.first(), "documents:quote": Quote.objects.get(),
        "documents:contract": contract, "documents:invoice": payment.invoice, "documents:payment_": payment,
        "documents:contact_panel": project.contact, "documents:project_panel": project, "mailing:template_": words,
        "mailing:rule_": ReminderRule.objects.create(organization=studio, days=7, template=words), "mailing:invoice": payment.invoice,
        "mailing:email": ScheduledEmail.objects.get(status="sent"), "mailing:contact_panel": project.contact,
        "mailing:quote_panel": Quote.objects.get(), "mailing:contract_panel": contract,
    }  # fmt: skip
    fill_studio(studio, contacts=10_000, documents=50_000, emails=5_000)
    return anna, one


@pytest.mark.slow
def test_every_page_asks_at_most_twelve_times_however_much_there_is(things):
    anna, one = things
    web = browser_of(anna)
    asked = {}
    for name, of_one in routes():
        caches["limits"].clear()
        arguments = [next(thing.pk for prefix, thing in one.items() if name.startswith(prefix))] if of_one else []
        lists = [reverse(name) + query for query in ASKED] if name.endswith(("_list", "_agenda", ":bulk")) else []
        for path in [reverse(name, args=arguments), *lists]:
            with CaptureQueriesContext(connection) as seen:
                answer = web.get(path)
            assert answer.status_code in {200, 302, 405}, (path, answer.status_code)
            if answer.status_code == 200:
                asked[path] = len(seen)
    assert len(asked) > 80 and max(asked.values()) <= MOST_QUERIES, {path: n for path, n in asked.items() if n > MOST_QUERIES}
