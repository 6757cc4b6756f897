"""From the payment page to the contribution: each test names what somebody's real code got wrong."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import Activity
from billing.models import Checkout, Contribution, StripeEvent, Subscription
from billing.services import is_premium, monthly
from tests.accounts.people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("contributors_only")]


def actions(*beginnings: str) -> list[str]:
    rows = Activity.objects.order_by("recorded_at").values_list("action", flat=True)
    return [name for name in rows if name.startswith(beginnings or ("contribution.", "subscription."))]


def test_a_single_contribution_arrives_once_and_makes_premium_until_its_day(till, member):
    assert not is_premium(member)
    session = till.pay(member, 2000)
    row = Contribution.objects.get()
    assert (row.user, row.amount, row.status, row.payment_intent) == (member, 2000, "paid", session["payment_intent"])
    assert Checkout.objects.get().status == "complete" and is_premium(member)
    assert actions() == ["contribution.checkout_started", "contribution.received"]
    till.deliver(*till.sandbox.control("GET", "stripe/events")["events"])  # all of it again
    assert Contribution.objects.count() == 1 and actions().count("contribution.received") == 1
    Contribution.objects.update(paid_at=timezone.now() - timedelta(days=366))
    assert not is_premium(member)  # nothing has to run for that


def test_only_the_account_and_the_amount_go_to_stripe_and_nothing_of_the_payer_stays(till, member):
    till.pay(member, 2000, email="secret-payer@example.test")
    (asked,) = [one["params"] for one in till.asked("/v1/checkout/sessions") if one["method"] == "POST"]
    assert asked.pop("success_url").endswith("/contribute/thanks/") and asked.pop("cancel_url").endswith("/contribute/?back")
    assert asked == {
        "mode": "payment", "client_reference_id": str(member.pk), "metadata": {"user_id": str(member.pk)},
        "payment_intent_data": {"metadata": {"user_id": str(member.pk)}},
        "line_items": [
            {"price_data": {"currency": "eur", "unit_amount": "2000", "product_data": {"name": "Contribution"}}, "quantity": "1"}
        ],
    }  # fmt: skip
    stored = [str(row) for model in (Contribution, StripeEvent, Checkout) for row in model.objects.values()]
    assert stored and not any("secret-payer" in row or "studio.example" in row for row in stored)


def test_everything_off_by_coupon_still_counts(till, member):
    till.pay(member, 2000, way="coupon")
    row = Contribution.objects.get()
    assert (row.amount, row.worth, row.status, row.payment_intent) == (0, 2000, "paid", None) and is_premium(member)
    other = make_user()
    till.pay(other, 500, rhythm="monthly", way="coupon")
    row = other.contributions.get()
    assert (row.amount, row.worth, row.status) == (0, 500, "paid") and row.invoice_id and is_premium(other)


def test_a_debit_counts_when_the_bank_has_carried_it_out(till, member):
    good, bad = till.pay(member, 2000, way="debit"), till.pay(make_user(), 2000, way="debit")
    assert {row.status for row in Contribution.objects.all()} == {"processing"} and not is_premium(member)
    assert {row.status for row in Checkout.objects.all()} == {"processing"}
    till.do("settle", good["id"])
    till.do("bounce", bad["id"])
    till.deliver()
    assert is_premium(member) and sorted(Contribution.objects.values_list("status", flat=True)) == ["failed", "paid"]
    assert sorted(Checkout.objects.values_list("status", flat=True)) == ["complete", "failed"]
    assert sorted(actions("contribution.received", "contribution.failed")) == ["contribution.failed", "contribution.received"]


def test_a_declined_card_and_an_expired_page_cost_nothing(till, member):
    session = till.open(member)
    till.do("decline", session)
    till.do("expire", session)
    till.deliver()
    assert not Contribution.objects.exists() and Checkout.objects.get().status == "expired"
    assert till.open(member) != session


def test_less_than_the_smallest_amount_does_not_make_premium(till, member):
    till.pay(member, 1499)
    assert Contribution.objects.get().status == "paid" and not is_premium(member)
    till.pay(member, 299, rhythm="monthly")
    assert Subscription.objects.get().status == "active" and not is_premium(member)


def test_money_for_an_account_that_is_not_here_is_kept_and_shown(till, member):
    session = till.open(member)
    pk = member.pk
    member.delete()
    till.do("pay", session)
    till.deliver()
    row = Contribution.objects.get()
    assert (row.user, row.amount, row.status) == (None, 2000, "paid")
    event = StripeEvent.objects.get(type="checkout.session.completed")
    assert (event.status, event.error) == ("unmatched", "unknown_user") and "stripe.event_unmatched" in actions("stripe.")
    assert str(pk) not in str(list(Contribution.objects.values()))


def test_what_another_shop_of_the_same_account_sells_is_not_counted(till):
    charge = {"object": "checkout.session", "id": "cs_test_another"}
    till.deliver(till.sandbox.control("POST", "stripe/events", {"type": "checkout.session.completed", "object": charge}))
    assert StripeEvent.objects.get().status == "failed" and not Contribution.objects.exists()


# --- month by month


def test_a_monthly_contribution_from_the_first_month_to_the_last(till, member):
    till.pay(member, 500, rhythm="monthly")
    sub = Subscription.objects.get()
    first = Contribution.objects.get()
    assert (sub.status, sub.amount, first.subscription, first.amount) == ("active", 500, sub, 500) and is_premium(member)
    monthly.change_amount(member, 800)
    till.do("renew", sub.stripe_id)
    till.deliver()
    assert sorted(Contribution.objects.values_list("amount", flat=True)) == [500, 800]
    assert monthly.cancel(member).ends_at_period_end and not monthly.resume(member).ends_at_period_end
    monthly.cancel(member)
    assert is_premium(member)
    till.do("renew", sub.stripe_id)
    till.deliver()
    sub.refresh_from_db()
    assert sub.status == "canceled" and sub.ended_at and not is_premium(member) and Contribution.objects.count() == 2
    assert [name for name in actions("subscription.") if name != "subscription.status_changed"] == [
        "subscription.started", "subscription.amount_changed", "subscription.cancelled", "subscription.resumed", "subscription.cancelled",
        "subscription.ended",
    ]  # fmt: skip


def test_an_overdue_month_is_no_premium_until_it_is_paid(till, member):
    till.pay(member, 500, rhythm="monthly")
    sub = Subscription.objects.get()
    till.do("renew-failing", sub.stripe_id)
    till.deliver()
    sub.refresh_from_db()
    assert sub.status == "past_due" and not is_premium(member)
    assert sorted(Contribution.objects.values_list("status", flat=True)) == ["failed", "paid"]
    till.do("pay-overdue", sub.stripe_id)
    till.deliver()
    assert is_premium(member) and set(Contribution.objects.values_list("status", flat=True)) == {"paid"}
    till.do("renew-failing", sub.stripe_id)
    till.deliver()
    assert monthly.cancel(member).status == "canceled"  # at once: there is no paid month to wait for


def test_a_paused_month_is_no_premium(till, member):
    till.pay(member, 500, rhythm="monthly")
    name = Subscription.objects.get().stripe_id
    till.do("pause", name)
    till.deliver()
    assert Subscription.objects.get().status == "active" and not is_premium(member)  # it is its collection that is paused
    till.do("resume", name)
    till.deliver()
    assert is_premium(member)
    till.do("suspend", name)
    till.deliver()
    assert Subscription.objects.get().status == "paused" and not is_premium(member)


def test_premium_ends_with_the_paid_time_though_no_event_comes(till, member):
    till.pay(member, 500, rhythm="monthly")
    ended = timezone.now() - timedelta(hours=1)
    Contribution.objects.update(period_end=ended)
    assert is_premium(member)  # a renewal takes Stripe an hour
    Subscription.objects.update(ends_at_period_end=True)
    assert not is_premium(member)
    Subscription.objects.update(ends_at_period_end=False)
    Contribution.objects.update(period_end=timezone.now() - timedelta(days=2))
    assert not is_premium(member)


@pytest.mark.parametrize("outcome", ["out_of_band", "free"])
def test_an_invoice_paid_without_a_payment_intent_counts_once(till, member, outcome):
    till.pay(member, 500, rhythm="monthly")
    till.do("renew-as", Subscription.objects.get().stripe_id, outcome=outcome)
    fresh = till.events()
    assert {"invoice.paid", "invoice.payment_succeeded"} <= {event["type"] for event in fresh}
    till.deliver(*fresh, *reversed(fresh))
    row = Contribution.objects.get(payment_intent=None)
    assert row.amount == (500 if outcome == "out_of_band" else 0) and Contribution.objects.count() == 2
    assert actions("contribution.received") == ["contribution.received"] * 2


@pytest.mark.parametrize("version", ["2024-06-20", "2026-10-28.endive"])
def test_events_in_the_old_shape_and_in_the_new(till, member, version):
    till.sandbox.control("POST", "stripe/webhooks", {"version": version})
    till.pay(member, 500, rhythm="monthly")
    assert StripeEvent.objects.filter(api_version=version, status="applied").count() > 3
    row = Contribution.objects.get()
    assert (row.amount, row.invoice_id is not None, row.subscription is not None) == (500, True, True)


def test_two_subscriptions_of_one_person_become_one(till, member):
    """Paid from two pages that should not have been open side by side: the later one is ended and shown."""
    pages = [till.open(member, 500, "monthly")]
    Checkout.objects.update(status="expired")
    pages.append(till.open(member, 700, "monthly"))
    for page in pages:
        till.do("pay", page)
    till.deliver()
    assert Subscription.objects.filter(end_requested_at=None).count() == 1 and len(monthly.to_be_ended()) == 1
    for pk in monthly.to_be_ended():
        assert monthly.end_due(pk)
    assert Subscription.objects.live().count() == 1 and actions().count("subscription.end_requested") == 1


# --- money going back


def test_a_refund_ends_premium_and_a_failed_refund_brings_it_back(till, member):
    intent = till.pay(member, 2000)["payment_intent"]
    refund = till.do("refund-part", intent, amount=600)
    till.deliver()
    row = Contribution.objects.get()
    assert (row.status, row.amount_refunded, row.refunds.get().amount) == ("partly_refunded", 600, 600) and not is_premium(member)
    till.do("fail-refund", refund["id"])
    till.deliver()
    row.refresh_from_db()
    assert (row.status, row.amount_refunded, row.refunds.get().status) == ("paid", 0, "failed") and is_premium(member)
    till.do("refund", intent)
    till.deliver()
    row.refresh_from_db()
    assert row.status == "refunded" and not is_premium(member)


@pytest.mark.parametrize("rhythm", ["once", "monthly"])
def test_the_refund_may_be_heard_of_before_the_payment(till, member, rhythm):
    till.pay(make_user(), 900, rhythm="monthly")  # another's, so that there is something to mistake it for
    till.do("pay", till.open(member, 2000, rhythm))
    things = till.sandbox.control("GET", "stripe")["objects"]
    intent = next(one["id"] for one in things if one["object"] == "payment_intent" and one["amount"] == 2000)
    till.do("refund", intent)
    fresh = till.events()
    till.deliver(*[event for event in fresh if event["type"] == "charge.refunded"])
    row = member.contributions.get()
    assert (row.payment_intent, row.status, row.amount_refunded, row.rhythm) == (intent, "refunded", 2000, rhythm)
    till.deliver(*reversed(fresh))
    assert member.contributions.get() == row and Contribution.objects.count() == 2
    assert actions("contribution.received", "contribution.refunded") == ["contribution.received"] * 2 + ["contribution.refunded"]


def test_a_refunded_month_is_no_premium_though_the_subscription_goes_on(till, member):
    till.pay(member, 500, rhythm="monthly")
    till.do("refund", Contribution.objects.get().payment_intent)
    till.deliver()
    assert Contribution.objects.get().status == "refunded" and not is_premium(member) and Subscription.objects.get().status == "active"


def test_a_dispute_suspends_and_its_end_decides(till, member):
    intent = till.pay(member, 2000)["payment_intent"]
    till.do("dispute", intent)
    till.deliver()
    assert Contribution.objects.get().status == "disputed" and not is_premium(member)
    dispute = next(one["id"] for one in till.sandbox.control("GET", "stripe")["objects"] if one["object"] == "dispute")
    till.do("win", dispute)
    till.deliver()
    assert Contribution.objects.get().status == "paid" and is_premium(member)
    assert actions("contribution.dispute") == ["contribution.disputed", "contribution.dispute_won"]
    till.do("lose", dispute)
    till.deliver()
    assert Contribution.objects.get().status == "lost" and not is_premium(member)
