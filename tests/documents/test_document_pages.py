"""Quotes, contracts and invoices as people with different rights and their clients meet them, request by request."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format

from audit.models import Activity
from documents.models import Acceptance, ClientLink, Contract, ContractTemplate, Identity, Invoice, Payment, Quote
from documents.printing import as_words
from documents.services import acts, contracts, invoices, links, payments, quotes
from documents.services.errors import NotPossible
from documents.services.papers import with_acceptance
from documents.services.templates import add_first_templates
from studio.models import TimelineEntry
from tests.accounts.people import make_user
from tests.accounts.studios import browser_of, make_studio
from tests.documents.papers import GROSS, IDENTITY, accepted_quote, make_identity, make_invoice, make_job, make_quote
from tests.studio.trade import DAY, make_contact, make_project, make_session, many_contacts, studio_of

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12
SHEET = {
    "subject": "Mariage", "language": "fr", "deposit_percent": "30", "lines-TOTAL_FORMS": "2", "lines-INITIAL_FORMS": "0",
    "lines-0-description": "Reportage", "lines-0-quantity": "1", "lines-0-unit_price": "1 850,00", "lines-0-vat_rate": "20.00",
    "lines-1-description": "Drone", "lines-1-quantity": "1", "lines-1-unit_price": "300", "lines-1-vat_rate": "20.00",
    "lines-1-optional": "on",
}  # fmt: skip
LINE = {"description": "Portrait", "unit_price": Decimal(100), "vat_rate": Decimal(20)}
DETAILS = {
    **IDENTITY, "company_number": "73282932000074", "country": "FR", "vat_scheme": "standard", "default_vat_rate": "20.00",
    "credit_note_prefix": "A-",
    "payment_days": "30", "quote_days": "30", "deposit_percent": "30", "quote_prefix": "D-", "contract_prefix": "C-",
    "invoice_prefix": "F-",
}  # fmt: skip


def url(name, *args):
    return reverse(f"documents:{name}", args=args)


@pytest.fixture
def anna(db):
    return make_user(name="Anna", language="en")


@pytest.fixture
def project(anna):
    return make_job(anna)


def said(page):
    return [str(message) for message in page.context["messages"]]


def test_a_quote_is_written_line_by_line_and_goes_through_all_its_steps(anna):
    project = make_project(studio_of(anna), contact=make_contact(studio_of(anna), street="4 avenue du Parc", city="Maincy"))
    make_session(project, anna, hours=30)
    make_session(project, anna, at=DAY + timedelta(days=90), type="meeting")
    web = browser_of(anna)
    add = url("quote_add") + f"?project={project.pk}"
    for page in (add, url("invoice_add") + f"?project={project.pk}"):
        assert f'value="{DAY + timedelta(days=1):%Y-%m-%d}"' in web.get(page).text  # the date of service
    assert "Mariage Claire" in web.get(url("quote_add")).text and "Line 1" in web.get(add).text

    # a line more, one up, one less: the form comes back, with or without htmx, and nothing is stored
    whole = web.post(add, SHEET | {"lines_do": "add"})
    assert "<html" in whole.text and 'name="lines-2-description"' in whole.text and "€2,220.00" in whole.text
    part = web.post(add, SHEET | {"lines_do": "up-1"}, headers={"HX-Request": "true"})
    assert "<html" not in part.text and part.text.index("Drone") < part.text.index("Reportage")
    part = web.post(add, SHEET | {"lines_do": "remove-0", "discount_amount": "1"}, headers={"HX-Request": "true"})
    assert "Reportage" not in part.text
    over = web.post(add, SHEET | {"lines_do": "reckon", "discount_amount": "9999"}, headers={"HX-Request": "true"})
    assert "exceeds the sum" in over.text and not Quote.objects.exists()
    most = web.post(add, SHEET | {"lines_do": "add", "lines-TOTAL_FORMS": "100"}, headers={"HX-Request": "true"})
    assert most.status_code == 204  # no line more than there may be

    wrong = web.post(add, SHEET | {"lines-0-unit_price": "abc", "deposit_amount": "5"})
    assert wrong.status_code == 422 and "not both" in wrong.text and not Quote.objects.exists()
    web.post(add, SHEET)
    quote = Quote.objects.get()
    assert (quote.gross, quote.contact, quote.project, quote.deposit_percent) == (Decimal("2220.00"), project.contact, project, 30)
    assert [(line.description, line.optional) for line in quote.lines.all()] == [("Reportage", False), ("Drone", True)]

    # not ready while the studio's own details are wanting; they are asked for, and the way leads back
    answer = web.post(url("quote_ready", quote.pk))
    assert answer["Location"] == url("settings") + f"?next={url('quote', quote.pk)}"
    page = web.get(answer["Location"])
    assert "name on documents" in said(page)[-1]
    answer = web.post(url("settings"), DETAILS | {"next": url("quote", quote.pk)})
    assert answer["Location"] == url("quote", quote.pk)
    web.post(url("quote_ready", quote.pk))
    web.post(url("quote_edit", quote.pk), SHEET | {"lines-0-unit_price": "2,000.00"})
    quote.refresh_from_db()
    assert (quote.status, quote.number[:2], quote.content, quote.gross) == ("draft", "D-", None, Decimal("2400.00"))
    web.post(url("quote_sent", quote.pk))
    pdf = web.get(url("quote_pdf", quote.pk))
    assert pdf.content.startswith(b"%PDF-") and quote.number in pdf["Content-Disposition"]
    assert web.get(url("quote_edit", quote.pk))["Location"] == url("quote", quote.pk)
    assert "cannot be" not in web.get(url("quote", quote.pk)).text

    new = web.post(url("quote_revise", quote.pk))["Location"]
    assert new != url("quote_edit", quote.pk) and web.get(new).status_code == 200
    web.post(url("quote_accepted", quote.pk), {"name": "Claire Faure", "options": ["2"]})
    quote.refresh_from_db()
    assert (quote.status, quote.gross, Acceptance.objects.get().recorded_by) == ("accepted", Decimal("2760.00"), anna)
    page = web.get(url("quote", quote.pk)).text
    assert "Recorded by the studio" in page and "Deposit invoice" in page and "Avec les options" in page


INVOICE = {name: value for name, value in SHEET.items() if name not in {"deposit_percent", "lines-1-optional"}}
CONTRACT = {"subject": "Mariage", "language": "fr", "text": "x"}


@pytest.mark.parametrize(("kind", "said"), [("quote", SHEET), ("contract", CONTRACT), ("invoice", INVOICE)])
def test_a_draft_may_be_for_another_project_or_client_and_what_went_out_may_not(anna, project, kind, said):
    other = make_project(project.organization, title="Portraits", contact=make_contact(project.organization, family_name="Petit"))
    company = make_contact(project.organization, kind="company", company_name="Morel SARL")
    foreign = make_project(make_studio("Atelier Morel", omar="owner")[0])
    web, model = browser_of(anna), {"quote": Quote, "contract": Contract, "invoice": Invoice}[kind]
    web.post(url(f"{kind}_add") + f"?contact={project.contact_id}", said)
    draft, edit = model.objects.get(), url(f"{kind}_edit", model.objects.get().pk)
    assert (draft.project, draft.contact) == (None, project.contact) and "?for=project" in web.get(edit).text

    chosen = web.get(edit, {"for": "project", "q": "portr"}).text
    assert f"{edit}?project={other.pk}" in chosen and str(project.pk) not in chosen and f"{edit}?for=contact" in chosen
    assert "Petit" in web.get(edit + f"?project={other.pk}").text and model.objects.get().project is None
    web.post(edit + f"?project={other.pk}", said)
    moved = model.objects.get()
    assert (moved.project, moved.contact) == (other, other.contact)
    assert f"{edit}?contact={company.pk}" in web.get(edit, {"for": "contact"}).text
    web.post(edit + f"?contact={company.pk}", said)
    assert (model.objects.get().project, model.objects.get().contact) == (other, company)
    assert web.post(edit + f"?project={foreign.pk}", said).status_code == 404

    make_identity(project.organization, anna)
    web.post(url("invoice_issue" if kind == "invoice" else f"{kind}_sent", moved.pk))
    content = model.objects.get().content
    assert content["client"]["name"] == "Morel SARL"
    for query in ("?for=project", f"?project={project.pk}"):
        assert web.post(edit + query, said)["Location"] == url(kind, moved.pk)
    assert (model.objects.get().project, model.objects.get().content) == (other, content)


def test_the_link_of_one_client_shows_nothing_that_is_for_another(anna, project):
    quote = quotes.make_ready(make_quote(project, anna), actor=anna)
    contract = contracts.create_contract(
        project.organization, fields={"contact": project.contact, "subject": "C", "text": "x"}, actor=anna
    )  # fmt: skip
    contract = contracts.make_ready(contract, actor=anna)
    tokens = [links.make_link(document, actor=anna)[1] for document in (quote, contract)]
    other = {"contact": make_contact(project.organization, family_name="Petit")}
    quotes.make_ready(quotes.edit_quote(quote, fields=other, lines=[LINE], actor=anna), actor=anna)
    contracts.make_ready(contracts.edit_contract(contract, fields=other, actor=anna), actor=anna)
    assert [links.link_with(token) for token in tokens] == [None, None]


def test_from_an_accepted_quote_to_the_last_payment(anna, project):
    web = browser_of(anna)
    quote = accepted_quote(project, anna)
    template = add_first_templates(quote.organization, actor=anna)[1]
    form = web.get(url("contract_add") + f"?quote={quote.pk}&template={template.pk}")
    text = form.context["form"].initial["text"]
    assert quote.number in text.replace("\\", "") and "{{" not in text and "Studio Lumière" in text
    web.post(url("contract_add") + f"?quote={quote.pk}", {"subject": "Contrat", "language": "fr", "text": text})
    contract = Contract.objects.get()
    assert (contract.quote, contract.contact) == (quote, quote.contact)
    web.post(url("contract_sent", contract.pk))
    web.post(url("contract_accepted", contract.pk), {"name": "Claire Faure"})
    contract.refresh_from_db()
    assert contract.status == "accepted" and "Accepté en ligne" in web.get(url("contract", contract.pk)).text

    deposit = web.post(url("quote_deposit", quote.pk), {"amount": ""})["Location"]
    assert "Preview the PDF" in web.get(deposit).text and "cannot" not in web.get(deposit + "pdf/").get("Location", "")
    assert "never changes again" in web.get(deposit + "issue/").text and Invoice.objects.get().status == "draft"
    web.post(deposit + "issue/")
    web.post(url("quote_balance", quote.pk))
    first, second = Invoice.objects.order_by("created_at")
    assert (first.kind, first.number[:2], second.kind) == ("deposit", "F-", "balance")
    web.post(url("invoice_issue", second.pk))
    again = web.post(url("invoice_issue", second.pk), follow=True)
    assert "does not change any more" in said(again)[-1]
    second.refresh_from_db()
    assert first.gross + second.gross == GROSS and "QR" in web.get(url("invoice", second.pk)).text

    too_much = web.post(url("invoice_pay", second.pk), {"amount": "99999", "paid_on": "2026-11-20", "method": "transfer"}, follow=True)
    assert "no more than what is left" in said(too_much)[-1]
    web.post(url("invoice_pay", second.pk), {"amount": str(second.gross), "paid_on": "2026-11-20", "method": "transfer"})
    assert Invoice.objects.with_balance().get(pk=second.pk).state == "paid"
    web.post(url("payment_reverse", Payment.objects.get().pk))
    assert Invoice.objects.with_balance().get(pk=second.pk).balance == second.gross
    web.post(url("invoice_credit", second.pk), {"amount": "100"})
    web.post(url("invoice_credit", second.pk), {"amount": ""})
    second.refresh_from_db()
    assert second.status == "cancelled" and Invoice.objects.filter(kind="credit_note").count() == 2
    kinds = set(TimelineEntry.objects.values_list("kind", flat=True))
    assert {"quote.accepted", "contract.accepted", "invoice.issued", "payment.recorded", "payment.reversed", "invoice.credited"} <= kinds


def test_the_settings_check_numbers_and_keep_the_iban_sealed(anna):
    web = browser_of(anna)
    wrong = DETAILS | {"iban": "FR7630006000011234567890188", "bic": "XX", "vat_number": "FR00123456789", "company_number": "123"}
    page = web.post(url("settings"), wrong | {"credit_note_prefix": "F-", "quote_prefix": "A\r\nX: y", "contract_prefix": "../"})
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {
        "iban", "bic", "vat_number", "company_number", "credit_note_prefix", "quote_prefix", "contract_prefix"
    }  # fmt: skip
    good = DETAILS | {"company_number": "732 829 320 00074"}
    assert web.post(url("settings"), good).status_code == 302
    assert Identity.objects.get().iban == IDENTITY["iban"] and not Identity.objects.get().missing
    make_invoice(make_project(studio_of(anna), contact=make_contact(studio_of(anna))), anna)
    swapped = web.post(url("settings"), good | {"invoice_prefix": "A-", "credit_note_prefix": "F-"})
    assert set(swapped.context["form"].errors) == {"credit_note_prefix"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(i)::text FROM documents_identity i")
        assert "7630006" not in cursor.fetchone()[0]
    assert not Activity.objects.filter(action="identity.updated", details__icontains="FR76").exists()


def test_templates_are_begun_with_ours_previewed_and_changed(anna, project):
    web = browser_of(anna)
    web.post(url("templates_first"))
    web.post(url("templates_first"))
    assert ContractTemplate.objects.count() == 2
    english = ContractTemplate.objects.get(language="en")
    values = {"name": english.name, "language": "en", "text": "# Hello {{ client.name }}\n\n<script>alert(1)</script>"}
    preview = web.post(url("template_edit", english.pk), values | {"preview": "1"}).text
    assert "Hello Claire Faure" in preview and "<script>alert" not in preview
    unknown = web.post(url("template_edit", english.pk), values | {"text": "{{ settings.SECRET_KEY }}"})
    assert unknown.status_code == 422 and "settings.SECRET_KEY" in unknown.text
    web.post(url("template_edit", english.pk), values)
    english.refresh_from_db()
    assert english.version == 2
    web.post(url("template_delete", english.pk))
    assert ContractTemplate.objects.count() == 1


def test_each_colleague_does_what_their_role_allows(anna):
    studio, people = make_studio("Atelier Morel", omar="owner", cleo="assistant", dora="accountant")
    make_identity(studio, people["omar"])
    job = make_project(studio, contact=make_contact(studio, country="FR"))
    quote = quotes.mark_sent(make_quote(job, people["omar"]), actor=people["omar"])
    invoice = make_invoice(job, people["omar"])
    expected = {
        "cleo": {"quote": 200, "quote_edit": 302, "invoice": 403, "invoice_list": 403, "settings": 403, "quote_list": 200},
        "dora": {"quote": 200, "quote_edit": 403, "invoice": 200, "invoice_list": 200, "settings": 200, "quote_list": 200},
    }
    for name, answers in expected.items():
        web = browser_of(people[name])
        for page, status in answers.items():
            args = [] if page.endswith("list") or page == "settings" else [invoice.pk if page == "invoice" else quote.pk]
            assert web.get(url(page, *args)).status_code == status, (name, page)
    cleo, dora = browser_of(people["cleo"]), browser_of(people["dora"])
    assert dora.post(url("settings"), DETAILS).status_code == 403
    found = {name: web.get(url("search_panel"), {"q": "mariage"}).text for name, web in (("cleo", cleo), ("dora", dora))}
    assert quote.number in found["cleo"] and invoice.number not in found["cleo"] and invoice.number in found["dora"]
    assert not dora.get(url("search_panel"), {"q": "nobody"}).text.strip()
    panel = cleo.get(url("project_panel", job.pk)).text
    assert quote.number in panel and invoice.number not in panel
    assert invoice.number in dora.get(url("project_panel", job.pk)).text
    assert "F-" not in cleo.get(reverse("studio:project_detail", args=[job.pk])).text
    assert browser_of(anna).get(url("invoice", invoice.pk)).status_code == 404


def test_lists_take_the_same_few_queries_whatever_they_hold(anna, project):
    web = browser_of(anna)
    counts = {}
    for size in (1, 60):
        for number in range(size):
            make_quote(project, anna, subject=f"Mariage {number}")
        make_invoice(project, anna)
        contracts.create_contract(project.organization, fields={"contact": project.contact, "subject": "C", "text": "x"}, actor=anna)
        for name in ("quote_list", "contract_list", "invoice_list"):
            with CaptureQueriesContext(connection) as seen:
                assert web.get(url(name)).status_code == 200
            counts.setdefault(name, []).append(len(seen))
    assert all(few == many <= MOST_QUERIES for few, many in counts.values()), counts
    found = web.get(url("quote_list"), {"q": "mariage 59"}, headers={"HX-Request": "true", "HX-Target": "documents"})
    assert found.context["total"] == 1 and "<html" not in found.text and found["HX-Push-Url"].endswith("?q=mariage+59")
    for state in Invoice.State.values:
        assert web.get(url("invoice_list"), {"state": state}).status_code == 200
    drafted = make_invoice(project, anna, issued=False)
    pages = [url("invoice", one.pk) for one in (*Invoice.objects.exclude(pk=drafted.pk)[:1], drafted)]
    pages += [url("quote", one.pk) for one in (Quote.objects.first(), accepted_quote(project, anna))]
    pages += [url("quote_edit", Quote.objects.first().pk), url("contract", Contract.objects.first().pk), url("project_panel", project.pk)]
    for page in pages:
        with CaptureQueriesContext(connection) as seen:
            assert web.get(page).status_code == 200
        assert len(seen) <= MOST_QUERIES, (page, [query["sql"][:120] for query in seen])


# --- the client's page ---------------------------------------------------------------------------------------------------------


def opened(document, actor):
    """A client's browser that has followed a new link, and the address it ended at."""
    link, token = links.make_link(document, actor=actor)
    client = Client()
    answer = client.get(url("client_open", token))
    assert (answer.status_code, answer["Referrer-Policy"]) == (302, "no-referrer") and token not in answer["Location"]
    return client, answer["Location"], link, token


