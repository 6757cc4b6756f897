"""`/`, the page of today: what needs somebody, what comes next, how things stand; each part fetched, each part a page of its own."""

import re
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import User
from accounts.roles import Role
from accounts.today import Panel, register
from audit.alerts.models import Severity
from audit.alerts.services import report
from documents.models import Contract, Invoice
from documents.services import payments, quotes
from integrations.models import Connection
from mailing.models import ScheduledEmail
from studio.models import CalendarEvent, SessionCalendar
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of, make_studio
from tests.documents.papers import GROSS, accepted_quote, make_identity, make_invoice, make_quote
from tests.pages.look import LANGUAGES, look_at
from tests.studio.trade import make_contact, make_project, make_session
from tests.tracker.boards import fill_board

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12
HTMX = {"HX-Request": "true"}
PANELS = (
    "integrations:today_needs", "mailing:today_needs", "documents:today_needs", "studio:today_needs", "tracker:today_needs",
    "studio:today_sessions", "mailing:today_soon", "documents:today_money", "tracker:today_stages",
)  # fmt: skip


@pytest.fixture
def anna(db):
    studio, people = make_studio("Atelier Morel", anna="owner")
    return people["anna"], studio


def add_email(studio, contact, status, *, days=1, subject="Votre devis D-2026-0003", **fields):
    at = timezone.now() + timedelta(days=days)
    return ScheduledEmail.objects.create(
        organization=studio, contact=contact, recipient=contact.email, subject=subject, status=status, send_at=at, due_at=at,
        kind="message", message_id=f"<{ScheduledEmail.objects.count()}@aaperture.example>", **fields,
    )  # fmt: skip


def first_of_month(user):
    """Where they are: for an hour or two of each month that is another one than in UTC."""
    return timezone.localdate(timezone=ZoneInfo(user.timezone)).replace(day=1)


def put_to_work(studio, anna):
    """Something for every panel."""
    make_identity(studio, anna)
    contact = make_contact(studio, street="4 avenue du Parc", postcode="77950", city="Maincy", country="FR")
    project = make_project(studio, contact=contact)
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    make_session(project, anna, at=noon + timedelta(days=2))
    make_session(project, anna, at=noon + timedelta(days=5), status="tentative", hold_expires_at=timezone.now() + timedelta(days=1))
    make_session(project, anna, at=noon + timedelta(days=9), status="requested", title="Repérage au domaine de la Tour-Maubourg")
    quotes.mark_sent(make_quote(project, anna), actor=anna)
    paid, _open = make_invoice(project, anna), make_invoice(project, anna)
    payments.record_payment(paid, amount=Decimal(1000), paid_on=first_of_month(anna) - timedelta(days=1), method="transfer", actor=anna)
    add_email(studio, contact, "scheduled")
    add_email(studio, contact, "failed", days=-1, error="refused")
    add_email(studio, contact, "held", days=-1)
    mailbox = fill_board(anna, 9)
    Connection.objects.filter(pk=mailbox.pk).update(status="needs_reauth")


def panel(web, name, **headers):
    return web.get(reverse(name), headers=HTMX | headers)


def late_invoice(project, anna, *, days):
    """Issued in the past: the service dates what it issues today."""
    invoice = make_invoice(project, anna, issued=False)
    issued_on = timezone.localdate() - timedelta(days=days + 30)
    Invoice.objects.filter(pk=invoice.pk).update(
        status="issued", number=f"F-{days}", issued_on=issued_on, due_on=issued_on + timedelta(days=30), content={}
    )
    return invoice


