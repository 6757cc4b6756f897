"""The pages of documents in a browser: sound in every look, and a quote written where answers take long."""

import re
from contextlib import contextmanager

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.models import User
from documents.models import Acceptance, Quote
from documents.services import links, quotes
from documents.services.templates import add_first_templates
from tests.accounts.people import make_user
from tests.documents.papers import IDENTITY, accepted_quote, make_invoice, make_job, make_quote
from tests.pages.look import TWO_LOOKS, look_at
from tests.studio.trade import make_contact, make_project, studio_of

pytestmark = pytest.mark.django_db(transaction=True)
EUROS = "{}\N{NO-BREAK SPACE}€"


def url(name, *args):
    return reverse(f"documents:{name}", args=args)


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


@contextmanager
def kept_waiting(page):
    """What the editor asks for meanwhile is answered at the end, when all that its changes ask for by themselves would have been sent."""
    asked, ended = [], []
    page.route("**/quotes/add/**", lambda route: route.continue_() if ended else asked.append(route))
    with page.expect_request("**/quotes/add/**"):
        yield
    page.wait_for_timeout(300)
    ended.append(True)
    for route in asked:
        route.continue_()


@pytest.mark.slow
def test_a_quote_is_written_where_answers_take_long_and_its_client_takes_an_option(page, live_server, login, browser, transactional_db):
    anna = make_user(name="Anna", language="fr")
    studio = studio_of(anna)
    project = make_project(studio, contact=make_contact(studio, street="4 avenue du Parc", city="Maincy", country="FR"))
    login(anna)
    page.set_viewport_size({"width": 390, "height": 844})
    press = lambda name: page.get_by_role("button", name=name).first.click()  # noqa: E731
    total = page.locator("#totals div.strong dd")

    page.goto(live_server.url + reverse("studio:project_detail", args=[project.pk]))
    page.get_by_role("link", name="Nouveau devis").click()
    page.locator("#id_lines-0-description").fill("Reportage")
    page.locator("#id_lines-0-unit_price").fill("1850")
    with kept_waiting(page):  # the price asks for the totals: the line comes all the same
        press("Ajouter une ligne")
        page.locator("#id_lines-0-details").fill("Toute la journée")  # typed while the line is on its way
    page.locator("#id_lines-1-description").fill("Drone")
    expect(page.locator("#id_lines-0-details")).to_have_value("Toute la journée")
    expect(total).to_have_text(EUROS.format("2\u202f220,00"))
    price = page.locator("#id_lines-1-unit_price")
    with kept_waiting(page):  # one price asks for the totals and the next asks again: the last counts
        price.fill("400")
        price.blur()
        page.wait_for_timeout(300)
        price.fill("300")
        price.blur()
    expect(total).to_have_text(EUROS.format("2\u202f580,00"))
    page.locator("#id_lines-1-optional").check()
    expect(total).to_have_text(EUROS.format("2\u202f220,00"))
    press("Enregistrer")
    press("Préparer l’envoi")
    page.locator("#id_legal_name").fill("Studio Lumière")
    for name in ("street", "postcode", "city", "vat_number", "iban", "bic"):
        page.locator(f"#id_{name}").fill(IDENTITY[name])
    page.locator("#id_company_number").fill("732 829 320 00074")
    press("Enregistrer")
    press("Préparer l’envoi")
    press("Créer un lien")
    path = re.search(r"/p/[\w-]{43}", page.locator("#client-url").text_content())[0]
    take_the_option(browser, live_server.url + path)
    quote = Quote.objects.get()
    assert (quote.status, str(quote.gross)) == ("accepted", "2580.00")


def take_the_option(browser, link):
    """The client, in a browser of their own."""
    client = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    client.goto(link)
    client.get_by_label(re.compile("Drone")).check()
    client.locator("#id_name").fill("Claire Faure")
    client.locator("#id_words").fill("bon pour accord")
    client.get_by_role("button", name="J’accepte").click()
    expect(client.locator("main")).to_contain_text("a donné son accord le")
    client.context.close()
