"""What somebody might try who means harm, is in a hurry, or comes at a bad moment."""

from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Activity
from billing.models import Checkout, Contribution, ContributionTerms, Difference, PromoCode, Refund, StripeEvent, Subscription
from billing.services import applying, checkouts, events, is_premium, monthly, reconciling
from billing.services.premium import once_until
from tests import processes
from tests.accounts.people import make_user, step_up
from tests.billing.test_checkout import EVENT
from tests.billing.till import Till, post, signed

pytestmark = pytest.mark.django_db
MACHINE = {"accept": "application/json"}


@pytest.fixture
def web(client: Client, member) -> Client:
    client.force_login(member)
    return client


@pytest.fixture
def staff(db) -> Client:
    user, client = make_user(role="admin"), Client()
    client.force_login(user)
    step_up(client, user)
    return client


# --- the webhook


def test_whatever_is_sent_to_the_webhook_is_refused_in_a_few_words(till: Till):
    body, header = signed(EVENT)
    client = Client(enforce_csrf_checks=True)

    def sent(body: bytes, header: str, kind: str = "application/json") -> int:
        answer = client.post("/stripe/webhook", body, content_type=kind, headers={"stripe-signature": header})
        assert b"whsec" not in answer.content and b"Traceback" not in answer.content
        return answer.status_code

    forged = [
        "",
        "t=,v1=",
        "t=1,v1=é",
        f"{header[:-8]}00000000",
        "t=" + "9" * 5000 + ",v1=0",
        f"t=0,{header}",
        header.replace("v1=", "v0="),
    ]
    assert [sent(body, one) for one in forged] == [400] * len(forged)
    assert sent(body + b" ", header) == 400  # signed, but not this
    assert sent(b"x" * 3_000_000, header) == 413 and not StripeEvent.objects.exists()
    assert sent(body, header, "text/plain") == 200 == sent(body, header, "multipart/form-data; boundary=x")  # the bytes count
    again, header = signed(EVENT | {"type": "charge.refunded", "data": {"object": {"id": "ch_1", "object": "charge"}}})
    assert sent(again, header) == 200 and StripeEvent.objects.get().object_id == "in_1"  # the first under its id stays


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ["evt_1"]}, {"id": "evt_\x00"}, {"id": "evt_\ud800"}, {"type": "invoice.\x00"}, {"created": "soon"}, {"created": 1e400},
        {"livemode": "false"}, {"data": {"object": {"id": "in_\x00", "object": "invoice"}}},
    ],
)  # fmt: skip
def test_what_is_signed_and_no_event_is_refused_as_well(till: Till, wrong):
    assert post(EVENT | wrong).status_code == 400 and not StripeEvent.objects.exists()


def test_an_event_nested_a_hundred_thousand_deep_is_refused(till: Till):
    import stripe

    body = '{"object":' + "[" * 100_000 + "]" * 100_000 + "}"
    header = stripe.WebhookSignature.generate_signature_header(body, "whsec_sandbox")
    with pytest.raises(events.EventRefused):
        events.receive(body.encode(), header)


# --- amounts


@pytest.mark.parametrize("amount", ["١٢", "1_2", "1e1", "+15", "0x10", "15\n", "12,50 €", "15 000", "１５"])
def test_an_amount_is_written_in_plain_digits(till: Till, web, amount):
    answer = web.post("/payment/checkout", {"rhythm": "once", "other": amount}, headers=MACHINE)
    plain = amount.strip() in {"15", "12,50 €"}
    assert answer.status_code == (200 if plain else 400), answer.content
    assert list(Checkout.objects.values_list("amount", flat=True)) == ([1500 if "15" in amount else 1250] if plain else [])


def test_a_form_of_another_site_begins_nothing(till: Till, member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member)
    for path in ("/payment/checkout", "/contribute/monthly/cancel/", "/contribute/monthly/change/", "/contribute/promo/"):
        assert client.post(path, {"rhythm": "once", "other": "15", "amount": "15", "code": "X"}).status_code in {403, 404}
    assert not Checkout.objects.exists() and not till.asked()


# --- the payment page at a bad moment


def test_the_same_amount_again_after_paying_is_no_dead_page(till: Till, web, member):
    """Paid, and Stripe's word is still on its way: the second tab is led to the thanks, not to a page that is over."""
    till.do("pay", till.open(member, 1500))
    answer = web.post("/payment/checkout", {"rhythm": "once", "other": "15"})
    assert answer["Location"] == "/contribute/thanks/" and Contribution.objects.get().amount == 1500


