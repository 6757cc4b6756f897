"""The page that asks, and what may be asked for."""

import json
import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.utils import timezone

from audit.models import Activity
from billing.models import Checkout, Contribution, ContributionTerms, PromoCode, StripeEvent, Subscription
from billing.services import checkouts, is_premium, monthly
from tests import processes
from tests.accounts.people import make_user
from tests.billing.till import Till, post
from tests.test_settings import good, start

pytestmark = pytest.mark.django_db
BEGIN = """
from accounts.models import User
from billing.services import checkouts
print(checkouts.begin(User.objects.get(), rhythm="monthly", amount=500))
"""


@pytest.fixture
def web(client: Client, member) -> Client:
    client.force_login(member)
    return client


def pages_made(till: Till) -> int:
    return len([one for one in till.sandbox.control("GET", "stripe")["objects"] if one["object"] == "checkout.session"])


def test_the_browser_is_led_to_the_payment_page_and_machines_get_its_address(till, web):
    sent = {"rhythm": "once", "amount": "15.00", "other": "", "metadata[user_id]": "someone-else", "user_id": "x", "currency": "usd"}
    sent |= {"card[number]": "4242424242424242", "card[cvc]": "737"}
    led = web.post("/payment/checkout", sent)
    assert led.status_code == 302 and led["Location"].startswith(f"{till.sandbox.stripe_url}/c/pay/cs_test_")
    told = web.post("/payment/checkout", sent, headers={"accept": "application/json"})
    assert told.json() == {"url": led["Location"]} and pages_made(till) == 1  # two tabs, one page
    (asked,) = [one["params"] for one in till.asked("/v1/checkout") if one["method"] == "POST"]
    assert asked["metadata"] == {"user_id": str(Checkout.objects.get().user_id)} and "usd" not in json.dumps(asked)
    kept = [str(row) for model in (Checkout, Activity) for row in model.objects.values()]
    assert "4242" not in json.dumps(asked) and kept and not any("4242424242424242" in row for row in kept)


def test_nothing_here_takes_a_card():
    """R-016: no column and no field of a form is made for one."""
    card = re.compile(r"card_?(number|no\b)|\bcvc|\bcvv|cc-(number|csc|exp)|\bpan\b", re.IGNORECASE)
    columns = [str(field) for model in apps.get_models() for field in model._meta.concrete_fields]
    pages = [path.read_text() for path in (settings.BASE_DIR / "templates").rglob("*.html")]
    fields = [name for page in pages for name in re.findall(r'(?:name|autocomplete)="([^"]+)"', page)]
    assert len(columns) > 500 and len(fields) > 50 and [name for name in columns + fields if card.search(name)] == []


def test_another_amount_closes_the_page_before(till, web, member):
    first = till.open(member, 1500)
    second = till.open(member, 3000)
    assert first != second and till.do("forget", first)["status"] == "expired"
    assert set(Checkout.objects.values_list("status", flat=True)) == {"open", "replaced"}


