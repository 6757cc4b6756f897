"""Contributing in a real browser: paid, declined, tried again, monthly, cancelled, refunded; and every page in every look."""

import pytest
from playwright.sync_api import expect

from billing.models import Contribution, StripeEvent, Subscription
from billing.services import refunds
from tests.accounts.people import PASSWORD, make_user
from tests.billing.till import Till
from tests.pages.look import look_at
from tests.pages.test_console_pages import KNOWN
from tests.process import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def counter(till: Till, live_server, settings, page) -> Till:
    """Stripe's events reach the live server by themselves; `work()` is the worker."""
    settings.PUBLIC_URL = live_server.url
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | {"form-action": [*directives["form-action"], till.sandbox.stripe_url]}}
    page.allowed_origins.append(till.sandbox.stripe_url)
    hook = {"url": f"{live_server.url}/stripe/webhook", "held": False, "retry_after": 0.2}
    till.sandbox.control("POST", "stripe/webhooks", hook)
    return till


def arrived(counter: Till) -> None:
    """Every event has been stored and applied."""
    assert eventually(lambda: counter.sandbox.control("GET", "stripe/webhooks")["waiting"] == 0, within=60)
    counter.work()
    assert StripeEvent.objects.exclude(status__in=["applied", "ignored"]).count() == 0


def test_contributing_from_the_first_try_to_the_refund(page, live_server, counter, login, member):
    login(member)
    page.clock.install()
    page.goto(live_server.url + "/contribute/")
    page.get_by_label("Another amount").fill("12,50")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("12.50 €")
    page.get_by_role("button", name="Pay with a card that is declined").click()
    expect(page.get_by_role("alert")).to_contain_text("declined")
    page.get_by_role("link", name="Back to the site").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was paid")

    page.get_by_text("€30").click()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("heading", name="Waiting for Stripe’s word")).to_be_visible()
    arrived(counter)
    page.clock.run_for(2_100)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="See your contributions").click()
    page.get_by_role("link", name="Receipt").click()
    page.wait_for_url("**/receipts/**")
    expect(page.get_by_role("main")).to_contain_text("€30")

    page.goto(live_server.url + "/contribute/?rhythm=monthly")
    page.get_by_text("€10").click()
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_role("heading", name="Waiting for Stripe’s word")).to_be_visible()
    arrived(counter)
    page.clock.run_for(2_100)
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.get_by_role("link", name="See your contributions").click()
    page.get_by_label("Amount each month").fill("20")
    page.get_by_role("button", name="Change the amount").click()
    expect(page.get_by_role("status")).to_contain_text("€20")
    page.get_by_role("link", name="Cancel it").click()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing more will be charged")
    assert Subscription.objects.get().ends_at_period_end

    login(make_user(role="admin", password=PASSWORD))
    give_back(page, live_server, "€30", "20,00")
    for pk in refunds.due():
        refunds.send(pk)
    arrived(counter)
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("Partly refunded")
    StripeEvent.objects.filter(type="charge.refunded").update(status="failed", error="resource_missing")
    page.goto(live_server.url + "/admin/billing/stripeevent/?status__exact=failed")
    page.get_by_role("row", name="charge.refunded").get_by_role("checkbox").check()
    page.get_by_role("combobox", name="Action").select_option("Apply again")
    page.get_by_role("button", name="Go", exact=True).last.click()
    expect(page.get_by_role("main")).to_contain_text("1 event to be applied again")
    arrived(counter)
    page.goto(live_server.url + "/admin/billing/months/")
    expect(page.get_by_role("img", name="Contributions by month, in EUR")).to_be_visible()

    login(member)
    page.goto(live_server.url + "/contribute/")
    expect(page.get_by_role("region", name="What you have contributed")).to_contain_text("€20 refunded")


def give_back(page, live_server, sum_: str, amount: str) -> None:
    """In the console, from the list to the refund, which asks who it is."""
    page.goto(live_server.url + "/admin/billing/contribution/")
    page.get_by_role("row", name=sum_).get_by_role("link").first.click()
    page.get_by_role("link", name="Refund").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("main")).to_contain_text("It cannot be undone")
    page.get_by_label("Amount").fill(amount)
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_role("main")).to_contain_text("The refund is on its way")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_of_contributions_is_sound(page, axe, live_server, till, login, member, language, contributors_only):
    member.language = language
    member.save()
    till.pay(member, 500, rhythm="monthly")
    till.do("refund-part", till.pay(member, 3000)["payment_intent"], amount=1000)
    till.deliver()
    other = make_user(language=language)
    login(member)
    receipt = Contribution.objects.get(amount=3000)
    pages = ["/contribute/", "/contribute/?rhythm=monthly", "/contribute/monthly/cancel/", f"/contribute/receipts/{receipt.pk}/"]
    faults = [fault for path in pages for fault in look_at(page, axe, live_server.url + path)]
    till.open(other, 1500)
    login(other)
    faults += look_at(page, axe, live_server.url + "/contribute/thanks/")
    assert faults == [] and page.locator("html").get_attribute("lang") == language


def test_the_console_of_contributions_is_sound(page, axe, live_server, till, login, member):
    till.pay(member, 3000)
    admin = make_user(role="admin")
    login(admin)
    row = Contribution.objects.get()
    pages = [f"contribution/{row.pk}/change/", "contribution/", "stripeevent/", "contributionterms/", "promocode/add/", "months/"]
    faults = [
        fault for path in pages for fault in look_at(page, axe, f"{live_server.url}/admin/billing/{path}", known=KNOWN, preload=False)
    ]
    assert faults == []