@pytest.mark.parametrize("amount", ["15", "30"])
def test_a_page_that_has_expired_unheard_makes_room_for_another(till: Till, web, member, amount):
    first = till.open(member, 1500)
    till.do("expire", first)
    url = web.post("/payment/checkout", {"rhythm": "once", "other": amount}, headers=MACHINE).json()["url"]
    assert not url.endswith(first) and sorted(Checkout.objects.values_list("status", flat=True)) == ["expired", "open"]


def test_a_failure_that_stripe_keeps_under_the_key_does_not_last_a_day(till: Till, web, member):
    """Stripe answers a key with what it answered first, a 500 as well."""
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/checkout/sessions", "kept": True})
    asking = {"rhythm": "once", "other": "15"}
    assert web.post("/payment/checkout", asking, headers=MACHINE).json()["code"] == "unavailable"
    assert web.post("/payment/checkout", asking, headers=MACHINE).status_code == 200
    assert till.do("pay", Checkout.objects.get(status="open").session_id)["status"] == "complete"


def test_a_page_whose_making_was_cut_short_survives_another_version_of_the_product(till: Till, web, member, settings):
    row = Checkout.objects.create(user=member, rhythm="once", amount=1500, currency="eur")
    checkouts.gateway.create_session(checkouts._params(row), key=f"checkout-{row.pk}")  # and then the power went
    settings.PUBLIC_URL = "https://another.example"
    asking = {"rhythm": "once", "other": "15"}
    assert [web.post("/payment/checkout", asking, headers=MACHINE).status_code for _ in range(2)] == [502, 200]


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[]", b"null", b"{}", b"\xff\xfe"])
def test_what_answers_in_place_of_stripe_is_taken_for_silence(till: Till, web, member, settings, body):
    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None: ...

    post(EVENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_port}"
        said = web.post("/payment/checkout", {"rhythm": "once", "other": "15"}, headers=MACHINE).json()
        till.work()
        server.shutdown()
    assert said["code"] == "unavailable" and StripeEvent.objects.values_list("status", "attempts").get() == ("received", 1)


def test_payments_are_not_named_in_the_log(till: Till, member, caplog):
    intent = till.pay(member, 1500)["payment_intent"]
    assert Contribution.objects.get().payment_intent == intent and intent not in caplog.text and "/v1/" not in caplog.text


# --- the monthly contribution


def test_what_has_ended_at_stripe_unheard_is_not_in_the_way(till: Till, web, member):
    till.pay(member, 500, rhythm="monthly")
    till.do("cancel", Subscription.objects.get().stripe_id)
    said = web.post("/contribute/monthly/cancel/", follow=True)
    assert b"no monthly contribution to change" in said.content and Subscription.objects.get().status == "canceled"
    assert web.post("/payment/checkout", {"rhythm": "monthly", "other": "7"}, headers=MACHINE).status_code == 200


def test_what_stripe_knows_nothing_of_is_over_once(till: Till, member):
    till.pay(member, 500, rhythm="monthly")
    row = Subscription.objects.get()
    till.do("forget", row.stripe_id)
    stale = Subscription.objects.get()
    assert monthly.end(row) and monthly.end(stale)  # two workers
    assert Activity.objects.filter(action="subscription.ended").count() == 1
    assert Subscription.objects.get().status == "canceled"


def test_a_second_monthly_contribution_is_settled_however_it_ends(till: Till, member):
    pages = [till.open(member, 500, "monthly")]
    Checkout.objects.update(status="expired")
    pages.append(till.open(member, 700, "monthly"))
    for page in pages:
        till.do("pay", page)
    till.deliver()
    second = Subscription.objects.get(stripe_id=Difference.objects.get(kind="second", settled_at=None).object_id)
    till.do("cancel", second.stripe_id)  # by hand, at Stripe
    till.deliver()
    assert not Difference.objects.filter(settled_at=None).exists() and Subscription.objects.live().count() == 1


def test_while_nothing_is_charged_no_charge_is_promised_and_no_premium_denied(till: Till, web, member, contributors_only):
    till.pay(member, 500, rhythm="monthly")
    assert "By your contribution until" not in web.get("/contribute/").content.decode()  # what is paid monthly goes on
    till.pay(member, 1500)
    row = member.contributions.get(rhythm="once")
    told = []
    for change in ({"is_paused": True}, {"is_paused": False, "status": "past_due"}, {"status": "unpaid"}):
        Subscription.objects.update(**change)
        page = web.get("/contribute/").content.decode()
        assert "The next charge is on" not in page and "there is no premium" not in page and "By your contribution until" in page
        assert ("It ends at once" in web.get("/contribute/monthly/cancel/").content.decode()) is ("status" in change)
        told += [words for words in ("It is paused", "Stripe tries again", "Stripe tries no more") if words in page]
    assert told == ["It is paused", "Stripe tries again", "Stripe tries no more"]
    terms = ContributionTerms.current()
    assert once_until(member, terms) == row.paid_at + timedelta(days=365)
    Contribution.objects.filter(pk=row.pk).update(paid_at=timezone.now(), status="refunded", amount_refunded=1500)
    assert once_until(member, terms) is None


