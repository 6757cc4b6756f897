"""Numbers without gaps: eight processes issue two hundred invoices side by side, and some of them change their mind.

And what is issued of one quote adds up to it, however many issue at once.
"""

import pytest

from documents.models import Invoice
from documents.services import invoices
from tests import processes
from tests.accounts.people import make_user
from tests.documents.papers import accepted_quote, make_invoice, make_job

ISSUE = """
from django.db import IntegrityError, transaction
from accounts.models import User
from documents.models import Invoice, NumberSeries
from documents.services import invoices, numbering
from tests.processes import meet
if os.environ["GUARD"] == "off":  # the first time all have read before one writes, as could happen any time
    NumberSeries.objects.select_for_update = NumberSeries.objects.all
    locked = numbering._locked
    def read(*of):
        numbering._locked, series = locked, locked(*of)
        meet(os.environ["WHERE"], os.environ["FIRST"])
        return series
    numbering._locked = read
class ChangedTheirMind(Exception):
    pass
anna = User.objects.get(name="Anna")
mine = list(Invoice.objects.filter(status="draft").order_by("id"))[int(os.environ["FIRST"]) :: int(os.environ["PROCESSES"])]
refused = 0
for place, draft in enumerate(mine):
    try:
        if place % 5 == 1:
            try:
                with transaction.atomic():
                    invoices.issue_invoice(draft, actor=anna)
                    raise ChangedTheirMind
            except ChangedTheirMind:
                pass
        invoices.issue_invoice(draft, actor=anna)
    except IntegrityError:
        refused += 1
print(refused)
"""


def issue_side_by_side(count: int, *, workers: int, guard: str = "on", where: str = "") -> list[int]:
    project = make_job(make_user(name="Anna"))
    anna = project.organization.memberships.get().user
    if guard == "off":
        make_invoice(project, anna)  # the year's row is there, or the second would wait for the first to make it
    for _ in range(count):
        make_invoice(project, anna, issued=False)
    each = [{"FIRST": str(first)} for first in range(workers)]
    started = processes.start(ISSUE, each=each, GUARD=guard, WHERE=where, PROCESSES=str(workers))
    return [int(printed) for printed in processes.outputs(started)]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_hundred_invoices_have_two_hundred_numbers_in_a_row():
    assert issue_side_by_side(200, workers=8) == [0] * 8
    issued = list(Invoice.objects.order_by("number").values_list("number", "issued_on"))
    year = issued[0][1].year
    assert [number for number, _on in issued] == [f"F-{year}-{place:04d}" for place in range(1, 201)]
    assert [on for _number, on in issued] == sorted(on for _number, on in issued)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_would_take_the_same_number(tmp_path):
    assert sum(issue_side_by_side(2, workers=2, guard="off", where=str(tmp_path))) == 1


ISSUE_OF_ONE_QUOTE = """
from accounts.models import User
from documents.models import Invoice, Quote
from documents.services import invoices
from documents.services.errors import NotPossible
from tests.processes import meet
guarded, left_of = os.environ["GUARD"] == "on", invoices.left_of
if not guarded:
    type(Quote.objects).select_for_update = lambda self, **_of: self.all()
def looked(quote):  # both have looked before one issues, unless one waits for the other
    left = left_of(quote)
    meet(os.environ["WHERE"], os.environ["DRAFT"], patience=0.2 if guarded else 20)
    return left
invoices.left_of = looked
try:
    invoices.issue_invoice(Invoice.objects.get(pk=os.environ["DRAFT"]), actor=User.objects.get(name="Anna"))
    print("issued")
except NotPossible as fault:
    print(fault)
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("guard", "printed"), [("on", ["amount", "issued"]), ("off", ["issued", "issued"])])
def test_two_deposits_issued_at_once_do_not_exceed_their_quote(tmp_path, guard, printed):
    anna = make_user(name="Anna")
    quote = accepted_quote(make_job(anna), anna)
    most = quote.gross * 6 / 10
    drafts = [invoices.invoice_deposit(quote, gross=round(most, 2), actor=anna) for _ in range(2)]
    started = processes.start(ISSUE_OF_ONE_QUOTE, each=[{"DRAFT": str(one.pk)} for one in drafts], GUARD=guard, WHERE=str(tmp_path))
    assert sorted(processes.outputs(started)) == printed