def test_every_panel_is_fetched_and_is_a_page_of_its_own_without_scripts(anna):
    user, studio = anna
    put_to_work(studio, user)
    web = browser_of(user)
    page = web.get("/").text
    for name in PANELS:
        assert re.search(rf'<(li|section) [^>]*hx-get="{reverse(name)}".*?<a href="{reverse(name)}">', page, re.DOTALL), name
        with CaptureQueriesContext(connection) as asked:
            part = panel(web, name).text
        assert "<html" not in part and len(asked) <= MOST_QUERIES, (name, len(asked))
        whole = web.get(reverse(name)).text
        said = re.findall(r'<p class="strong">.*?</p>|<svg class="chart.*?</svg>|<a class="strong".*?</a>', part, re.DOTALL)
        assert said and "<html" in whole and all(words in whole for words in said), name
    assert re.search(r'<a href="/" aria-current="page"', page)


def test_who_has_just_come_finds_the_one_next_step_on_top(anna):
    user, studio = anna
    web, stages = browser_of(user), f'hx-get="{reverse("tracker:today_stages")}"'
    page = web.get("/").text
    assert page.count(stages) == 1 and page.index(stages) < page.index('id="needs"') < page.index(reverse("documents:today_money"))
    assert "Connect Gmail" in panel(web, "tracker:today_stages").text
    make_contact(studio)
    page = web.get("/").text
    assert page.count(stages) == 1 and page.index(stages) > page.index(reverse("documents:today_money"))


def test_what_needs_somebody_is_counted_named_and_leads_there(anna):
    user, studio = anna
    put_to_work(studio, user)
    project = studio.projects.get()
    for days in (2, 40, 3, 5):
        late_invoice(project, user, days=days)
    web = browser_of(user)
    page = panel(web, "documents:today_needs").text
    assert "4 invoices are overdue: €10,590.28" in page and page.index("F-40") < page.index("F-5") and "F-2<" not in page
    assert "?state=overdue" in page and "1 quote waits for its client: €2,647.57" in page and "contract" not in page.lower()
    quote = accepted_quote(project, user)
    page = panel(web, "documents:today_needs").text
    assert "1 quote is accepted: €2,647.57" in page and reverse("documents:quote", args=[quote.pk]) in page
    contract = Contract.objects.create(organization=studio, quote=quote)
    assert "is accepted" not in panel(web, "documents:today_needs").text  # its next step is under way
    contract.delete()
    Invoice.objects.create(organization=studio, quote=quote)
    assert "is accepted" not in panel(web, "documents:today_needs").text
    assert "1 e-mail failed or is in doubt" in panel(web, "mailing:today_needs").text
    page = panel(web, "studio:today_needs").text
    assert "1 hold runs out" in page and "choice" not in page
    calendar = SessionCalendar.objects.create(connection=Connection.objects.create(owner=user, provider="google_calendar", status="active"))
    session = studio.photo_sessions.get(status="requested")
    CalendarEvent.objects.create(calendar=calendar, session=session, event_id="e", conflict="changed")
    assert "1 session waits for your choice" in panel(web, "studio:today_needs").text
    assert "camille@example.test is cut off" in panel(web, "integrations:today_needs").text
    page = panel(web, "tracker:today_needs").text
    assert "2 opportunities wait for your answer" in page and "was due on" in page


def test_money_is_what_is_owed_and_twelve_months_of_it(anna):
    user, studio = anna
    assert "New quote" in panel(browser_of(user), "documents:today_money").text
    put_to_work(studio, user)
    late_invoice(studio.projects.get(), user, days=400)
    web = browser_of(user)
    page = panel(web, "documents:today_money").text
    # two issued today and one more than a year ago, of which 1,000 was paid last month
    owed, late = GROSS * 3 - 1000, GROSS
    assert re.findall(r"<dd[^>]*>([^<]+)", page) == [f"€{owed:,}", f"€{late:,}", "€0.00"] and 'class="late"' in page
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th><td>([^<]+)</td><td>([^<]+)</td></tr>', page)
    first = first_of_month(user)
    before = (first - timedelta(days=1)).replace(day=1)
    assert len(rows) == 12 and rows[-1] == (f"{first:%B %Y}", f"€{GROSS * 2:,}", "€0.00")
    assert rows[-2] == (f"{before:%B %Y}", "€0.00", "€1,000.00")


