"""The pages of documents in a browser: sound in every look, and a job on paper from the first line to the last payment."""

import re
import time

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from documents.models import Acceptance, Contract, Invoice, Quote
from documents.services import links, quotes
from documents.services.templates import add_first_templates
from tests.accounts.people import make_user
from tests.documents.papers import IDENTITY, accepted_quote, make_invoice, make_job, make_quote
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.trade import make_contact, make_project, studio_of

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = {
    "en": {
        "new": "New quote", "save": "Save", "add": "Add a line", "ready": "Make it ready", "link": "Make a link",
        "accept": "I accept", "name": "Your name", "agreed": "agreed on", "deposit": "Deposit invoice", "issue": "Issue it…",
        "issue_now": "Issue the invoice", "balance": "Invoice the balance", "record": "Record the payment", "pay": "Record a payment",
        "paid": "Paid", "contract": "Contract: Photography contract", "agree": "I agree",
        "total": "€2,220.00",
    },
    "fr": {
        "new": "Nouveau devis", "save": "Enregistrer", "add": "Ajouter une ligne", "ready": "Préparer l’envoi",
        "link": "Créer un lien", "accept": "J’accepte", "name": "Votre nom", "agreed": "a donné son accord le",
        "deposit": "Facture d’acompte",
        "issue": "L’émettre…", "issue_now": "Émettre la facture", "balance": "Facturer le solde", "record": "Enregistrer le paiement",
        "pay": "Enregistrer un paiement", "paid": "Payée", "contract": "Contrat\N{NO-BREAK SPACE}: Contrat de prestation photographique",
        "agree": "Je suis d’accord", "total": "2 220,00 €",
    },
}  # fmt: skip


def url(name, *args):
    return reverse(f"documents:{name}", args=args)


def slowly(route):
    time.sleep(0.5)
    route.continue_()


@pytest.mark.slow
def test_pages_of_documents_are_sound(page, axe, live_server, login, transactional_db):
    anna = make_user(name="Anna", language="fr")
    project = make_job(anna)
    accepted, invoice = accepted_quote(project, anna, options=(3,)), make_invoice(project, anna)
    draft = make_quote(project, anna, subject="Mariage de Marie-Charlotte de la Tour-Maubourg et Jean-Baptiste à Saint-Rémy-lès-Chevreuse")
    template = add_first_templates(project.organization, actor=anna)[1]
    login(User.objects.get(pk=anna.pk))
    paths = [
        url("quote_list"), url("contract_list"), url("invoice_list"), url("quote_add"), url("quote", accepted.pk), url("quote", draft.pk),
        url("quote_edit", draft.pk), url("invoice", invoice.pk), url("invoice_credit", invoice.pk), url("settings"),
        url("template_edit", template.pk), url("contract_add") + f"?quote={accepted.pk}&template={template.pk}",
    ]  # fmt: skip
    assert [fault for path in paths for fault in look_at(page, axe, live_server.url + path, looks=TWO_LOOKS)] == []


@pytest.mark.slow
def test_the_clients_page_is_sound_and_works_without_scripts(page, axe, live_server, browser, transactional_db):
    anna = make_user(name="Anna")
    project = make_job(anna)
    for document in (quotes.mark_sent(make_quote(project, anna), actor=anna), make_invoice(project, anna)):
        _link, token = links.make_link(document, actor=anna)
        page.goto(live_server.url + url("client_open", token))
        assert look_at(page, axe, page.url) == []
    _link, token = links.make_link(Quote.objects.get(), actor=anna)
    plain = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    plain.goto(live_server.url + url("client_open", token))
    plain.get_by_label("Votre nom").fill("Claire Faure")
    plain.get_by_label("Écrivez").fill("Bon pour accord")
    plain.get_by_role("button", name="J’accepte").click()
    expect(plain.get_by_text("a donné son accord le")).to_be_visible()
    assert token not in plain.url and Acceptance.objects.get().name == "Claire Faure"
    plain.context.close()


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("fr", 390)])
def test_from_the_quote_to_the_last_payment(page, live_server, login, browser, transactional_db, language, width):
    said = WORDS[language]
    anna = make_user(name="Anna", language=language)
    studio = studio_of(anna)
    project = make_project(studio, contact=make_contact(studio, language=language, street="4 avenue du Parc", city="Maincy", country="FR"))
    login(anna)
    page.set_viewport_size({"width": width, "height": 844})
    press = lambda name: page.get_by_role("button", name=name).first.click()  # noqa: E731
    follow = lambda name: page.get_by_role("link", name=name).first.click()  # noqa: E731

    page.goto(live_server.url + reverse("studio:project_detail", args=[project.pk]))
    follow(said["new"])
    page.locator("#id_lines-0-description").fill("Reportage")
    page.locator("#id_lines-0-unit_price").fill("1850")
    page.route("**/quotes/add/**", slowly)  # the line is there even where answers take longer than the totals wait
    press(said["add"])
    page.locator("#id_lines-1-description").fill("Drone")
    page.unroute("**/quotes/add/**")
    page.locator("#id_lines-1-unit_price").fill("300")
    page.locator("#id_lines-1-optional").check()
    expect(page.locator("#totals")).to_contain_text(said["total"].replace(" ", "\u202f", 1).replace(" €", "\u00a0€"))
    press(said["save"])
    press(said["ready"])
    page.locator("#id_legal_name").fill("Studio Lumière")
    for name in ("street", "postcode", "city", "vat_number", "iban", "bic"):
        page.locator(f"#id_{name}").fill(IDENTITY[name])
    page.locator("#id_company_number").fill("732 829 320 00074")
    press(said["save"])
    press(said["ready"])
    quote = Quote.objects.get()
    answer_as_client(browser, live_server, page, said, accept=said["accept"], option="Drone")
    quote.refresh_from_db()
    assert (quote.status, str(quote.gross)) == ("accepted", "2580.00")

    add_first_templates(studio, actor=anna)
    page.goto(live_server.url + url("quote", quote.pk))
    follow(said["contract"])
    press(said["save"])
    press(said["ready"])
    answer_as_client(browser, live_server, page, said, accept=said["agree"])
    assert Contract.objects.get().status == "accepted"

    for button in (said["deposit"], said["balance"]):
        page.goto(live_server.url + url("quote", quote.pk))
        press(button)
        follow(said["issue"])
        press(said["issue_now"])
        page.get_by_text(said["pay"], exact=True).first.click()
        press(said["record"])
        expect(page.locator(".top .badge")).to_have_text(said["paid"])
    assert sum(invoice.gross for invoice in Invoice.objects.all()) == quote.gross
    page.goto(live_server.url + reverse("studio:project_detail", args=[project.pk]))
    expect(page.locator("section", has=page.locator("#documents")).locator("li")).to_have_count(4)
    expect(page.locator(".timeline li")).to_have_count(14)


def answer_as_client(browser, live_server, page, said, *, accept, option=""):
    """The client opens a link that the page makes, in a browser of their own, and agrees."""
    page.get_by_role("button", name=said["link"]).click()
    address = page.locator("#client-url").text_content()
    path = re.search(r"/p/[\w-]{43}", address)[0]
    client = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    client.goto(live_server.url + path)
    if option:
        client.get_by_label(re.compile(option)).check()
    client.locator("#id_name").fill("Claire Faure")
    client.locator("#id_words").fill("bon pour accord")
    client.get_by_role("button", name=accept).click()
    expect(client.locator("main")).to_contain_text(said["agreed"])
    client.context.close()
