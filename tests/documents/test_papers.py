"""A job on paper: quote, acceptance, contract, deposit, balance, payment, credit; and what never changes again."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Activity
from documents.markdown import as_blocks
from documents.models import ContractTemplate, Identity, Invoice, Quote
from documents.placeholders import filled
from documents.printing import as_words, digest
from documents.services import acts, contracts, invoices, links, payments, quotes
from documents.services.errors import Incomplete, NotPossible
from studio.models import Contact
from tests.accounts.people import make_user
from tests.documents.papers import GROSS, IDENTITY, LINES, accepted_quote, make_identity, make_invoice, make_job, make_quote
from tests.studio.trade import YEAR, make_contact, make_project, make_session, studio_of

CLIENT = acts.Act("Claire Faure", address="192.0.2.9", agent="Firefox")


@pytest.fixture
def anna(db):
    return make_user(name="Anna")


@pytest.fixture
def project(anna):
    return make_job(anna)


def refused(code):
    return pytest.raises(NotPossible, match=f"^{code}$")


# --- quotes -------------------------------------------------------------------------------------------------------------------


def test_nothing_goes_out_before_it_is_whole(anna):
    project = make_project(studio_of(anna))
    quote = make_quote(project, anna, lines=[])
    with pytest.raises(Incomplete) as wanting:
        quotes.mark_sent(quote, actor=anna)
    assert wanting.value.missing == ["contact", "lines"]
    whole = make_quote(make_project(studio_of(anna), contact=make_contact(studio_of(anna))), anna)
    with pytest.raises(Incomplete) as wanting:
        quotes.mark_sent(whole, actor=anna)
    assert wanting.value.missing == [
        f"identity.{name}" for name in ("legal_name", "street", "postcode", "city", "company_number", "vat_number")
    ]
    whole.refresh_from_db()
    assert (whole.status, whole.number, whole.content) == ("draft", "", None)


def test_a_draft_made_ready_keeps_its_number_when_it_is_changed(project, anna):
    quote = quotes.make_ready(make_quote(project, anna), actor=anna)
    number, before = quote.number, quote.content_digest
    assert quote.status == "draft" and quote.content["totals"]["gross"] == f"{GROSS:.2f}"
    line = {"description": "Portrait", "unit_price": Decimal(100), "vat_rate": Decimal(20)}
    quote = quotes.edit_quote(quote, fields={"subject": "Portrait"}, lines=[line], actor=anna)
    assert (quote.number, quote.content, quote.gross) == (number, None, Decimal("120.00"))
    quote = quotes.mark_sent(quote, actor=anna)
    assert (quote.number, quote.status) == (number, "sent") and quote.content_digest not in {"", before}
    with refused("sent"):
        quotes.edit_quote(quote, fields={}, lines=[], actor=anna)
    with refused("numbered"):
        acts.delete_draft(quote, actor=anna)


def test_the_client_takes_an_option_and_the_total_follows(project, anna):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    acceptance = quotes.accept_quote(quote, CLIENT, options=[2, 3])  # the second line is no option
    quote.refresh_from_db()
    assert quote.status == "accepted" and quote.gross == acceptance.gross == GROSS + 360
    assert acceptance.options == [3] and acceptance.content_digest == quote.content_digest == digest(quote.content)
    assert (acceptance.name, acceptance.address) == ("Claire Faure", "192.0.2.9")
    with refused("accepted"):
        quotes.accept_quote(quote, CLIENT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(a)::text FROM documents_acceptance a")
        assert "Faure" not in cursor.fetchone()[0]


def test_a_quote_past_its_date_is_expired_without_a_job(project, anna):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    with time_machine.travel(datetime.combine(quote.valid_until + timedelta(days=1), datetime.min.time(), UTC) + timedelta(hours=12)):
        assert Quote.objects.get().state == "expired"
        assert Quote.objects.in_state("expired", today=date.today()).count() == 1  # noqa: DTZ011
        assert not Quote.objects.in_state("sent", today=date.today()).exists()  # noqa: DTZ011
        with refused("expired"):
            quotes.accept_quote(quote, CLIENT)
        acts.decline(quote, reason="Too late")
    assert Quote.objects.get().status == "declined"


def test_a_revision_supersedes_what_it_revises_when_it_is_sent(project, anna):
    first = quotes.mark_sent(make_quote(project, anna), actor=anna)
    second = quotes.revise_quote(first, actor=anna)
    assert Quote.objects.get(pk=first.pk).status == "sent" and second.revision == 2 and second.gross == first.gross
    second = quotes.mark_sent(second, actor=anna)
    assert Quote.objects.get(pk=first.pk).status == "superseded" and second.number != first.number
    with refused("superseded"):
        quotes.accept_quote(first, CLIENT)
    third = quotes.make_ready(quotes.revise_quote(second, actor=anna), actor=anna)
    quotes.accept_quote(second, CLIENT)  # while the third was being written
    with refused("accepted_before"):
        quotes.mark_sent(third, actor=anna)


# --- contracts ----------------------------------------------------------------------------------------------------------------


def test_a_contract_is_written_from_its_template_and_a_clients_name_is_no_markup(project, anna):
    Contact.objects.filter(pk=project.contact_id).update(family_name="**Faure** {{ quote.total }} #panic()")
    project.refresh_from_db()
    quote = accepted_quote(project, anna)
    make_session(project, anna, hours=30, place="")
    text = (
        "{{ client.name }} paie {{quote.total}}, dont {{ quote.deposit }} ({{ quote.number }}). Le {{ session.date }}, {{ session.place }}"
    )
    text += " {{ nobody.knows }}"
    template = ContractTemplate.objects.create(organization=project.organization, name="Mariage", language="fr", text=text)
    fields = {"project": project, "contact": project.contact, "quote": quote, "subject": "Contrat", "language": "fr"}
    contract = contracts.create_contract(project.organization, fields=fields, template=template, actor=anna)
    plain = contract.text.replace("\u202f", " ").replace("\xa0", " ")
    said = rf"Claire \*\*Faure\*\* {{{{ quote.total }}}} #panic() paie 2 647,57 €, dont 794,27 € ({quote.number})."
    assert said in plain  # read and edited by people: nothing is escaped without need
    assert f"Le 12 juin {YEAR} au 13 juin {YEAR}, ………… {{{{ nobody.knows }}}}" in contract.text
    contract = contracts.mark_sent(contract, actor=anna)
    contracts.accept_contract(contract, CLIENT)
    contract.refresh_from_db()
    assert (contract.status, contract.number[:2]) == ("accepted", "C-")
    contracts.void_contract(contract, actor=anna)
    with refused("voided"):
        contracts.accept_contract(contract, CLIENT)


@given(st.text(alphabet="a1 .)>+-#=*_`\\&;<![](){}|~é:amp", min_size=1, max_size=12).map(lambda text: " ".join(text.split()) or "-"))
def test_whatever_a_client_is_called_a_contract_says_it_letter_by_letter(name):
    template = "A\n\n{{ client.name }}\n\n- {{ client.name }}\n\n# {{ client.name }}\n\n**x {{ client.name }} x**\n{{client.name}}"
    blocks = as_blocks(filled(template, {"client.name": name}))
    assert [block["kind"] for block in blocks] == ["paragraph", "paragraph", "bullets", "heading", "paragraph"]
    runs = [blocks[1]["runs"], blocks[2]["items"][0], blocks[3]["runs"], blocks[4]["runs"]]
    assert ["".join(run["text"] for run in some) for some in runs] == [name, name, name, f"x {name} x {name}"]


# --- invoices -----------------------------------------------------------------------------------------------------------------


def test_deposit_and_balance_come_to_the_quote_rate_by_rate(project, anna):
    quote = accepted_quote(project, anna, options=(3,))
    deposit = invoices.issue_invoice(invoices.invoice_deposit(quote, actor=anna), actor=anna)
    assert (deposit.kind, deposit.gross) == ("deposit", Decimal("902.27"))
    more = invoices.invoice_deposit(quote, gross=Decimal(100), actor=anna)  # a draft: counts once it is issued
    draft = invoices.invoice_balance(quote, actor=anna)
    assert draft.gross == quote.gross - deposit.gross
    invoices.issue_invoice(more, actor=anna)
    balance = invoices.issue_invoice(draft, actor=anna)
    assert balance.gross == quote.gross - deposit.gross - 100
    assert [one["number"] for one in balance.content["deducted"]] == [
        deposit.number,
        more.number.strip() or Invoice.objects.get(pk=more.pk).number,
    ]
    above = as_words(balance.content)  # what stands above a sum adds up to it
    words = [amount for _label, amount in above["sums"]] + [line["cells"][-1] for line in above["lines"] if not line["note"]]
    figures = [Decimal(re.sub(r"[^\d,-]", "", amount).replace(",", ".")) for amount in words]
    (first, second, net), lines = figures[:3], figures[len(above["sums"]) :]
    assert sum(lines) + first + second == net == balance.net and "TTC" in above["sums"][0][0]
    by_rate = {}
    for invoice in (deposit, Invoice.objects.get(pk=more.pk), balance):
        for row in invoice.by_rate:
            by_rate[row["rate"]] = by_rate.get(row["rate"], 0) + Decimal(row["vat"])
    assert by_rate == {row["rate"]: Decimal(row["vat"]) for row in quote.by_rate}
    with refused("invoiced"):
        invoices.invoice_balance(quote, actor=anna)
    with refused("amount"):
        invoices.invoice_deposit(quote, gross=quote.gross, actor=anna)


def test_what_is_issued_of_a_quote_adds_up_to_it_in_whatever_order(project, anna):
    quote = accepted_quote(project, anna)
    whole = invoices.invoice_balance(quote, actor=anna)  # drafted before any deposit was issued
    first, second = (invoices.invoice_deposit(quote, gross=gross, actor=anna) for gross in (Decimal(1000), Decimal(2000)))
    first = invoices.issue_invoice(first, actor=anna)
    with refused("amount"):  # 1,647.57 is left
        invoices.issue_invoice(second, actor=anna)
    credited = invoices.credit_invoice(first, gross=Decimal(400), actor=anna)
    balance = invoices.issue_invoice(whole, actor=anna)
    assert (balance.kind, balance.gross, balance.content["deducted"]) == (
        "balance", GROSS - 600, [{"number": first.number, "net": f"{first.net + credited.net}", "gross": "600.00"}]
    )  # fmt: skip
    second = invoices.edit_invoice(second, fields={}, lines=[LINES[0] | {"unit_price": Decimal("0.01")}], actor=anna)
    with refused("amount"):  # nothing is left
        invoices.issue_invoice(second, actor=anna)


def test_an_amount_that_no_column_holds_is_refused(project, anna):
    lines = [LINES[0] | {"unit_price": Decimal(9_999_999), "quantity": Decimal(999_999), "optional": True}]
    with refused("largest"):
        make_quote(project, anna, lines=lines)
    with refused("largest"):
        make_invoice(project, anna, lines=lines)


def test_issuing_allots_the_number_and_puts_the_digest_on_record(project, anna):
    draft = make_invoice(project, anna, issued=False)
    assert (draft.number, draft.issued_on) == ("", None)
    invoice = invoices.issue_invoice(draft, actor=anna)
    assert invoice.number == f"F-{invoice.issued_on.year}-0001" and invoice.due_on == invoice.issued_on + timedelta(days=30)
    assert invoice.keep_until == date(invoice.issued_on.year + 10, 12, 31)
    [activity] = Activity.objects.filter(action="invoice.issued", target_id=str(invoice.pk))
    assert activity.details["digest"] == digest(json.loads(json.dumps(Invoice.objects.get().content)))
    with refused("issued"):
        invoices.issue_invoice(invoice, actor=anna)
    with refused("issued"):
        invoices.delete_invoice(invoice, actor=anna)


def test_an_invoice_of_new_years_night_belongs_to_the_year_of_the_studio(project, anna):
    make_identity(project.organization, anna)
    with time_machine.travel(datetime(2026, 12, 31, 23, 30, tzinfo=UTC), tick=False):  # half past midnight in Paris
        assert make_invoice(project, anna).number == "F-2027-0001"


def test_without_vat_the_law_is_named_and_no_vat_asked(project, anna):
    make_identity(project.organization, anna, vat_scheme="franchise", vat_number="")
    lines = [{"description": "Portrait", "unit_price": Decimal(100), "vat_rate": Decimal(0)}]
    invoice = make_invoice(project, anna, lines=lines)
    assert invoice.gross == 100 and "TVA non applicable, article 293 B du CGI." in invoice.content["mentions"]


def test_a_payment_is_counted_and_a_mistake_undone_by_a_row(project, anna):
    invoice = make_invoice(project, anna)
    today = invoice.issued_on
    payment = payments.record_payment(invoice, amount=Decimal(1000), paid_on=today, actor=anna)
    assert state_of(invoice) == ("partly_paid", GROSS - 1000)
    with refused("amount"):
        payments.record_payment(invoice, amount=GROSS, paid_on=today, actor=anna)
    payments.reverse_payment(payment, actor=anna)
    with refused("reversed"):
        payments.reverse_payment(payment, actor=anna)
    assert state_of(invoice) == ("open", GROSS)
    payments.record_payment(invoice, amount=GROSS, paid_on=today, actor=anna)
    assert state_of(invoice) == ("paid", 0)
    with time_machine.travel(datetime.combine(invoice.due_on + timedelta(days=2), datetime.min.time(), UTC)):
        assert state_of(invoice)[0] == "paid" and state_of(make_invoice(project, anna))[0] == "open"
        assert not Invoice.objects.overdue(today=date.today()).exists()  # noqa: DTZ011


def state_of(invoice):
    found = Invoice.objects.with_balance().get(pk=invoice.pk)
    return found.state, found.balance


def test_credit_notes_add_up_and_a_full_one_cancels(project, anna):
    invoice = make_invoice(project, anna)
    some = invoices.credit_invoice(invoice, gross=Decimal("47.57"), actor=anna)
    assert (some.number[:2], some.gross, state_of(invoice)) == ("A-", Decimal("-47.57"), ("open", GROSS - Decimal("47.57")))
    for amount in (Decimal(0), Decimal(-1), GROSS - Decimal("47.56"), GROSS):  # nothing, and more than is left
        with refused("amount"):
            invoices.credit_invoice(invoice, gross=amount, actor=anna)
    rest = invoices.credit_invoice(invoice, actor=anna)
    assert some.gross + rest.gross == -GROSS and some.vat + rest.vat == -invoice.vat
    assert Invoice.objects.get(pk=invoice.pk).status == "cancelled" and rest.content["refers_to"] == invoice.number
    assert [as_words(one.content)["total"][0] for one in (invoice, rest)] == ["Total à payer", "Total de l’avoir"]
    with refused("cancelled"):
        invoices.credit_invoice(invoice, actor=anna)
    with refused("credit_note"):
        invoices.credit_invoice(rest, actor=anna)


TAMPERING = {
    "another total": "UPDATE documents_invoice SET gross = 1",
    "another content": "UPDATE documents_invoice SET content = '{}'",
    "another number": "UPDATE documents_invoice SET number = 'F-1'",
    "a draft again": "UPDATE documents_invoice SET status = 'draft', number = '', issued_on = NULL",
    "another client": "UPDATE documents_invoice SET contact_id = (SELECT id FROM studio_contact WHERE city = 'Lyon')",
    "an invoice gone": "DELETE FROM documents_invoice",
    "another line": "UPDATE documents_invoiceline SET quantity = 2",
    "a line more": "INSERT INTO documents_invoiceline SELECT gen_random_uuid(), position, description, details, quantity, unit, unit_price,"
    " vat_rate, discount, optional, invoice_id FROM documents_invoiceline LIMIT 1",
    "a line less": "DELETE FROM documents_invoiceline",
    "a line of a draft moved in": "UPDATE documents_invoiceline SET invoice_id = (SELECT id FROM documents_invoice WHERE number <> '')"
    " WHERE invoice_id = (SELECT id FROM documents_invoice WHERE status = 'draft')",
    "another payment": "UPDATE documents_payment SET amount = 3",
    "a payment gone": "DELETE FROM documents_payment",
    "another quote": "UPDATE documents_quote SET content = '{}'",
    "another sum agreed to": "UPDATE documents_quote SET gross = 1",
    "no longer agreed to": "UPDATE documents_quote SET status = 'sent'",
    "agreed to long ago": "UPDATE documents_quote SET answered_at = '2001-01-01'",
    "a quote gone": "DELETE FROM documents_quote",
    "a line of a quote gone": "DELETE FROM documents_quoteline",
    "another line of a quote": "UPDATE documents_quoteline SET unit_price = 1",
    "an option less": "UPDATE documents_quoteline SET optional = NOT optional",
    "another act": "UPDATE documents_acceptance SET words = 'x'",
    "an act gone": "DELETE FROM documents_acceptance",
}


def test_the_database_itself_keeps_what_went_out(project, anna):
    make_contact(project.organization, city="Lyon")
    accepted_quote(project, anna)
    invoice = make_invoice(project, anna)
    payments.record_payment(invoice, amount=Decimal(1), paid_on=invoice.issued_on, actor=anna)
    make_invoice(project, anna, issued=False)
    for name, statement in TAMPERING.items():
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            pytest.fail(name)
    project.contact.delete()  # an erased contact leaves the number of their invoice, and its content
    invoice.refresh_from_db()
    assert invoice.contact_id is None and invoice.content["client"]["name"] == "Claire Faure"


# --- links and identity -------------------------------------------------------------------------------------------------------


def test_a_link_is_known_by_its_hash_alone_and_can_be_taken_back(project, anna):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    link, token = links.make_link(quote, actor=anna)
    assert links.link_with(token) == link and token.encode() not in bytes(link.token_hash)
    links.opened(link)
    links.opened(link)
    assert [entry.kind for entry in project.timeline.filter(kind="document.opened")] == ["document.opened"]
    with time_machine.travel(link.expires_at + timedelta(seconds=1)):
        assert links.link_with(token) is None
    assert links.revoke_links(quote, actor=anna) == 1 and links.link_with(token) is None
    assert not Activity.objects.filter(details__icontains=token).exists()


def test_the_iban_is_sealed(project, anna):
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM documents_identity i")
        assert IDENTITY["iban"] not in cursor.fetchone()[0]
    assert Identity.objects.get().iban == IDENTITY["iban"]
