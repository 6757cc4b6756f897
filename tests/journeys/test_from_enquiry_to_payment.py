"""A photographer's whole job in a real browser, beside Google's calendar, a mail server and the client's own browser.

The opportunity of the page of today becomes a project and a session, which stands in Google Calendar and is moved there; the quote
goes out by scheduled mail, is accepted on the client's page, and becomes contract, deposit, balance, paid. Everything of it is on
the project's timeline.
"""

import email
import email.policy
import re
from datetime import timedelta

import pytest
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from documents.models import Contract, Invoice, Quote
from documents.services.templates import add_first_templates
from integrations import google_oauth
from mailing.models import ScheduledEmail
from mailing.sending import batch
from mailing.services import templates
from studio.calendar import syncing
from studio.models import CalendarEvent, PhotoSession, Project, SessionCalendar
from tests.accounts.people import make_user
from tests.documents.papers import make_identity
from tests.mailing.post import mail_server, use_server
from tests.pages.look import look_at
from tests.studio.google import ACCOUNT
from tests.studio.trade import DAY, YEAR, studio_of
from tests.tracker.boards import make_opportunity

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
JEANNE = "jeanne@faure.example"
TIMELINE = [  # as it came about
    "project.converted", "session.created", "session.moved_in_google", "quote.created", "email.scheduled", "email.sent", "quote.sent",
    "document.opened", "quote.accepted", "contract.created", "email.sent", "contract.sent", "document.opened", "contract.accepted",
    "invoice.created", "invoice.issued", "payment.recorded", "invoice.created", "invoice.issued", "payment.recorded",
]  # fmt: skip
WORDS = {
    "en": {
        "waits": "1 opportunity waits for your answer", "scheduled": "Scheduled: it goes out on", "soon": "Your quote D-",
        "agreed": "agreed on", "paid": "Paid", "nothing": "Nothing needs you at the moment", "received": "€2,220.00",
        "lines": [
            "Begun from a won opportunity", "Session moved to another time in Google Calendar", "E-mail “Your quote", "accepted",
            "Contract C-", "Invoice F-", "Payment of €666.00", "Payment of €1,554.00",
        ],
    },
    "fr": {
        "waits": "1 opportunité attend votre réponse", "scheduled": "Programmé\N{NO-BREAK SPACE}: il partira le", "soon": "Votre devis D-",
        "agreed": "a donné son accord le", "paid": "Payée", "nothing": "Rien ne vous attend pour l’instant",
        "received": "2\N{NARROW NO-BREAK SPACE}220,00\N{NO-BREAK SPACE}€",
        "lines": [
            "Commencé à partir d’une opportunité gagnée", "Google", "E-mail «", "accepté", "Contrat C-", "Facture F-",
            "666,00\N{NO-BREAK SPACE}€", "554,00\N{NO-BREAK SPACE}€",
        ],
    },
}  # fmt: skip


@pytest.fixture
def world(sandbox, live_server, settings, page):
    """Google, where the browser may go too, and a mail server: what it took."""
    settings.PUBLIC_URL = live_server.url
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | {"form-action": [*directives["form-action"], sandbox.url]}}
    google_oauth.documents.clear()
    page.allowed_origins.append(sandbox.url)
    with mail_server() as (told, port):
        use_server(port)
        yield sandbox, told


class Journey:
    """One browser at work, and what the clock does meanwhile."""

    def __init__(self, page, live_server, world):
        self.page, self.base = page, live_server.url
        self.google, self.told = world

    def open(self, path):
        self.page.goto(self.base + path)

    def press(self, action):
        """The button of the form that does so."""
        self.go_on(f'form[action$="{action}"] button:not([type=button])')

    def follow(self, address):
        self.go_on(f'main a[href*="{address}"]')

    def go_on(self, where):
        """To the next page: it may have what is looked for then in common with this one."""
        with self.page.expect_navigation():
            self.page.locator(where).first.click()

    def read_calendar(self):
        SessionCalendar.objects.update(read_due_at=timezone.now(), rung_until=None)
        for pk in syncing.ring():
            assert syncing.sync(pk)

    def let_the_time_come(self):
        """What is scheduled goes out; the link in the last mail to the client."""
        ScheduledEmail.objects.filter(status="scheduled").update(due_at=timezone.now(), send_at=timezone.now())
        assert batch.send_due() == {"sent": 1}
        message = email.message_from_bytes(self.told.to(JEANNE)[-1], policy=email.policy.default)
        assert any(part.get_content_type() == "application/pdf" for part in message.walk())
        return re.search(r"/p/[\w-]{43}", message.get_body(("plain",)).get_content())[0]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("fr", 390)])
