"""Staff: refunds, events again, differences, terms, codes, the chart; who may what; and accounts that close."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import CONTRIBUTIONS, ROLE_PERMISSIONS, STAFF, Role
from accounts.step_up import StepUpRequired
from audit.models import Activity
from billing import tasks
from billing.models import Contribution, ContributionTerms, Difference, PromoCode, PromoGrant, Refund, StripeEvent, Subscription
from billing.services import is_premium, monthly, reconciling, refunds
from operations.services import erasures
from tests.accounts.people import make_user, step_up

pytestmark = pytest.mark.django_db
BILLING = "/admin/billing"
WHO_SEES = {
    # list: the roles of the matrix whose cells it follows
    "contribution": {"admin", "developer", "executive"},
    "subscription": {"admin", "developer", "executive"},
    "stripeevent": {"admin", "developer", "executor"},
    "difference": {"admin", "developer", "executor"},
    "promocode": {"admin", "developer"},
    "promogrant": {"admin", "developer"},
    "contributionterms": {"admin", "developer"},
    "months": {"admin", "developer", "executive"},
}


def staff(role: str = Role.ADMIN, *, stepped_up: bool = True) -> Client:
    user, client = make_user(role=role), Client()
    client.force_login(user)
    if stepped_up:
        step_up(client, user)
    return client


@pytest.mark.parametrize("role", ["admin", "developer", "designer", "executor", "executive", "viewer", "member"])
def test_who_sees_which_list(role):
    client = staff(role)
    seen = {name for name in WHO_SEES if client.get(f"{BILLING}/{name}/").status_code == 200}
    assert seen == {name for name, roles in WHO_SEES.items() if role in roles}


MATRIX = yaml.safe_load((Path(__file__).parent.parent / "accounts" / "rbac.yaml").read_text())


@pytest.mark.parametrize("name", CONTRIBUTIONS)
def test_each_right_of_contributions_takes_the_answers_of_its_row(name):
    (area, operation), permissions = CONTRIBUTIONS[name]
    row = MATRIX["resources"][area][operation]
    for role in STAFF:
        expected = row[role] is True or str(row[role]).startswith(("yes", "ro"))
        assert {User(role=role).has_perm(permission) for permission in permissions} == {expected}, role


def test_no_right_of_contributions_comes_from_elsewhere():
    named = [permission for _row, permissions in CONTRIBUTIONS.values() for permission in permissions]
    held = {permission for permissions in ROLE_PERMISSIONS.values() for permission in permissions if permission.startswith("billing.")}
    assert sorted(named) == sorted(held)
    rows = {name: row for name, (row, _permissions) in CONTRIBUTIONS.items()}
    assert rows == {
        "view": ("users", "view"), "give_back": ("system", "backup_restore"), "terms": ("system", "settings"),
        "view_events": ("monitoring_analytics", "view_monitoring"), "apply_again": ("monitoring_analytics", "manage_alerts"),
    }  # fmt: skip


def test_a_refund_asks_who_it_is_and_goes_out_once(till, member):
    till.pay(member, 2000)
    row = Contribution.objects.get()
    path = f"{BILLING}/contribution/{row.pk}/refund/"
    for role in ("developer", "executive", "viewer"):
        assert staff(role).post(path, {"amount": "5"}).status_code == 403
    unproved = staff(stepped_up=False)
    for answer in (unproved.get(path), unproved.post(path, {"amount": "5"})):
        assert "reauthenticate" in answer["Location"]
    with pytest.raises(StepUpRequired):  # whatever way somebody comes
        refunds.ask(row, 500, actor=answer.wsgi_request.user, request=answer.wsgi_request)
    assert not Refund.objects.exists()
    admin = staff()
    assert path in admin.get(f"{BILLING}/contribution/{row.pk}/change/").content.decode()
    assert b"At most" in admin.post(path, {"amount": "20.01"}).content and not Refund.objects.exists()
    assert admin.post(path, {"amount": "5"}).status_code == 302
    assert b"At most" in admin.post(path, {"amount": "15.01"}).content  # the one that waits counts
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/refunds"})
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/refunds"})
    (waiting,) = refunds.due()
    refunds.send(waiting)  # done at Stripe, but nobody heard
    assert Refund.objects.get().status == "requested" and refunds.due() == []
    till.deliver()  # Stripe's events tell of it
    Refund.objects.update(due_at=timezone.now())
    tasks.tick()
    for pk in refunds.due():
        refunds.send(pk)
    row.refresh_from_db()
    refund = Refund.objects.get()
    assert (row.status, row.amount_refunded, refund.status, refund.requested_by.role) == ("partly_refunded", 500, "succeeded", "admin")
    assert len({one["idempotency_key"] for one in till.asked("/v1/refunds") if one["method"] == "POST"}) == 1
    actions = Activity.objects.filter(target_id=str(row.pk), action__startswith="contribution.").values_list("action", flat=True)
    assert sorted(actions) == ["contribution.received", "contribution.refund_requested", "contribution.refunded"]
    assert admin.post(path, {"amount": "15"}).status_code == 302
    for pk in refunds.due():
        refunds.send(pk)
    row.refresh_from_db()
    assert row.status == "refunded" and admin.get(path).status_code == 404


def test_a_refund_that_stripe_refuses_is_said_so(till, member):
    session = till.pay(member, 2000)
    till.do("refund", session["payment_intent"])  # by hand, at Stripe, not heard of yet
    row = Contribution.objects.get()
    Refund.objects.create(contribution=row, amount=2000)
    for pk in refunds.due():
        refunds.send(pk)
    assert (Refund.objects.get().status, Refund.objects.get().error) == ("failed", "charge_already_refunded")


def test_failed_events_are_applied_again_by_whoever_manages_alerts(till, member):
    session = till.open(member, 2000)
    pk = member.pk
    till.sandbox.control("POST", "stripe/lose-answer", {"path": "/v1/nothing"})
    till.do("pay", session)
    StripeEvent.objects.all().delete()
    till.deliver()
    Contribution.objects.all().delete()
    event = StripeEvent.objects.get(type="checkout.session.completed")
    StripeEvent.objects.update(status="failed", error="resource_missing")
    chosen = {"action": "retry", "_selected_action": [str(event.pk)]}
    assert staff("executive").post(f"{BILLING}/stripeevent/", chosen).status_code == 403
    assert staff("executor").post(f"{BILLING}/stripeevent/", chosen).status_code == 302
    till.work()
    event.refresh_from_db()
    assert event.status == "applied" and Contribution.objects.get().user_id == pk
    assert Activity.objects.filter(action="stripe.event_retried").count() == 1


def test_who_deactivates_somebody_is_told_what_goes_on_being_charged(till, member):
    till.pay(member, 500, rhythm="monthly")
    end = f"{BILLING}/subscription/{Subscription.objects.get().pk}/end/"
    admin, told = staff(), f"/console/monthly?id={member.pk}"
    suspend = reverse("admin:operations_contain", args=[member.pk, "suspend"])
    for page in (f"/admin/accounts/user/do/deactivate/?id={member.pk}", suspend):
        asked = admin.get(page).content.decode()
        assert "is charged all the same" in asked and f'hx-get="{told}"' in asked and "htmx" in asked
    said = admin.get(told).content.decode()
    assert member.email in said and "€5" in said and end in said
    assert Activity.objects.get(details__view="billing:console_monthly").details["count"] == 1, "who is charged what is a read of theirs"
    developer = staff("developer").get(told).content.decode()
    assert "An administrator can end it" in developer and end not in developer
    account = f"/admin/accounts/user/{member.pk}/change/"
    assert told not in admin.get(account).content.decode()
    assert admin.post("/admin/accounts/user/do/deactivate/", {"id": member.pk}).url == account
    assert told in admin.get(account).content.decode() and "reauthenticate" in staff(stepped_up=False).get(end)["Location"]
    admin.post(end)
    assert admin.get(told).content.decode().strip() == "" and admin.get("/console/monthly?id=x").status_code == 200
    assert {role: staff(role).get(told).status_code for role in ("executor", "viewer")} == {"executor": 403, "viewer": 403}


def test_staff_end_a_monthly_contribution(till, member):
    till.pay(member, 500, rhythm="monthly")
    row = Subscription.objects.get()
    path = f"{BILLING}/subscription/{row.pk}/end/"
    assert staff("executive").post(path).status_code == 403
    assert "reauthenticate" in staff(stepped_up=False).post(path)["Location"] and monthly.to_be_ended() == []
    admin = staff()
    assert admin.get(path).status_code == 200 and admin.post(path).status_code == 302
    assert [monthly.end_due(pk) for pk in monthly.to_be_ended()] == [True]
    row.refresh_from_db()
    assert row.status == "canceled" and Activity.objects.filter(action="subscription.ended").count() == 1


def test_terms_and_codes_are_kept_in_bounds(contributors_only, member):
    admin = staff()
    form = {
        "currency": "eur", "minimum": 200, "maximum": 50_000, "once_amounts": "500,1000", "once_highlighted": 1000,
        "monthly_amounts": "300,600", "monthly_highlighted": 600, "premium_once": 1000, "premium_monthly": 300, "premium_days": 90,
        "coaches_are_premium": "on",
    }  # fmt: skip
    path = f"{BILLING}/contributionterms/add/"
    for wrong in ({"once_highlighted": 700}, {"minimum": 60_000}, {"monthly_amounts": "100,600"}, {"premium_days": 0}):
        assert admin.post(path, form | wrong).status_code == 200 and not ContributionTerms.objects.exists()
    assert admin.post(path, form).status_code == 302
    terms = ContributionTerms.current()
    assert (terms.once_amounts, terms.premium_days, terms.coached_are_premium) == ([500, 1000], 90, False)
    assert admin.get(f"{BILLING}/contributionterms/").status_code == 200
    later = timezone.now() + timedelta(days=5)
    code = {"code": "studio 26", "days": 10, "expires_at_0": f"{later:%Y-%m-%d}", "expires_at_1": "12:00", "max_uses": 3}
    assert admin.post(f"{BILLING}/promocode/add/", code).status_code == 302
    row = PromoCode.objects.get()
    grant = PromoGrant.objects.create(user=member, code=row, ends_at=later)
    assert row.code == "STUDIO26" and is_premium(member)
    admin.post(f"{BILLING}/promogrant/", {"action": "revoke", "_selected_action": [str(grant.pk)]})
    assert not is_premium(member)
    assert set(Activity.objects.filter(action__startswith="promo.").values_list("action", flat=True)) == {"promo.created", "promo.revoked"}


def test_the_chart_shows_what_stayed(till, member):
    intent = till.pay(member, 2000)["payment_intent"]
    till.pay(make_user(), 3000)
    till.do("refund", intent)
    till.deliver()
    page = staff("executive").get(reverse("admin:billing_months")).content.decode()
    assert "<svg" in page and "<td>30</td>" in page and "<td>50</td>" not in page


# --- comparing with Stripe


def test_the_reconciliation_reports_what_differs_and_settles_what_agrees_again(till, member, monkeypatch):
    monkeypatch.setattr(reconciling, "SETTLING", timedelta(seconds=-5))
    agreed = till.pay(member, 2000)
    till.pay(member, 500, rhythm="monthly")
    disputed = till.pay(make_user(), 1900)["payment_intent"]
    assert reconciling.reconcile() == []
    unheard = till.do("pay", till.open(make_user(), 1800))["payment_intent"]
    till.do("refund-part", agreed["payment_intent"], amount=100)
    till.do("dispute", disputed)
    invoice = Contribution.objects.get(rhythm="monthly")
    till.do("refund-part", invoice.payment_intent, amount=200)
    Contribution.objects.filter(pk=invoice.pk).update(amount=400)
    till.do("cancel", Subscription.objects.get().stripe_id)
    gone = Contribution.objects.create(
        user=member, rhythm="once", payment_intent="pi_invented", amount=1, worth=1, currency="eur", status="paid",
        paid_at=timezone.now(), read_at=timezone.now(),
    )  # fmt: skip
    found = {(one.kind, one.object_id) for one in reconciling.reconcile()}
    assert found == {
        ("missing_here", unheard), ("refunded", agreed["payment_intent"]), ("amount", invoice.invoice_id), ("missing_there", "pi_invented"),
        ("status", Subscription.objects.get().stripe_id), ("status", disputed), ("refunded", invoice.payment_intent),
    }  # fmt: skip
    assert Difference.objects.filter(settled_at=None).count() == 7
    reconciling.reconcile()
    with monkeypatch.context() as later:
        later.setattr(reconciling, "timezone", SimpleNamespace(now=lambda: timezone.now() + timedelta(days=40)))
        reconciling.reconcile()  # what nobody puts right stays, however old it is
    assert Difference.objects.filter(settled_at=None).count() == 7
    assert Difference.objects.count() == 7 and Activity.objects.filter(action="stripe.differences_found").count() == 1
    assert "Another sum refunded" in staff("executor").get(f"{BILLING}/difference/").content.decode()
    gone.delete()
    till.deliver()
    Contribution.objects.filter(pk=invoice.pk).update(amount=500)
    assert reconciling.reconcile() == [] and not Difference.objects.filter(settled_at=None).exists()
    till.sandbox.control("POST", "faults", {"status": 500, "path": "/stripe/v1/"})
    tasks.reconcile()  # says nothing while Stripe is down
    assert Difference.objects.count() == 7


# --- accounts that close


def test_deleting_an_account_ends_what_is_paid_though_stripe_is_down_for_days(till, member, rf, monkeypatch, contributors_only):
    till.pay(member, 500, rhythm="monthly")
    page = till.open(member, 900)
    sub = Subscription.objects.get()
    till.sandbox.control("POST", "faults", {"status": 503, "path": "/stripe/v1/"})
    monkeypatch.setattr("operations.services.erasures.step_up", lambda request: None)
    request = rf.post("/")
    request.user = member
    erasure = erasures.ask(member, actor=member, request=request)
    sub.refresh_from_db()
    assert sub.end_requested_at and not is_premium(member)
    erasures.close_connections(erasure.pk)
    sub.refresh_from_db()
    assert sub.status == "active" and sub.end_attempts == 1 and monthly.to_be_ended() == []  # put off, not given up
    member.delete()  # day 30 comes sooner than Stripe
    sub.refresh_from_db()
    assert sub.user is None and sub.contributions.get().user is None
    Subscription.objects.update(end_due_at=None)
    assert [monthly.end_due(pk) for pk in monthly.to_be_ended()] == [False]
    till.sandbox.control("DELETE", "faults")
    Subscription.objects.update(end_due_at=None)
    assert [monthly.end_due(pk) for pk in monthly.to_be_ended()] == [True]
    sub.refresh_from_db()
    assert sub.status == "canceled"
    till.do("expire", page)


def test_whatever_way_an_account_goes_its_subscription_is_ended(till, member):
    till.pay(member, 500, rhythm="monthly")
    member.delete()
    assert [monthly.end_due(pk) for pk in monthly.to_be_ended()] == [True] and monthly.to_be_ended() == []
    till.deliver()
    assert Subscription.objects.get().status == "canceled"


def test_who_pays_monthly_after_closing_the_account_is_charged_no_second_time(till, member):
    page = till.open(member, 500, "monthly")
    member.erasure_requested_at = timezone.now()
    member.save()
    till.do("pay", page)
    till.deliver()
    assert [monthly.end_due(pk) for pk in monthly.to_be_ended()] == [True]
    assert Subscription.objects.get().status == "canceled" and Contribution.objects.get().amount == 500
