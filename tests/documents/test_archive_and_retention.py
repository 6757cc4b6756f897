"""Copies in the object store, and what becomes of documents when their studio's last person goes."""

import signal
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Membership, Organization, User
from accounts.protections import Refused
from accounts.services.users import delete_user
from documents.keeping import years_after
from documents.models import Acceptance, ClientLink, Contract, Identity, Invoice, Payment, Quote
from documents.services import acts, archiving, contracts, invoices, links, payments, quotes, retention
from documents.tasks import archive_documents, end_retention
from operations.models import Erasure
from operations.privacy.erasure_plan import plan_for
from operations.privacy.own_data import PARTS, records
from operations.services import erasures
from studio.models import Contact, Project
from tests import processes
from tests.accounts.people import make_user
from tests.documents.papers import accepted_quote, make_invoice, make_job, make_quote
from vault.models import DataKey

DIES = """
import signal
from documents.services import archiving
real = archiving._archive
def dying(document, store):
    filter_ = type(document).objects.filter
    type(document).objects.filter = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
    real(document, store)
archiving._archive = dying
archiving.archive_due()
"""


@pytest.fixture
def anna(db):
    return make_user(name="Anna", email="anna@canary.example")


@pytest.fixture
def project(anna):
    return make_job(anna)


def test_issued_and_accepted_documents_get_a_copy_under_their_last_day(anna, project, store):
    quote, invoice = accepted_quote(project, anna), make_invoice(project, anna)
    make_quote(project, anna)
    archive_documents()
    archive_documents()
    quote.refresh_from_db()
    invoice.refresh_from_db()
    assert sorted(store.names()) == sorted(f"aaperture/{one.archive_key}" for one in (quote, invoice))
    assert invoice.archive_key == f"archive/{invoice.keep_until}/{invoice.organization_id}/invoice/{invoice.pk}.pdf"
    copy = store.client.get_object(Bucket="aaperture", Key=invoice.archive_key)
    assert copy["Body"].read().startswith(b"%PDF-") and copy["ContentType"] == "application/pdf"
    assert copy["Metadata"] == {"content-sha256": invoice.content_digest, "keep-until": invoice.keep_until.isoformat()}
    assert copy["ServerSideEncryption"] == "AES256" and "ObjectLockMode" not in copy
    with pytest.raises(IntegrityError), transaction.atomic():  # the key is written once
        Invoice.objects.filter(pk=invoice.pk).update(archive_key="elsewhere")


def test_where_the_bucket_locks_objects_they_are_locked_until_that_day(anna, project, store, settings):
    store.client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    settings.S3_BUCKET = "locked"
    invoice = make_invoice(project, anna)
    assert archiving.archive_due() == 1
    invoice.refresh_from_db()
    copy = store.client.get_object(Bucket="locked", Key=invoice.archive_key)
    assert copy["ObjectLockMode"] == "COMPLIANCE" and copy["ObjectLockRetainUntilDate"].date() == invoice.keep_until


def test_a_store_that_is_down_or_missing_loses_nothing(anna, project, store, settings):
    invoice = make_invoice(project, anna)
    store.is_down = True
    assert archiving.archive_due() == 0
    store.is_down = False
    settings.S3_BUCKET = ""
    assert archiving.archive_due() == 0 and not store.names()
    settings.S3_BUCKET, store.without_sse = "aaperture", True  # nor does one that encrypts everything without being asked
    assert archiving.archive_due() == 1
    invoice.refresh_from_db()
    assert invoice.archive_key


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_the_copy_and_its_key_is_followed_by_one_that_ends_right(store):
    anna = make_user(name="Anna")
    invoice = make_invoice(make_job(anna), anna)
    where = {"S3_BUCKET": "aaperture", "S3_ENDPOINT_URL": store.url, "S3_ACCESS_KEY_ID": "tests", "S3_SECRET_ACCESS_KEY": "tests-only"}
    (dead,) = processes.start(DIES, each=[where])
    assert dead.wait(60) == -signal.SIGKILL
    invoice.refresh_from_db()
    assert invoice.archive_key == "" and len(store.names()) == 1
    assert archiving.archive_due() == 1
    invoice.refresh_from_db()
    assert store.names() == [f"aaperture/{invoice.archive_key}"]


# --- when nobody is there any more ---------------------------------------------------------------------------------------------


def in_the_year(year: int):
    return time_machine.travel(datetime(year, 6, 1, 12, tzinfo=UTC), tick=False)