def test_from_the_enquiry_to_the_last_payment(page, axe, live_server, login, browser, world, language, width):
    said = WORDS[language]
    anna = make_user(name="Anna", email="anna@studio.example", language=language, timezone="Europe/Paris")
    studio = studio_of(anna)
    make_identity(studio, anna)
    add_first_templates(studio, actor=anna)
    templates.add_first_templates(studio, actor=anna)
    make_opportunity(anna, stage="offer", ball="us", role="Mariage", contact_name="Jeanne Faure", contact_email=JEANNE)
    login(User.objects.get(pk=anna.pk))
    page.set_viewport_size({"width": width, "height": 844})
    go = Journey(page, live_server, world)

    connect_the_calendar(go)
    win_the_opportunity(go, said, language)
    project = Project.objects.get()
    move_it_in_google(go, said)
    quote_it_by_mail(go, said, project)
    accept(browser, live_server, go.let_the_time_come(), said, page.problems)
    assert Quote.objects.get().status == "accepted"
    sign_the_contract(go, said, browser, live_server)
    invoice_and_be_paid(go, said)

    lines = page.locator(".timeline li")
    go.open(reverse("studio:project_detail", args=[project.pk]))
    expect(lines).to_have_count(len(TIMELINE))
    assert list(project.timeline.order_by("at", "pk").values_list("kind", flat=True)) == TIMELINE
    for words in said["lines"]:
        expect(lines.filter(has_text=words).first).to_be_visible()
    go.open("/")
    expect(page.locator(".needs-none")).to_contain_text(said["nothing"])
    expect(page.locator(".figures")).to_contain_text(said["received"])
    pages = {"studio:session_detail": PhotoSession, "documents:quote": Quote, "documents:contract": Contract, "documents:invoice": Invoice}
    paths = ["/", reverse("studio:project_detail", args=[project.pk])]
    paths += [reverse(name, args=[model.objects.first().pk]) for name, model in pages.items()]
    other = (390, "dark") if width == 1280 else (1280, "light")
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=[other])] == []


def connect_the_calendar(go):
    go.open(reverse("integrations:calendar_connect"))
    go.page.locator("main form .btn-primary").click()
    go.page.get_by_role("button", name=re.compile(ACCOUNT)).click()
    go.page.get_by_role("button", name="Continue").click()
    go.page.wait_for_url(go.base + "/**")
    go.read_calendar()


def win_the_opportunity(go, said, language):
    page = go.page
    go.open("/")
    page.locator(".need", has_text=said["waits"]).get_by_role("link", name="Mariage").click()
    page.locator("#id_to").select_option("won")
    go.press("/move/")
    go.follow("/convert/")
    page.locator("#id_language").select_option(language)
    page.locator("#id_session-type").select_option("wedding")
    for name, value in (("day", f"{YEAR}-06-12"), ("start", "14:00"), ("end", "18:00"), ("place", "Domaine des Vignes")):
        page.locator(f"#id_session-{name}").fill(value)
    page.locator("#id_session-status").select_option("confirmed")
    go.go_on("main form .btn-primary")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mariage")


def move_it_in_google(go, said):
    page, session = go.page, PhotoSession.objects.get()
    go.read_calendar()
    go.open(reverse("studio:session_detail", args=[session.pk]))
    expect(page.locator("#in-calendar")).to_contain_text("Anna")
    assert CalendarEvent.objects.filter(written=F("wanted")).exclude(etag="").get().session == session
    page.goto(f"{go.google.url}/calendar/{ACCOUNT}")
    event = page.get_by_role("article", name=re.compile("Mariage"))
    event.get_by_label("Day").fill(f"{YEAR}-06-13")
    event.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{DAY + timedelta(days=1):%a %d %b %Y}, 14:00–18:00")).to_be_visible()
    go.read_calendar()
    session.refresh_from_db()
    assert session.starts_at == DAY + timedelta(days=1)


def quote_it_by_mail(go, said, project):
    page = go.page
    go.open(reverse("studio:project_detail", args=[project.pk]))
    go.follow("/quotes/add/")
    page.locator("#id_lines-0-description").fill("Reportage")
    page.locator("#id_lines-0-unit_price").fill("1850")
    go.go_on("main .form-actions .btn-primary")
    go.press("/ready/")
    go.follow("/emails/new/")
    page.locator("input[name=when][value=later]").check()
    page.locator("#id_day").fill((timezone.localdate() + timedelta(days=2)).isoformat())
    page.locator("#id_time").fill("09:00")
    go.go_on("#compose form[method=post] .btn-primary")
    expect(page.locator("#messages")).to_contain_text(said["scheduled"])
    go.open("/")
    expect(page.locator("section", has=page.locator("#today-soon"))).to_contain_text(said["soon"])
    assert Quote.objects.get().status == "draft" and not go.told.taken


def accept(browser, live_server, path, said, problems):
    """The client, in a browser of their own, which is as strict: a violation of the policy is an error in its console."""
    client = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    client.on("console", lambda message: problems.append(("client", message.text)) if message.type == "error" else None)
    client.on("pageerror", lambda error: problems.append(("client", str(error))))
    client.goto(live_server.url + path)
    client.locator("#id_name").fill("Jeanne Faure")
    client.locator("#id_words").fill("bon pour accord")
    client.locator('form[action$="/accept/"] .btn-primary').click()
    expect(client.locator("main")).to_contain_text(said["agreed"])
    client.context.close()


def sign_the_contract(go, said, browser, live_server):
    go.open(reverse("documents:quote", args=[Quote.objects.get().pk]))
    go.follow("/contracts/add/")
    go.go_on("main .form-actions .btn-primary")
    go.press("/ready/")
    go.follow("/emails/new/")
    go.go_on("#compose form[method=post] .btn-primary")
    accept(browser, live_server, go.let_the_time_come(), said, go.page.problems)
    assert Contract.objects.get().status == "accepted"


def invoice_and_be_paid(go, said):
    page, quote = go.page, Quote.objects.get()
    for act in ("/deposit/", "/balance/"):
        go.open(reverse("documents:quote", args=[quote.pk]))
        go.press(act)
        go.follow("/issue/")
        go.go_on("main form .btn-primary")
        page.locator("details:has(form[action$='/pay/']) summary").click()
        go.press("/pay/")
        expect(page.locator(".top .badge")).to_have_text(said["paid"])