@pytest.mark.parametrize(
    ("role", "hidden"),
    [
        ("owner", set()), ("manager", set()), ("assistant", {"documents:today_money"}),
        ("accountant", {"mailing:today_needs", "studio:today_needs", "studio:today_sessions", "mailing:today_soon"}),
    ],
)  # fmt: skip
def test_a_panel_is_there_for_whom_may_see_what_is_in_it(anna, role, hidden):
    user, studio = anna
    put_to_work(studio, user)
    late_invoice(studio.projects.get(), user, days=3)
    studio.memberships.update(role=role)
    web = browser_of(user)
    page = web.get("/").text
    assert {name for name in PANELS if reverse(name) not in page} == hidden
    assert {name for name in PANELS if panel(web, name).status_code == 403} == hidden
    seen = panel(web, "documents:today_needs").text
    assert "quote waits" in seen and ("overdue" in seen) == (role != "assistant")


def test_nobody_sees_anothers_and_coaches_have_their_clients(anna):
    user, studio = anna
    put_to_work(studio, user)
    stranger = make_user(role=Role.COACH)
    web = browser_of(stranger)
    for name in PANELS:
        text = panel(web, name).text
        assert not re.search("Mariage|Faure|D-2026|camille@|F-2026", text), name
    assert reverse("tracker:today_clients") in web.get("/").text and "Nobody shows you" in panel(web, "tracker:today_clients").text
    assert reverse("tracker:today_clients") not in browser_of(user).get("/").text
    assert panel(browser_of(user), "tracker:today_clients").status_code == 403
    answer = Client().get("/")
    assert answer.status_code == 302 and answer["Location"].startswith(reverse("account_login"))


def test_staff_who_watch_find_the_alerts_there(db):
    watcher, member = browser_of(make_user(role=Role.EXECUTOR)), browser_of(make_user())
    url = reverse("today_alerts")
    assert url in watcher.get("/").text and "<li" not in panel(watcher, "today_alerts").text
    report("chain_broken", severity=Severity.CRITICAL)
    assert "1 security alert is not resolved" in panel(watcher, "today_alerts").text
    assert url not in member.get("/").text and member.get(url).status_code == 403


def test_a_panel_needs_a_place():
    with pytest.raises(ValueError, match="no place"):
        register(Panel("nowhere", "home", "x", 1))


def all_there(page):
    expect(page.locator("main [hx-trigger=load]")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_at_work_is_sound_in_every_look(page, axe, live_server, login, transactional_db, language):
    studio, people = make_studio("Atelier Morel", anna="owner")
    put_to_work(studio, people["anna"])
    late_invoice(studio.projects.get(), people["anna"], days=12)
    User.objects.filter(pk=people["anna"].pk).update(language=language)
    login(User.objects.get(pk=people["anna"].pk))
    assert look_at(page, axe, live_server.url + "/?" + language, ready=all_there) == []
    expect(page.locator(".need")).to_have_count(6)
    expect(page.locator(".needs-none")).to_be_hidden()


@pytest.mark.slow
def test_an_empty_page_teaches_and_without_scripts_it_leads_on(page, axe, live_server, login, browser, transactional_db):
    login(make_user(language="fr"))
    assert look_at(page, axe, live_server.url + "/?empty", ready=all_there) == []
    expect(page.locator(".needs-none")).to_be_visible()
    expect(page.locator(".btn-primary")).to_have_count(1)  # one next step
    plain = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state()).new_page()
    plain.goto(live_server.url)
    plain.get_by_role("link", name="Argent").click()
    expect(plain.get_by_role("link", name="Nouveau devis")).to_be_visible()
    plain.get_by_role("navigation", name="Fil").get_by_role("link").click()
    expect(plain).to_have_url(live_server.url + "/")
    plain.context.close()