def test_a_client_reads_and_accepts_a_quote_without_an_account(anna, project):
    quote = quotes.make_ready(make_quote(project, anna), actor=anna)
    client, path, link, token = opened(quote, anna)
    quote.refresh_from_db()
    assert quote.status == "sent"  # its mail was read before anybody noted that it went out
    cookie = client.cookies["paper"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (path, True, "Lax") and token not in cookie.value
    page = client.get(path)
    assert 'lang="fr"' in page.text and "Devis" in page.text and "Drone" in page.text and page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert client.get(path + "pdf/").content.startswith(b"%PDF-")
    wrong = client.post(path + "accept/", {"name": "Claire Faure", "words": "D'accord", "options": ["3"]})
    assert wrong.status_code == 422 and "Bon pour accord" in wrong.text
    answer = client.post(
        path + "accept/", {"name": "Claire Faure", "words": "« Bon pour accord »", "options": ["3"]}, headers={"User-Agent": "Firefox"}
    )
    assert answer["Location"] == path
    record = Acceptance.objects.get()
    assert (record.name, record.options, record.gross, record.agent, record.link) == ("Claire Faure", [3], GROSS + 360, "Firefox", link)
    page = client.get(path).text
    assert record.content_digest in page and "Claire Faure" in page and "<form" not in page.split("<main")[1]
    assert "Acompte à verser : 902,27 €." in page.replace("\xa0", " ").replace("\u202f", " ")  # 30 % of it with the option
    assert client.post(path + "accept/", {"name": "X", "words": "Bon pour accord"}).status_code == 409
    assert client.post(path + "decline/", {"reason": "x"}).status_code == 409
    assert Acceptance.objects.count() == 1
    assert TimelineEntry.objects.filter(kind="document.opened").count() == 1


def test_the_clients_page_and_its_paper_go_by_the_clock_of_the_studios_country(anna, project, monkeypatch):
    quote = accepted_quote(project, anna)
    client, path, _link, _token = opened(quote, anna)
    record = Acceptance.objects.get()
    record.accepted_at = datetime(2026, 6, 30, 22, 30, tzinfo=UTC)  # half past midnight in Paris
    monkeypatch.setattr("documents.views.client.acceptance_of", lambda _document: record)
    page = client.get(path).text
    assert "1 juillet 2026 à 00:30" in page and "30 juin" not in page
    assert with_acceptance(quote, record)["acceptance"]["on"] == "2026-07-01"


def test_a_contract_names_each_side_once_and_says_until_when_it_may_be_agreed_to(anna, project):
    Identity.objects.update(legal_form="EI")
    fields = {"project": project, "contact": project.contact, "subject": "Contrat", "language": "fr", "text": "Le texte."}
    contract = contracts.create_contract(project.organization, fields=fields, actor=anna)
    contract = contracts.mark_sent(contract, actor=anna)
    photographer, client = as_words(contract.content)["parties"]
    assert photographer["name"] == "Studio Lumière EI" and "Studio" not in "".join(photographer["lines"])
    assert "SIRET" in photographer["lines"][-1] and project.contact.name == client["name"]
    web, path, _link, _token = opened(contract, anna)
    with translation.override("fr"):
        last = date_format(contract.valid_until)
    assert f"Vous pouvez donner votre accord jusqu’au {last}." in web.get(path).text


def test_what_is_next_for_an_accepted_quote_stands_out(anna, project):
    quote, web = accepted_quote(project, anna), browser_of(anna)

    def prominent():
        return re.findall(r'class="btn btn-block btn-primary"[^>]*>.*?</svg> ([^<]+)<', web.get(url("quote", quote.pk)).text, re.DOTALL)

    assert prominent() == ["Write the contract"]
    contracts.create_contract(
        quote.organization, fields={"subject": "x", "text": "y", "quote": quote, "contact": quote.contact}, actor=anna
    )
    assert prominent() == ["Deposit invoice"]
    web.post(url("quote_deposit", quote.pk))
    assert prominent() == ["Invoice the balance"]
    balance = invoices.issue_invoice(invoices.invoice_balance(quote, actor=anna), actor=anna)
    page = web.get(url("quote", quote.pk)).text
    assert "All of it is invoiced." in page and url("quote_balance", quote.pk) not in page
    invoices.credit_invoice(balance, actor=anna)
    assert prominent() == ["Invoice the balance"] and url("invoice_sent", balance.pk) not in web.get(url("invoice", balance.pk)).text


def code_of(page: str) -> str:
    return page.split('<figure class="paper-qr"')[1].split("</figure>")[0]


def test_a_client_declines_with_a_reason_and_sees_how_to_pay(anna, project):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    client, path, _link, _token = opened(quote, anna)
    client.post(path + "decline/", {"reason": "Trop cher"})
    quote.refresh_from_db()
    assert (quote.status, quote.decline_reason) == ("declined", "Trop cher") and "décliné" in client.get(path).text
    invoice = make_invoice(project, anna)
    client, path, _link, _token = opened(invoice, anna)
    page = client.get(path).text
    assert IDENTITY["iban"] in page and "<svg" in page and "<form" not in page.split("<main")[1] and "Reste à payer" not in page
    payments.record_payment(invoice, amount=Decimal(1000), paid_on=timezone.localdate(), method="transfer", actor=anna)
    less = client.get(path).text
    assert "Reste à payer\u00a0: 1\u202f647,57\u00a0€" in less and code_of(less) != code_of(page)  # asks for what is left
    assert "1\u202f647,57\u00a0€" in less.split("paper-payment")[1] and "2\u202f647,57" not in less.split("paper-payment")[1]
    payments.record_payment(invoice, amount=Decimal("1647.57"), paid_on=timezone.localdate(), method="transfer", actor=anna)
    assert IDENTITY["iban"] not in client.get(path).text
    assert client.post(path + "accept/", {"name": "X", "words": "Bon pour accord"})["Location"] == path


def test_unknown_expired_and_revoked_links_are_answered_alike_and_cookies_open_one_document(anna, project):
    one = quotes.mark_sent(make_quote(project, anna), actor=anna)
    other = quotes.mark_sent(make_quote(project, anna), actor=anna)
    client, path, _link, token = opened(one, anna)
    _client, _path, late, late_token = opened(other, anna)
    ClientLink.objects.filter(pk=late.pk).update(expires_at=timezone.now())
    links.revoke_links(one, actor=anna)
    nobody = Client()

    def answer(address):
        page = nobody.get(address)
        return page.status_code, re.sub(r"[\w+/=-]{9,}", "", page.text), page["Referrer-Policy"]

    answers = {answer(url("client_open", each)) for each in ("x" * 43, token, late_token)}
    answers |= {answer(path), answer(url("client", late.pk)), answer(url("client", one.pk))}
    assert len(answers) == 1 and answers.pop()[0] == 404
    assert client.get(path).status_code == 404  # revoked while it was open
    fresh, path, _link, _token = opened(one, anna)
    mine, value = links.make_link(other, actor=anna)[0], fresh.cookies["paper"].value
    thief = Client()
    thief.cookies["paper"] = value
    assert thief.get(url("client", mine.pk)).status_code == 404 and fresh.get(path).status_code == 200
    said = {name: fresh.cookies["paper"][name] for name in ("path", "httponly", "samesite", "max-age")}
    assert said == {"path": path, "httponly": True, "samesite": "Lax", "max-age": 12 * 3600}
    for hours, status in ((11.9, 200), (12.1, 404)):  # whatever the browser does with it
        with time_machine.travel(timezone.now() + timedelta(hours=hours), tick=True):
            assert fresh.get(path).status_code == status


def test_a_link_is_shown_once_and_the_studio_looking_is_not_the_client(anna, project):
    web = browser_of(anna)
    draft = make_quote(project, anna)
    assert web.post(url("quote_link", draft.pk)).status_code == 302 and not ClientLink.objects.exists()
    quote = quotes.make_ready(draft, actor=anna)
    page = web.post(url("quote_link", quote.pk)).text
    token = re.search(r"/p/([\w-]{43})", page)[1]
    assert token not in web.get(url("quote", quote.pk)).text
    web.get(url("client_open", token))
    quote.refresh_from_db()
    assert quote.status == "draft" and ClientLink.objects.get().first_opened_at is None
    web.post(url("quote_unlink", quote.pk))
    assert Client().get(url("client_open", token)).status_code == 404
    assert not many_contacts(quote.organization, 0) and invoices.left_of(quote).gross == GROSS


def test_somebody_of_the_studio_does_not_answer_as_the_client(anna, project):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    web, (_link, token) = browser_of(anna), links.make_link(quote, actor=anna)
    path = web.get(url("client_open", token))["Location"]
    for answer, said in (("accept/", {"name": "Claire Faure", "words": "Bon pour accord"}), ("decline/", {"reason": "Non"})):
        page = web.post(path + answer, said)
        assert page.status_code == 403 and "ici, c’est le client qui répond" in page.text
    quote.refresh_from_db()
    assert quote.status == "sent" and not Acceptance.objects.exists()


def test_a_link_taken_back_a_moment_before_is_no_answer(anna, project):
    quote = quotes.mark_sent(make_quote(project, anna), actor=anna)
    link, _token = links.make_link(quote, actor=anna)
    links.revoke_links(quote, actor=anna)
    with pytest.raises(NotPossible, match="link"):
        quotes.accept_quote(quote, acts.Act("Claire Faure", link=link))
    with pytest.raises(NotPossible, match="link"):
        acts.decline(quote, reason="Non", link=link)
    quote.refresh_from_db()
    assert quote.status == "sent" and not Acceptance.objects.exists()