# --- codes


def test_a_code_is_changed_without_giving_uses_back(staff, member):
    row = PromoCode.objects.create(code="STUDIO26", days=10, expires_at=timezone.now() + timedelta(days=5), max_uses=3, uses=2)
    form = {"expires_at_0": "2031-01-01", "expires_at_1": "12:00"}
    path = f"/admin/billing/promocode/{row.pk}/change/"
    answer = staff.post(path, form | {"max_uses": 1})
    assert answer.status_code == 200 and b"errorlist" in answer.content  # two were used
    assert staff.post(path, form | {"max_uses": 5}).status_code == 302
    twin = form | {"code": "studio 26", "days": 5, "max_uses": 1}
    for code in ("studio 26", "abc", "   a  b  c   ", "ß" * 30):
        answer = staff.post("/admin/billing/promocode/add/", twin | {"code": code})
        assert answer.status_code == 200 and b"errorlist" in answer.content, code
    stale = PromoCode.objects.get()
    PromoCode.objects.update(uses=4)  # two people, while the form was open
    stale.max_uses = 6
    from billing.services import promos

    promos.save_code(stale, actor=make_user(role="admin"))
    assert PromoCode.objects.values_list("uses", "max_uses").get() == (4, 6)


REDEEM = """
from accounts.models import User
from billing.services import promos
try:
    promos.redeem(User.objects.get(pk=os.environ["WHO"]), "STUDIO26")
    print("taken")
except Exception as error:
    print(error.code)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_last_use_of_a_code_goes_to_one(till: Till):
    PromoCode.objects.create(code="STUDIO26", days=10, expires_at=timezone.now() + timedelta(days=5), max_uses=1)
    said = processes.outputs(processes.start(REDEEM, each=[{"WHO": str(make_user().pk)} for _ in range(4)]))
    assert sorted(said) == ["promo", "promo", "promo", "taken"] and PromoCode.objects.get().uses == 1


# --- money going back


# Each holds its breath between looking at what is left and asking for it.
REFUND = """
import time
from accounts.models import User
from billing.models import Contribution, Refund
from billing.services import refunds
create = Refund.objects.create
def slowly(**fields):
    time.sleep(0.4)
    return create(**fields)
Refund.objects.create = slowly
try:
    refunds.ask(Contribution.objects.get(), 1500, actor=User.objects.get(role="admin"), request=None)
    print("asked")
except Exception as error:
    print(error.code)
for pk in refunds.due():
    refunds.send(pk)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_refunds_at_once_never_give_back_more_than_came(till: Till, member):
    till.pay(member, 2000)
    make_user(role="admin")
    said = processes.outputs(processes.start(REFUND, times=4))
    assert sorted(said) == ["amount", "amount", "amount", "asked"]
    assert len([one for one in till.asked("/v1/refunds") if one["method"] == "POST"]) == 1
    assert (Contribution.objects.get().amount_refunded, Refund.objects.get().status) == (1500, "succeeded")


# --- others' money


def test_what_another_shop_says_of_its_own_people_is_not_ours(till: Till, member):
    session = till.open(member, 2000)
    things = till.sandbox.control("GET", "stripe")["objects"]
    assert any(one["id"] == session for one in things)
    found = applying.Facts(timezone.now(), user_id="customer-17", payments=[])
    assert not found.is_ours and applying.Facts(timezone.now(), user_id=str(member.pk)).is_ours


@pytest.mark.usefixtures("contributors_only")
def test_nobody_is_premium_who_has_closed_the_account(till: Till, member, rf, monkeypatch):
    from operations.services import erasures

    till.pay(member, 5000)
    assert is_premium(member)
    monkeypatch.setattr("operations.services.erasures.step_up", lambda request: None)
    request = rf.post("/")
    request.user = member
    erasures.ask(member, actor=member, request=request)
    member.refresh_from_db()
    assert not is_premium(member)


# --- comparing with Stripe


def test_a_month_that_was_paid_late_is_at_stripe_though_not_in_the_list(till: Till, member):
    till.pay(member, 500, rhythm="monthly")
    now = timezone.now()
    Contribution.objects.update(paid_at=now + timedelta(days=3))
    later = now + timedelta(minutes=1), now + timedelta(days=5)  # the invoice was made before
    assert list(reconciling._payments(*later)) == []
    till.do("forget", Contribution.objects.get().invoice_id)
    assert [one.kind for one in reconciling._payments(*later)] == ["missing_there"]
