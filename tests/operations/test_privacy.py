"""`/settings/privacy/`: what is held, objections that count, agreements taken back, the details of mail gone for good (R-188 … R-191)."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from aaperture.lib.mime import Mail
from accounts.models import Consent, User
from accounts.objections import Objection
from audit.models import Activity
from integrations.engine import MailReading
from integrations.items import Item
from integrations.models import Connection
from operations.figures import figures_for
from operations.services import privacy
from tests.accounts.people import make_user
from tests.tracker.boards import add_signal, fill_board, make_opportunity
from tests.tracker.mailboxes import mail, make_run, store
from tracker.destination import OpportunityDestination
from tracker.models import ForgottenSignal, Opportunity, Signal

pytestmark = pytest.mark.django_db
PAGE = "/settings/privacy/"


@pytest.fixture
def camille():
    return make_user(email="camille@example.test")


def test_the_page_counts_what_is_held_and_leads_to_where_it_is_corrected(client, camille):
    fill_board(camille, 7)
    fill_board(make_user(), 11)
    client.force_login(camille)
    page = client.get(PAGE)
    held = {str(one.words): one for one in page.context["held"]}
    assert held["Opportunities"].number == 7 and held["Details of mails"].number == 7 and held["Account"].number == 1
    for one in held.values():
        if one.page:
            assert client.get(reverse(one.page)).status_code == 200, one.page
            assert f'href="{reverse(one.page)}"' in page.content.decode()


def test_objections_are_stored_recorded_and_taken_back(client, camille):
    client.force_login(camille)
    client.post(f"{PAGE}objections/", {"statistics": "on", "product_mail": "on"})
    assert User.objects.get(pk=camille.pk).objections == ["product_mail", "statistics"]
    assert Activity.objects.get(action="objection.changed").details == {"objections": ["product_mail", "statistics"]}
    client.post(f"{PAGE}objections/", {})
    assert User.objects.get(pk=camille.pk).objections == []
    with pytest.raises(ValueError, match="everything"):
        privacy.change_objections(camille, ["everything"])


def test_who_objects_is_in_no_statistics(client, camille):
    fill_board(camille, 5)
    fill_board(make_user(email="other@example.test"), 3)
    admin = make_user(role="admin")
    counts = {figure.label: figure.value for figure in figures_for(admin)}
    assert (counts["Opportunities"], counts["Mail kept"]) == (8, 8)
    privacy.change_objections(camille, [Objection.STATISTICS])
    counts = {figure.label: figure.value for figure in figures_for(admin)}
    assert (counts["Opportunities"], counts["Mail kept"]) == (3, 3)
    client.force_login(admin)
    page = client.get("/admin/tracker/opportunitycount/").content.decode()
    assert "other@example.test" in page and "camille@example.test" not in page


@pytest.mark.parametrize("objects", [True, False])
def test_mail_of_who_objects_is_judged_on_this_machine_only(camille, settings, monkeypatch, objects):
    """Through the engine's own transformation: the classifier asks nobody for an owner who objects."""
    asked = []
    settings.GEMINI_API_KEY = "canary-key"
    monkeypatch.setattr("tracker.classification.second_opinion.ask", asked.append)
    monkeypatch.setattr("tracker.classification.UNDECIDED_BELOW", 2.0)
    if objects:
        privacy.change_objections(camille, [Objection.SECOND_OPINION])
        camille.refresh_from_db()
    run = make_run(camille)
    run.pipeline.transformation.steps = [{"do": "classify"}, {"do": "redact"}]
    reading = MailReading(run)
    reading.transform()(Item(id="1", thread_id="1", received_at=datetime.now(UTC), mail=Mail("a@example.test", (), "Hello", "Hello", {})))
    assert len(asked) == (0 if objects else 1)


def test_taking_back_the_agreement_to_read_mail_ends_every_mailbox(client, camille):
    mailboxes = [make_run(camille).pipeline.connection, make_run(camille).pipeline.connection]
    consent = Consent.objects.create(user=camille, purpose="gmail.read", text_version="2026-11")
    client.force_login(camille)
    path = f"{PAGE}consents/{consent.pk}/withdraw/"
    assert "disconnected" in client.get(path).content.decode()
    client.post(path)
    assert Connection.objects.filter(pk__in=[one.pk for one in mailboxes], status="revoked").count() == 2
    consent.refresh_from_db()
    assert consent.withdrawn_at and Activity.objects.filter(action="consent.withdrawn").count() == 1
    assert client.get(path).status_code == 404, "once"


def test_an_agreement_of_somebody_else_does_not_exist(client, camille):
    consent = Consent.objects.create(user=make_user(), purpose="gmail.read", text_version="2026-11")
    client.force_login(camille)
    assert client.post(f"{PAGE}consents/{consent.pk}/withdraw/").status_code == 404
    consent.refresh_from_db()
    assert consent.withdrawn_at is None


def test_the_details_of_mail_go_with_what_was_made_of_them_and_no_rescan_brings_them_back(client, camille):
    run = make_run(camille)
    kept_mail = [mail(), mail("client_enquiry", days=1), mail(days=2)]
    store(run, *kept_mail)
    manual = make_opportunity(camille, company="My own card", is_manual=True)
    add_signal(manual, run.pipeline.connection, subject="Canary subject")
    strangers = fill_board(make_user(), 2)
    client.force_login(camille)
    assert "4 mails are known here" in client.get(f"{PAGE}mail/").content.decode()
    client.post(f"{PAGE}mail/")
    assert not Signal.objects.visible_to(camille).exists() and Signal.objects.filter(connection=strangers).count() == 2
    left = Opportunity.objects.get(owner=camille)
    assert left.pk == manual.pk and left.last_subject == "" and left.last_signal_at is None and "canary" not in left.search_text
    assert ForgottenSignal.objects.filter(connection=run.pipeline.connection).count() == 4
    ids = [item.id for item in kept_mail]
    assert OpportunityDestination().known_ids(run.pipeline, ids) == set(ids)
    assert store(run, *kept_mail).created == 0
    assert Activity.objects.get(action="mail_details.deleted").details == {"signals": 4, "opportunities": 3}
    assert "0 mails are known here" in client.get(f"{PAGE}mail/").content.decode()