def everything(anna, project):
    """A studio with something of each kind: kept and not kept."""
    accepted = accepted_quote(project, anna)
    contract = contracts.create_contract(
        project.organization, fields={"project": project, "contact": project.contact, "subject": "C", "text": "x"}, actor=anna
    )
    contract = contracts.mark_sent(contract, actor=anna)
    contracts.accept_contract(contract, acts.Act("Claire Faure", recorded_by=anna))
    make_quote(project, anna)
    declined = quotes.mark_sent(make_quote(project, anna), actor=anna)
    acts.decline(declined, reason="no")
    invoice = make_invoice(project, anna)
    payment = payments.record_payment(invoice, amount=invoice.gross, paid_on=timezone.localdate(), actor=anna)
    payments.reverse_payment(payment, actor=anna)
    invoices.credit_invoice(invoice, actor=anna)
    make_invoice(project, anna, issued=False)
    links.make_link(accepted, actor=anna)
    return accepted, contract, invoice


def test_the_plan_says_which_documents_stay_and_until_when(anna, project):
    _quote, _contract, invoice = everything(anna, project)
    kept = {str(one.words): (one.number, one.until) for one in plan_for(anna).kept}
    in_five_years = years_after(timezone.localdate(), 5)
    assert kept == {
        "Accepted quotes": (1, in_five_years),
        "Accepted contracts": (1, in_five_years),
        "Invoices and their payments": (2, invoice.keep_until),
    }


def test_an_erasure_leaves_what_the_law_wants_and_time_takes_the_rest(anna, project, store, monkeypatch):
    quote, contract, invoice = everything(anna, project)
    studio = project.organization
    archive_documents()
    erasure = Erasure.objects.create(account_id=anna.pk, due_at=timezone.now() - timedelta(minutes=1))
    assert erasures.finish(erasure.pk)
    studio.refresh_from_db()
    assert studio.name == "–" and not Membership.objects.filter(organization=studio).exists()
    assert not any(model.objects.filter(organization=studio).exists() for model in (Contact, Project, Identity, ClientLink))
    assert list(Quote.objects.all()) == [quote] and list(Contract.objects.all()) == [contract]
    assert Invoice.objects.count() == 2 and Payment.objects.count() == 2 and Acceptance.objects.get(quote=quote).name == "Claire Faure"
    end_retention()
    assert Invoice.objects.count() == 2 and len(store.names()) == 4
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *args, **kwargs: date(invoice.keep_until.year + 1, 6, 1))
    with pytest.raises(IntegrityError), transaction.atomic():  # the database's own clock is not there yet, and it has the last word
        retention.close_studio(studio)


@pytest.mark.parametrize(("years", "kept"), [(6, {Invoice: 2, Organization: 1}), (12, {})])
def test_what_was_kept_long_enough_goes_and_the_studio_with_the_last_of_it(anna, project, store, years, kept):
    with in_the_year(timezone.localdate().year - years):
        everything(anna, project)
        archive_documents()
        for membership in project.organization.memberships.all():
            membership.delete()
    assert len(store.names()) == 4
    end_retention()
    studio = project.organization_id
    assert {
        model: model.objects.filter(**{"pk" if model is Organization else "organization": studio}).count()
        for model in (Quote, Contract, Invoice, Organization)
    } == {Quote: 0, Contract: 0, Invoice: 0, Organization: 0} | kept
    assert len(store.names()) == kept.get(Invoice, 0)


def test_a_studio_at_work_is_left_alone(anna, project):
    invoice = make_invoice(project, anna)
    with in_the_year(timezone.localdate().year + 20):
        assert retention.end_closed() == 0
    assert Invoice.objects.get() == invoice and DataKey.objects.filter(owner_id=project.organization_id).exists()


def test_a_copy_of_ones_own_data_holds_the_documents(anna, project):
    everything(anna, project)
    stranger = make_user()
    parts = {part.name: part for part in PARTS}
    names = ("quotes", "quote_lines", "contracts", "invoices", "invoice_lines", "payments", "acceptances", "document_identities")
    for name in names:
        assert list(records(parts[name], anna)), name
        assert not list(records(parts[name], stranger)), name
    assert next(records(parts["acceptances"], anna))["name"] == "Claire Faure"


def test_staff_do_not_delete_an_account_whose_studio_has_documents(anna, project, rf):
    make_invoice(project, anna)
    admin = make_user(role="admin")
    request = rf.post("/")
    request.user, request.session = admin, {}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Refused, match="ask for an erasure instead"):
        patch.setattr("accounts.services.users.step_up", lambda _request: None)
        delete_user(admin, anna, request)
    assert User.objects.filter(pk=anna.pk).exists() and Invoice.objects.exists()
    assert DataKey.objects.get(owner_id=project.organization_id).destroyed_at is None
