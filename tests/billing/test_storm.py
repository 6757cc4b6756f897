"""Ten contributions, every event of theirs many times, shuffled, by several workers at once, some of them killed."""

import json
import random

import pytest
from django.db.models import Count

from audit.models import Activity
from billing.models import Checkout, Contribution, StripeEvent, Subscription
from tests import processes
from tests.accounts.people import make_user
from tests.billing.till import Till, signed

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# Each delivers its share in its own order and applies whatever is due, as Stripe and Celery would; not before one of the others has died,
# since somebody who comes late to a busy machine would find nothing left to die over.
STORM = """
import json, random
from pathlib import Path
from billing.models import StripeEvent
from billing.services import events
chance = random.Random(int(os.environ["SEED"]) + os.getpid())
deliveries, death = json.loads(Path(os.environ["DELIVERIES"]).read_text()), Path(os.environ["DEATH"])
chance.shuffle(deliveries)
for body, header in deliveries:
    row = events.receive(body.encode(), header)
    if row is not None and chance.random() < 0.6 and death.exists():
        events.apply_event(row.pk)
while not death.exists():
    time.sleep(0.01)
for pk in events.due():
    events.apply_event(pk)
print("done")
"""
# Dies like a worker whose machine loses power: after storing, after reading, or in the middle of writing.
KILLED = """
import json, os, random
from pathlib import Path
from billing.services import applying, events
written, deadline = applying._record_payment, int(os.environ["WRITES"])
def die_in_the_middle(*arguments):
    global deadline
    written(*arguments)
    deadline -= 1
    if deadline <= 0:
        Path(os.environ["DEATH"]).touch()
        os.kill(os.getpid(), 9)
applying._record_payment = die_in_the_middle
for body, header in json.loads(Path(os.environ["DELIVERIES"]).read_text()):
    row = events.receive(body.encode(), header)
    if row is not None:
        events.apply_event(row.pk)
for pk in events.due():  # those that another has stored
    events.apply_event(pk)
"""


@pytest.fixture
def happenings(till: Till) -> list[dict]:
    """Ten contributions of every kind, with what became of them."""
    people = [make_user() for _ in range(10)]
    intents = [till.do("pay", till.open(person, 1000 + n))["payment_intent"] for n, person in enumerate(people[:5])]
    till.do("pay", till.open(people[5], 1700), way="coupon")
    till.do("settle", till.do("pay", till.open(people[6], 1800), way="debit")["id"])
    subs = [till.do("pay", till.open(person, 500 + n, "monthly"))["subscription"] for n, person in enumerate(people[7:])]
    till.do("refund-part", intents[0], amount=400)
    till.do("refund", intents[1])
    till.do("dispute", intents[2])
    till.do("renew-as", subs[0], outcome="out_of_band")
    till.do("renew-failing", subs[1])
    till.do("cancel", subs[2])
    return till.events()


def expected(till: Till) -> tuple[dict[str, tuple[int, str]], dict[str, str]]:
    """By Stripe's own books: what came of each payment, and each subscription's status."""
    things = till.sandbox.control("GET", "stripe")["objects"]
    charges = {one["payment_intent"]: one for one in things if one["object"] == "charge"}
    invoices = {one["invoice"]: one["payment"]["payment_intent"] for one in things if one["object"] == "invoice_payment"}
    payments: dict[str, tuple[int, str]] = {}
    for intent, charge in charges.items():
        back = charge["amount_refunded"]
        status = "disputed" if charge["disputed"] else "refunded" if charge["refunded"] else "partly_refunded" if back else "paid"
        payments[intent] = (charge["amount"], status)
    for one in things:
        if one["object"] == "invoice" and not (one["status"] == "paid" and one["id"] in invoices):
            payments[one["id"]] = (one["amount_due"], "paid" if one["status"] == "paid" else "failed")
        if one["object"] == "checkout.session" and one["payment_status"] == "no_payment_required":
            payments[one["id"]] = (0, "paid")
    return payments, {one["id"]: one["status"] for one in things if one["object"] == "subscription"}


def found() -> tuple[dict[str, tuple[int, str]], dict[str, str]]:
    rows = Contribution.objects.all()
    payments = {str(row.payment_intent or row.invoice_id or row.session_id): (row.amount, str(row.status)) for row in rows}
    return payments, dict(Subscription.objects.values_list("stripe_id", "status"))


def settle(till: Till) -> None:
    """What the ticks would do once leases of the dead have lapsed."""
    processes.wait_for_the_dead()
    StripeEvent.objects.filter(status="received").update(due_at="2020-01-01T00:00:00Z")
    till.work()


def test_a_storm_of_events_leaves_what_stripe_says_and_each_thing_once(till, happenings, tmp_path):
    chance = random.Random(6)
    deliveries = [signed(event) for event in happenings for _ in range(chance.randint(1, 20))]
    shares = [[(body.decode(), header) for body, header in deliveries[n::3]] for n in range(3)]
    each = []
    for n, share in enumerate(shares):
        file = tmp_path / f"{n}.json"
        file.write_text(json.dumps(share))
        each += [{"DO": STORM, "SEED": str(n), "DELIVERIES": str(file)}, {"DO": KILLED, "DELIVERIES": str(file), "WRITES": str(n + 1)}]
    workers = processes.start('exec(os.environ["DO"])', each=each, DEATH=str(tmp_path / "death"))
    said = [worker.communicate(timeout=120)[1] for worker in workers]
    ends = [worker.returncode for worker in workers]
    assert set(ends[::2]) == {0} and set(ends[1::2]) <= {-9, 0} and -9 in ends, (ends, [text[-2000:] for text in said])
    settle(till)
    payments, subscriptions = expected(till)
    assert found() == (payments, subscriptions) and len(payments) == 12
    assert StripeEvent.objects.count() == len({event["id"] for event in happenings}) and till.statuses() <= {"applied", "ignored"}
    once = Activity.objects.filter(action__in=["contribution.received", "subscription.started", "subscription.ended"])
    assert not once.values("action", "target_id").annotate(n=Count("id")).filter(n__gt=1).exists()
    came = [name for name, (_amount, status) in payments.items() if status != "failed"]
    assert once.filter(action="contribution.received").count() == len(came) == 11
    assert set(Checkout.objects.values_list("status", flat=True)) == {"complete"}


# Holds its breath between looking at the row and writing it.
SETTLE = """
import time
from billing.models import Contribution
from billing.services import applying, facts
found = facts.about("checkout.session", os.environ["SESSION"])
write = Contribution.save
def slowly(*arguments, **options):
    time.sleep(0.4)
    write(*arguments, **options)
Contribution.save = slowly
applying.apply(found)
"""


def test_workers_with_the_same_news_record_it_once(till, member):
    session = till.pay(member, 2000, way="debit")
    till.do("settle", session["id"])
    Checkout.objects.all().delete()  # writing to it would make them wait for each other as well
    processes.outputs(processes.start(SETTLE, times=3, SESSION=session["id"]))
    assert Contribution.objects.get().status == "paid"
    assert Activity.objects.filter(action="contribution.received").count() == 1