def test_a_page_that_has_just_been_paid_is_not_opened_again(till, web, member):
    till.do("pay", till.open(member, 1500))
    answer = web.post("/payment/checkout", {"rhythm": "once", "other": "30"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/contribute/thanks/" and b"Thank you" in answer.content
    assert Contribution.objects.get().amount == 1500 and pages_made(till) == 1


@pytest.mark.parametrize("amount", ["0.99", "1000.01", "-5", "1e9", "12.345", "abc", "", "NaN", "0"])
def test_amounts_outside_the_terms_are_refused(till, web, amount):
    answer = web.post("/payment/checkout", {"rhythm": "once", "other": amount}, headers={"accept": "application/json"})
    assert answer.status_code == 400 and answer.json()["code"] == "amount" and pages_made(till) == 0
    page = web.post("/payment/checkout", {"rhythm": "monthly", "other": amount})
    assert page.status_code == 400 and b"How much each month?" in page.content and b"errorlist" in page.content


def test_who_contributes_monthly_changes_it_instead(till, web, member):
    till.pay(member, 500, rhythm="monthly")
    answer = web.post("/payment/checkout", {"rhythm": "monthly", "other": "7"}, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_monthly")
    assert web.post("/contribute/monthly/change/", {"amount": "0.10"}).status_code == 400
    assert web.post("/contribute/monthly/change/", {"amount": "7,50"}).status_code == 302
    page = web.get("/contribute/").content.decode()
    assert "€7.50 a month" in page and "The next charge is on" in page
    assert web.get("/contribute/monthly/cancel/").status_code == 200
    web.post("/contribute/monthly/cancel/")
    assert "nothing more is charged" in web.get("/contribute/").content.decode() and Subscription.objects.get().ends_at_period_end
    web.post("/contribute/monthly/resume/")
    assert not Subscription.objects.get().ends_at_period_end


def test_while_stripe_is_down_nothing_changes_and_the_page_says_so(till, web, member):
    till.pay(member, 500, rhythm="monthly")
    till.sandbox.control("POST", "faults", {"status": 503, "path": "/stripe/v1/"})
    answer = web.post("/payment/checkout", {"rhythm": "once", "other": "7"}, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    for path in ("change/", "cancel/"):
        said = web.post(f"/contribute/monthly/{path}", {"amount": "9"}, follow=True)
        assert b"Stripe does not answer" in said.content
    row = Subscription.objects.get()
    assert (row.amount, row.ends_at_period_end) == (500, False)


def test_a_lost_answer_leads_to_the_same_page(till, web, member):
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/checkout/sessions"})
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/checkout/sessions"})  # the library tries twice
    with pytest.raises(checkouts.gateway.StripeUnavailable):
        checkouts.begin(member, rhythm="once", amount=1500)
    assert Checkout.objects.get().session_id is None
    till.open(member, 1500)
    assert pages_made(till) == 1 and Checkout.objects.get().session_id


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_tabs_side_by_side_get_one_page(till, member):
    assert len(set(processes.outputs(processes.start(BEGIN, times=3)))) == 1 and pages_made(till) == 1


def test_the_thank_you_page_waits_for_stripe_and_does_not_keep_a_session_alive(till, web, member):
    assert b"Nothing under way" in web.get("/contribute/thanks/").content
    session = till.open(member, 1500)
    assert b"Waiting for Stripe" in web.get("/contribute/thanks/").content and b"every 2s" in web.get("/contribute/thanks/").content
    store = web.session
    store["seen_at"] = seen = int(timezone.now().timestamp()) - 600
    store.save()
    Checkout.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    polled = web.get("/contribute/thanks/status/", headers={"hx-request": "true"})
    assert b"longer than usual" in polled.content and web.session["seen_at"] == seen
    till.do("pay", session)
    assert b"longer than usual" in web.get("/contribute/thanks/status/", headers={"hx-request": "true"}).content  # paid, not heard of
    till.deliver()
    told = web.get("/contribute/thanks/status/", headers={"hx-request": "true"})
    assert b"Thank you" in told.content and b"hx-get" not in told.content


def test_history_and_receipts_are_their_owners(till, web, member):
    till.pay(member, 1500)
    till.pay(make_user(), 4700)
    page = web.get("/contribute/").content.decode()
    row = member.contributions.get()
    assert "€15" in page and "€47" not in page
    receipt = web.get(f"/contribute/receipts/{row.pk}/")
    assert row.payment_intent.encode() in receipt.content
    other = Contribution.objects.exclude(pk=row.pk).get()
    assert web.get(f"/contribute/receipts/{other.pk}/").status_code == 404
    assert other.payment_intent not in page + receipt.content.decode()


def test_an_instance_without_stripe_asks_for_nothing(settings, web):
    settings.STRIPE_SECRET_KEY = ""
    page = web.get("/contribute/")
    assert b"takes no contributions" in page.content and b'href="/contribute/"' not in web.get("/settings/profile/").content
    assert web.post("/payment/checkout", {"rhythm": "once", "other": "7"}).status_code == 404
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_sandbox", []  # Stripe's word could not be told from others'
    assert web.post("/payment/checkout", {"rhythm": "once", "other": "7"}).status_code == 404
    settings.STRIPE_WEBHOOK_SECRET, settings.DISABLED_INTEGRATIONS = ["whsec_sandbox"], ["stripe"]
    assert web.post("/payment/checkout", {"rhythm": "once", "other": "7"}).status_code == 404


# --- codes


@pytest.fixture
def code(db) -> PromoCode:
    later = timezone.now() + timedelta(days=10)
    return PromoCode.objects.create(code="STUDIO2026", days=30, expires_at=later, max_uses=2)


@pytest.mark.usefixtures("contributors_only")
def test_a_code_gives_premium_that_ends_by_itself(web, member, code):
    assert not is_premium(member)
    assert web.post("/contribute/promo/", {"code": " studio 2026"}).status_code == 302
    grant = member.promo_grants.get()
    assert is_premium(member) and grant.ends_at - grant.granted_at == timedelta(days=30)
    again = web.post("/contribute/promo/", {"code": "STUDIO2026"})
    assert again.status_code == 400 and b"used this code already" in again.content
    code.refresh_from_db()
    assert code.uses == 1
    member.promo_grants.update(ends_at=timezone.now())
    assert not is_premium(member)


def test_a_code_runs_out_by_use_and_by_date(client, code):
    def use(text: str) -> int:
        client.force_login(make_user())
        return client.post("/contribute/promo/", {"code": text}).status_code

    assert [use("STUDIO2026") for _ in range(3)] == [302, 302, 400]
    PromoCode.objects.update(max_uses=9, expires_at=timezone.now())
    assert use("STUDIO2026") == 400 == use("NOTHING")


def test_coaches_and_their_clients_are_premium_where_the_terms_say_so(contributors_only, member):
    from accounts.models import CoachLink

    coach = make_user(role="coach")
    link = CoachLink.objects.create(coach=coach, client=member)
    assert is_premium(coach) and not is_premium(member)
    link.accepted_at = timezone.now()
    link.save()
    assert is_premium(member)
    link.ends_at = timezone.now()
    link.save()
    assert not is_premium(member)
    ContributionTerms.objects.create(pk=1, coaches_are_premium=False, coached_are_premium=False)
    CoachLink.objects.update(ends_at=None)
    assert not is_premium(coach) and not is_premium(member)


def test_the_instance_says_who_is_premium(member):
    from accounts.models import InstanceSettings

    for premium_for, answer in (("everyone", True), ("nobody", False), ("contributors", False)):
        InstanceSettings.objects.update_or_create(pk=1, defaults={"premium_for": premium_for})
        assert is_premium(member) is answer
    member.is_active = False
    InstanceSettings.objects.update(premium_for="everyone")
    assert not is_premium(member)


# --- the webhook


EVENT = {
    "id": "evt_1", "object": "event", "type": "invoice.paid", "livemode": False, "created": 1_790_000_000,
    "api_version": "2026-10-28.endive",
    "data": {"object": {"id": "in_1", "object": "invoice"}},
}  # fmt: skip


def test_only_what_stripe_signed_just_now_is_stored(till, settings):
    from audit.models import Activity

    now = timezone.now().timestamp()
    refusals = [
        post(EVENT, secret="whsec_wrong"), post(EVENT, at=now - 301), post(EVENT | {"livemode": True}), post(EVENT | {"object": "thing"}),
        post({"id": "evt_1"}), post(EVENT | {"data": []}), till.client.post("/stripe/webhook", EVENT, content_type="application/json"),
        till.client.post("/stripe/webhook", b"\xff", content_type="application/json", headers={"stripe-signature": "t=1,v1=00"}),
    ]  # fmt: skip
    assert [one.status_code for one in refusals] == [400] * 8 and not StripeEvent.objects.exists()
    assert Activity.objects.filter(action="stripe.webhook_refused").count() == 8 and till.client.get("/stripe/webhook").status_code == 405
    settings.STRIPE_WEBHOOK_SECRET = ["whsec_newer", "whsec_sandbox"]  # while one replaces the other
    assert [post(EVENT).status_code, post(EVENT, secret="whsec_newer").status_code] == [200, 200]
    assert StripeEvent.objects.get().status == "received"
    assert post(EVENT | {"id": "evt_2", "type": "product.created"}).status_code == 200
    assert StripeEvent.objects.get(event_id="evt_2").status == "ignored"
    settings.STRIPE_SECRET_KEY = "rk_live_" + "x"
    assert post(EVENT | {"id": "evt_3"}).status_code == 400 and post(EVENT | {"id": "evt_3", "livemode": True}).status_code == 200


def test_an_event_that_nobody_survives_is_given_up_and_shown(till):
    post(EVENT)
    StripeEvent.objects.update(attempts=60)
    till.work()
    assert StripeEvent.objects.values_list("status", "error").get() == ("failed", "attempts")


def test_forms_may_lead_to_stripe_and_production_to_no_other(settings):
    assert "https://checkout.stripe.com" in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"]
    refused = start(good() | {"STRIPE_API_BASE": "https://stripe.sandbox.test"})
    assert refused.returncode == 78 and "STRIPE_API_BASE is for a sandbox" in refused.stderr


def test_a_hundred_a_minute_and_no_more(till):
    statuses = [till.client.post("/stripe/webhook", b"{}", content_type="application/json").status_code for _ in range(101)]
    assert statuses.count(400) == 100 and statuses[-1] == 429


def test_events_wait_while_stripe_is_down(till, member):
    till.do("pay", till.open(member, 1500))
    till.sandbox.control("POST", "faults", {"status": 500, "path": "/stripe/v1/"})
    till.deliver()
    event = StripeEvent.objects.get(type="checkout.session.completed")
    assert (event.status, event.attempts) == ("received", 1) and event.due_at > timezone.now() and not Contribution.objects.exists()
    till.sandbox.control("DELETE", "faults")
    StripeEvent.objects.update(due_at=timezone.now())
    till.work()
    assert Contribution.objects.get().status == "paid" and "received" not in till.statuses()


def test_an_answer_that_was_asked_for_earlier_overwrites_nothing(till, member):
    """Two workers: the one that asked first writes last."""
    from billing.services import applying, facts

    session = till.pay(member, 1500)
    early = facts.about("checkout.session", session["id"])
    till.do("refund", session["payment_intent"])
    till.deliver()
    applying.apply(early)
    assert Contribution.objects.get().status == "refunded"
    till.pay(member, 500, rhythm="monthly")
    name = Subscription.objects.get().stripe_id
    early = facts.about("subscription", name)
    till.do("cancel", name)
    till.deliver()
    applying.apply(early)
    assert Subscription.objects.get().status == "canceled"


def test_monthly_has_nothing_to_change_where_there_is_nothing(till, web):
    assert web.get("/contribute/monthly/cancel/").status_code == 404
    said = web.post("/contribute/monthly/resume/", follow=True)
    assert b"no monthly contribution" in said.content
    with pytest.raises(monthly.NothingMonthly):
        monthly.cancel(make_user())
