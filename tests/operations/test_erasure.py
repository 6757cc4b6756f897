"""Erasing an account: the plan, day 0, the way back until day 29, day 30, processes that die, and nothing left anywhere (R-184 … R-186)."""

import gzip
import json
import os
import re
import signal
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail as outbox
from django.core.cache import caches
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, CoachLink, Consent, Invitation, Membership, Organization, Session, User
from accounts.protections import Refused
from accounts.services import api_keys, invitations, studios, users
from accounts.step_up import StepUpRequired
from audit.models import Activity, AuditSeal
from audit.seal import archives, heads, places
from audit.seal.verification import verify
from documents.models import Acceptance
from integrations.errors import OAuthUnavailable
from integrations.models import Connection
from mailing.models import ScheduledEmail
from mailing.services.emails import schedule_emails
from mailing.services.reminders import add_rule, schedule_due_reminders
from operations.models import DataExport, Erasure
from operations.privacy import ledger
from operations.services import erasures, exports, restoring
from tests import processes
from tests.accounts.people import PASSWORD, add_totp, make_user, step_up
from tests.audit.sealed import seal_all
from tests.documents.papers import make_identity, make_invoice
from tests.integrations import leaks
from tests.mailing.post import contacts_named, make_template
from tests.operations.belongings import give_contributions, give_sources, give_trade
from tests.studio.trade import make_contact, make_project
from tests.tracker.boards import fill_board, make_opportunity
from vault import services as vault
from vault.errors import SealedDataError
from vault.models import DataKey

PAGE = "/settings/privacy/erase/"
CANARY = "canary-camille-7f3a"


@pytest.fixture
def revoked(monkeypatch) -> list[str]:
    """The tokens that Google was asked to withdraw."""
    asked: list[str] = []
    monkeypatch.setattr("integrations.google_oauth.revoke", lambda token: asked.append(token) or True)
    return asked


@pytest.fixture
def ledger_folder(settings, tmp_path):
    settings.ERASURE_LEDGER = str(tmp_path / "ledger")
    return tmp_path / "ledger"


def person() -> User:
    """Somebody with a canary in every place that holds words of theirs."""
    user = make_user(email=f"{CANARY}@example.test", name=f"Camille {CANARY}", password=PASSWORD)
    mailbox = fill_board(user, 6)
    mailbox.account_email, mailbox.provider_subject = f"{CANARY}@gmail.test", CANARY
    mailbox.access_token, mailbox.refresh_token = f"at-{CANARY}", f"rt-{CANARY}"
    mailbox.save()
    make_opportunity(user, company=CANARY, notes=CANARY, last_subject=CANARY, is_manual=True)
    EmailAddress.objects.create(user=user, email=f"second-{CANARY}@example.test", verified=True)
    SocialAccount.objects.create(user=user, provider="google", uid=CANARY, extra_data={"name": CANARY})
    Consent.objects.create(user=user, purpose="gmail.read", text_version="2026-11")
    Organization.objects.filter(memberships__user=user).update(name=f"Studio {CANARY}")
    api_keys.create(user, name=f"Key {CANARY}", scopes=["read"], days=30)
    CoachLink.objects.create(coach=make_user(role="coach"), client=user, accepted_at=timezone.now())
    add_totp(user)
    host = make_user()
    invitations.invite(studios.current_organization(host), email=f"second-{CANARY}@example.test", role="assistant", actor=host)
    invitations.invite(studios.current_organization(user), email="friend@example.test", role="assistant", actor=user)
    return user


def give_work(user: User) -> None:
    """The same in every table of a studio at work that the law does not keep."""
    give_trade(user, CANARY)
    give_sources(user, CANARY)
    give_contributions(user)


def signed_in(user: User) -> Client:
    web = Client(HTTP_USER_AGENT=f"Browser {CANARY}", REMOTE_ADDR="203.0.113.200")
    web.force_login(user)
    step_up(web, user)
    return web


def asked_for(user: User) -> Erasure:
    answer = signed_in(user).post(PAGE)
    assert answer.status_code == 302 and answer["Location"] == "/account-closed/", answer
    erasure = Erasure.objects.get(account_id=user.pk, status__in=Erasure.OPEN)
    erasures.carry_on(erasure.pk)
    erasure.refresh_from_db()
    return erasure


def on_day(days: float):
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=True)


def link_in_mail() -> str:
    found = re.search(r"/keep-account/\S+", outbox.outbox[-1].body)
    assert found
    return found[0]


# --- the plan ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_plan_says_what_goes_now_what_later_and_what_stays(settings):
    user = person()
    give_contributions(user)
    web = signed_in(user)
    answer = web.get(PAGE)
    plan = answer.context["plan"]
    assert (plan.connections, plan.api_keys, plan.coaches, plan.is_possible) == (1, 1, 1, True)
    assert [studio.name for studio in plan.studios] == [f"Studio {CANARY}"]
    assert {"Opportunities", "Details of mails", "Account"} <= {str(one.words) for one in plan.later}
    assert not {"Contributions", "Your activity"} & {str(one.words) for one in plan.later}, "these stay, without the person"
    assert plan.contributed and "its books must add up" in answer.content.decode()
    assert plan.days_on_record == settings.AUDIT_ONLINE_DAYS + settings.AUDIT_ARCHIVE_DAYS
    assert str(plan.days_on_record) in answer.content.decode() and "Delete my account" in answer.content.decode()
    assert not Erasure.objects.exists(), "looking decides nothing"


@pytest.mark.django_db
def test_it_wants_a_fresh_proof(client):
    user = person()
    client.force_login(user)
    for answer in (client.get(PAGE), client.post(PAGE)):
        assert answer.status_code == 302 and "reauthenticate" in answer["Location"]
    assert not Erasure.objects.exists()


@pytest.mark.django_db
def test_the_last_owner_of_a_shared_studio_hands_it_over_first():
    user = person()
    studio = studios.current_organization(user)
    colleague = make_user()
    place = Membership.objects.create(organization=studio, user=colleague, role="assistant")
    web = signed_in(user)
    page = web.get(PAGE).content.decode()
    assert "Make one of them an owner" in page and "Delete my account" not in page
    assert web.post(PAGE)["Location"] == PAGE and not Erasure.objects.exists()
    place.role = "owner"
    place.save()
    assert "Delete my account" in web.get(PAGE).content.decode()
    assert web.post(PAGE)["Location"] == "/account-closed/"


@pytest.mark.django_db
def test_the_primary_and_the_last_administrator_stay():
    admin = make_user(role="admin")
    assert signed_in(admin).post(PAGE)["Location"] == PAGE and not Erasure.objects.exists()
    make_user(role="admin")
    assert signed_in(admin).post(PAGE)["Location"] == "/account-closed/"
    primary = make_user(role="admin", is_primary_admin=True)
    assert signed_in(primary).post(PAGE)["Location"] == PAGE


# --- day 0 -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_on_day_0_everything_that_opens_something_is_gone(revoked, client):
    user = person()
    web, other = signed_in(user), signed_in(user)
    export = DataExport.objects.create(user=user)
    exports.build(export.pk)
    assert web.post(PAGE).status_code == 302
    assert not Session.objects.filter(user=user).exists()
    assert other.get("/settings/profile/").status_code == 302
    assert not ApiKey.objects.filter(user=user, revoked_at=None).exists()
    assert not CoachLink.objects.open().filter(client=user).exists()
    assert not Invitation.objects.open().filter(invited_by=user).exists()
    assert DataExport.objects.get().status == "expired" and not export.chunks.exists()
    erasure = Erasure.objects.get()
    assert erasure.status == "requested"
    erasures.carry_on(erasure.pk)
    erasure.refresh_from_db()
    connection = Connection.objects.get(owner=user)
    assert (connection.status, connection.access_token, connection.refresh_token) == ("revoked", None, None)
    assert revoked == [f"rt-{CANARY}"] and erasure.status == "waiting"
    assert not user.consents.filter(withdrawn_at=None).exists()
    caches["locks"].clear()
    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert answer.status_code == 200 and not Session.objects.filter(user=user).exists()
    api = client.post("/api/auth/login", json.dumps({"email": user.email, "password": PASSWORD}), content_type="application/json")
    assert api.status_code == 401
    assert [message.to for message in outbox.outbox if "erased" in message.subject] == [[user.email]]


@pytest.mark.django_db
def test_a_closed_account_writes_to_nobody(revoked, client):
    """Mail that waits is held, and no reminder is made, until the account is opened again; what a studio of several sends goes on."""
    user, colleague = person(), make_user()
    studio, theirs = studios.current_organization(user), studios.current_organization(colleague)
    Membership.objects.create(organization=theirs, user=user, role="owner")
    for place, author in ((studio, user), (theirs, colleague)):
        make_identity(place, author)
        contact = make_contact(place, email="client@mail.example")
        schedule_emails(
            place, template=make_template(place, author), targets=[contact], send_at=timezone.now() + timedelta(days=3), actor=author
        )
        make_invoice(make_project(place, contact=contact), author, due_on=timezone.localdate() + timedelta(days=2))
        add_rule(place, days=1, template=make_template(place, author, kind="reminder"), actor=author)
    assert signed_in(user).get(PAGE).context["plan"].emails == 1
    asked_for(user)
    assert [(mail.organization, mail.status) for mail in ScheduledEmail.objects.order_by("created_at")] == [
        (studio, "held"),
        (theirs, "scheduled"),
    ]
    with on_day(5):
        assert schedule_due_reminders() == 1 and ScheduledEmail.objects.get(kind="reminder").organization == theirs
        client.get(link_in_mail())
        client.post("/keep-account/")
        assert schedule_due_reminders() == 1


@pytest.mark.django_db
def test_while_google_does_not_answer_the_tokens_go_all_the_same(monkeypatch):
    def down(token):
        raise OAuthUnavailable

    monkeypatch.setattr("integrations.google_oauth.revoke", down)
    user = person()
    assert asked_for(user).status == "waiting"
    connection = Connection.objects.get(owner=user)
    assert (connection.status, connection.refresh_token) == ("revoked", None)


@pytest.mark.django_db
def test_asking_twice_is_asking_once(revoked, rf):
    user = person()
    erasure = asked_for(user)
    request = rf.post("/")
    request.user = user
    with pytest.raises(StepUpRequired):
        erasures.ask(user, actor=user, request=request)
    assert Erasure.objects.get().pk == erasure.pk


# --- the way back ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_mailed_link_opens_the_account_again_until_day_29(revoked, client):
    user = person()
    erasure = asked_for(user)
    path = link_in_mail()
    with on_day(28.9):
        opened = client.get(path)
        assert opened["Location"] == "/keep-account/" and opened["Referrer-Policy"] == "no-referrer"
        assert client.get("/keep-account/").status_code == 200 and User.objects.get(pk=user.pk).erasure_requested_at, "asking does nothing"
        assert client.post("/keep-account/")["Location"] == "/accounts/login/"
        erasure.refresh_from_db()
        assert erasure.status == "withdrawn" and User.objects.get(pk=user.pk).erasure_requested_at is None
        assert client.get(path).status_code == 404, "once"
    with on_day(31):
        assert erasures.due() == []
        erasures.carry_on(erasure.pk)
    assert User.objects.filter(pk=user.pk).exists() and user.opportunities.count() == 7
    client.force_login(User.objects.get(pk=user.pk))
    assert client.get("/settings/profile/").status_code == 200
    assert Connection.objects.get(owner=user).status == "revoked", "what ended stays ended"


@pytest.mark.django_db
def test_on_day_29_the_link_is_not_valid_any_more(revoked, client):
    erasure = asked_for(person())
    path = link_in_mail()
    with on_day(29.01):
        assert client.get(path).status_code == 404
        with pytest.raises(erasures.TooLate):
            erasures.withdraw(erasure)
    assert client.get("/keep-account/").status_code == 404
    assert client.get("/keep-account/forged:token/").status_code == 404


# --- day 30 ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_nothing_of_the_person_is_left_and_the_log_still_verifies(
    revoked, ledger_folder, client, transactional_db, test_database, store, settings
):
    """Tables, Valkey, logs, the ledger, and an object store with the heads and the archive of the activity log."""
    settings.AUDIT_HEADS = "s3://evidence/aaperture"
    before = leaks.found(CANARY)
    user = person()
    give_work(user)
    other = make_user()
    fill_board(other, 3)
    export = DataExport.objects.create(user=user)
    exports.build(export.pk)
    web = signed_in(user)
    web.get("/")
    web.post("/settings/profile/", {"name": f"Camille {CANARY}", "language": "fr", "timezone": "Europe/Paris"})
    row = Activity.objects.filter(actor_id=user.pk).filter(agent__isnull=False).first()
    assert CANARY in row.agent
    client.post("/accounts/login/", {"login": user.email, "password": "wrong"})
    seal_all()
    heads.publish()
    archives.write(AuditSeal.objects.latest("number").month, places.place("s3://archive/aaperture"), now=timezone.now())
    studio = studios.current_organization(user)
    vault.seal(b"x", vault.organization(studio.pk), "x")
    erasure = asked_for(user)
    with on_day(29.9):
        assert erasures.due() == []
    with on_day(30.1):
        assert erasures.due() == [erasure.pk]
        erasures.carry_on(erasure.pk)
        assert erasures.due() == []
    erasure.refresh_from_db()
    assert erasure.status == "done" and erasure.studios == []
    assert not User.objects.filter(pk=user.pk).exists() and not Organization.objects.filter(pk=studio.pk).exists()
    keys = DataKey.objects.filter(owner_id__in=[user.pk, studio.pk])
    assert len(keys) == 2 and all(bytes(key.wrapped) == b"" and key.destroyed_at for key in keys)
    vault.opened.forget()
    with pytest.raises(SealedDataError):
        Activity.objects.get(pk=row.pk).agent  # noqa: B018
    assert sorted(set(leaks_here(test_database, CANARY)) - set(before)) == []
    assert list(ledger.entries()) == [user.pk]
    assert CANARY not in "".join(path.read_text() for path in ledger_folder.rglob("*") if path.is_file())
    seal_all()
    heads.publish()
    assert verify(heads=heads.addresses()).is_intact
    objects = {name: store.read(name) for name in store.names()}
    assert {name.partition("/")[0] for name in objects} == {"evidence", "archive"} and len(objects) >= 5
    plain = {name: gzip.decompress(content) if name.endswith(".gz") else content for name, content in objects.items()}
    assert str(user.pk).encode() in b"".join(plain.values()), "what they did is there, by an id that nobody can resolve"
    assert not [name for name, content in plain.items() for spelling in leaks.spellings(CANARY) if spelling in content]
    assert other.opportunities.count() == 3 and User.objects.filter(pk=other.pk).exists()


def test_what_the_law_keeps_is_all_that_stays(revoked, ledger_folder, transactional_db, test_database, store):
    before = leaks.found(CANARY)
    user = person()
    give_trade(user, CANARY, kept_by_law=True)
    give_sources(user, CANARY)
    erasure = asked_for(user)
    with on_day(30.1):
        erasures.carry_on(erasure.pk)
    erasure.refresh_from_db()
    assert erasure.status == "done" and not User.objects.filter(pk=user.pk).exists()
    left = {place.removeprefix("table ") for place in set(leaks_here(test_database, CANARY)) - set(before)}
    assert left == {"documents_quote", "documents_quoteline", "documents_invoice", "documents_invoiceline"}
    vault.opened.forget()
    assert Acceptance.objects.get().name == CANARY, "the studio's key stays as long as what the law wants proven is sealed with it"


def leaks_here(test_database, text: str) -> list[str]:
    """As `leaks.found`, in the database of this test process."""
    url = os.environ["MIGRATION_DATABASE_URL"]
    os.environ["MIGRATION_DATABASE_URL"] = test_database.url(test_database.owner_url)
    try:
        return leaks.found(text)
    finally:
        os.environ["MIGRATION_DATABASE_URL"] = url


@pytest.mark.django_db(transaction=True)
def test_the_sweep_would_find_something(transactional_db, test_database):
    """So that the test above can fail, in each of these tables."""
    give_work(person())
    places = {place.removeprefix("table ") for place in leaks_here(test_database, CANARY)}
    wanted = {
        "accounts_user", "accounts_invitation", "account_emailaddress", "tracker_opportunity", "studio_contact",
        "studio_project", "studio_photosession", "studio_timelineentry", "studio_calendarevent", "documents_identity", "documents_quote",
        "documents_quoteline", "documents_contract", "documents_contracttemplate", "documents_invoice", "documents_invoiceline",
        "mailing_scheduledemail", "mailing_emailtemplate", "mailing_templateversion", "mailing_sendingaccount", "mailing_addedfile",
        "integrations_connection", "integrations_pipeline", "integrations_datasetrow", "integrations_runevent",
    }  # fmt: skip
    assert wanted - places == set()


@pytest.mark.django_db
def test_a_studio_whose_other_owners_left_meanwhile_goes_to_who_is_there(revoked):
    user = person()
    studio = studios.current_organization(user)
    owner, manager = make_user(), make_user()
    place = Membership.objects.create(organization=studio, user=owner, role="owner")
    Membership.objects.create(organization=studio, user=manager, role="manager")
    erasure = asked_for(user)
    place.ended_at = timezone.now()
    place.save()
    with on_day(30.1):
        erasures.carry_on(erasure.pk)
    assert Organization.objects.filter(pk=studio.pk).exists()
    assert Membership.objects.current().get(organization=studio).role == "owner"
    assert not DataKey.objects.filter(owner_id=studio.pk).exclude(destroyed_at=None).exists()


@pytest.mark.django_db
def test_nothing_goes_before_the_ledger_is_written(revoked, settings, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    settings.ERASURE_LEDGER = str(blocked)
    user = person()
    erasure = asked_for(user)
    with on_day(30.1):
        erasures.carry_on(erasure.pk)
        assert User.objects.filter(pk=user.pk).exists() and erasures.due() == [erasure.pk]
        settings.ERASURE_LEDGER = str(tmp_path / "ledger")
        erasures.carry_on(erasure.pk)
    assert not User.objects.filter(pk=user.pk).exists() and list(ledger.entries()) == [user.pk]


@pytest.mark.django_db
def test_an_instance_restored_from_an_older_backup_erases_them_again(ledger_folder):
    back, gone = person(), make_user()
    for user in (back, gone):
        ledger.add(user.pk, at=timezone.now())
    assert not ledger.add(back.pk, at=timezone.now()), "once"
    (ledger_folder / "erasures.jsonl").open("a").write('{"account": "01')
    vault.seal(b"x", vault.person(back.pk), "x")
    assert erasures.replay() == 2 and erasures.replay() == 0
    assert not User.objects.filter(pk__in=[back.pk, gone.pk]).exists()
    assert DataKey.objects.get(owner_id=back.pk).destroyed_at


@pytest.mark.django_db
def test_a_restore_in_which_somebody_cannot_be_erased_does_not_open_the_instance(ledger_folder, monkeypatch):
    """Whatever is asked outside before the rows go: while it does not answer, nobody may say that all are erased."""
    user = person()
    ledger.add(user.pk, at=timezone.now())

    def down(_studio):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr("documents.services.retention.forget_copies", down)
        with pytest.raises(restoring.CannotRestore, match="stays closed"):
            restoring._erase_again()
    assert User.objects.filter(pk=user.pk).exists() and erasures.replay() == 1


@pytest.mark.django_db
def test_the_ledger_may_be_a_bucket_and_a_bucket_that_is_down_is_waited_for(revoked, store, settings):
    settings.ERASURE_LEDGER = "s3://ledgers/aaperture"
    first, second = make_user(), make_user()
    open_ones = [asked_for(user) for user in (first, second)]
    store.is_down = True
    with on_day(30.1):
        erasures.carry_on(open_ones[0].pk)
        assert User.objects.filter(pk=first.pk).exists()
        store.is_down = False
        for erasure in open_ones:
            erasures.carry_on(erasure.pk)
    assert not User.objects.filter(pk__in=[first.pk, second.pk]).exists()
    assert set(ledger.entries()) == {first.pk, second.pk} and len(store.names()) == 2


# --- staff for somebody who asked ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_staff_start_it_within_the_protections(rf):
    admin, developer, user = make_user(role="admin"), make_user(role="developer"), person()
    request = rf.post("/")
    request.user, request.session = developer, {}
    with pytest.raises(Refused):
        erasures.ask(admin, actor=developer, request=request)
    request.user = user
    with pytest.raises(Refused):
        erasures.ask(make_user(), actor=user, request=request)
    assert not Erasure.objects.exists()


@pytest.mark.django_db
def test_an_owner_of_nothing_else_is_refused_by_the_service_too(rf):
    user = person()
    Membership.objects.create(organization=studios.current_organization(user), user=make_user(), role="assistant")
    request = signed_in(user).get("/settings/privacy/").wsgi_request
    with pytest.raises(ValidationError):
        erasures.ask(user, actor=user, request=request)


# --- processes that die ------------------------------------------------------------------------------------------------

SET_UP = """
import os, signal
from uuid import UUID
import time_machine
from django.utils import timezone
from datetime import timedelta
from integrations import google_oauth
from operations.privacy import ledger
from operations.services import erasures
google_oauth.revoke = lambda token: True
erasures.send_account_mail = lambda *args, **kwargs: None
def die_at(module, name, call=1, after=False):
    real, calls = getattr(module, name), [0]
    def dying(*args, **kwargs):
        calls[0] += 1
        if calls[0] == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, name, dying)
"""
EARLY = [
    "google_oauth, 'revoke'", "google_oauth, 'revoke', after=True", "erasures, '_end_connection', after=True",
    "erasures, '_tell', after=True",
]  # fmt: skip
LATE = [
    "erasures, '_begin', after=True", "ledger, 'add', after=True", "erasures, 'studios_of', call=2", "erasures, '_purge', after=True",
    "erasures.vault, 'destroy_key', after=True", "erasures, '_destroy_keys', after=True",
]  # fmt: skip


def run(code: str, **environment: str) -> None:
    (process,) = processes.start(SET_UP + code, **environment)
    assert process.wait(60) == -signal.SIGKILL, process.errors
    processes.wait_for_the_dead()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_on_day_0_it_goes_on_and_ends_right(transactional_db, revoked):
    for number, point in enumerate(EARLY):
        user = make_user(email=f"early{number}@example.test")
        mailbox = fill_board(user, 1)
        mailbox.refresh_token = "rt"
        mailbox.save()
        assert signed_in(user).post(PAGE).status_code == 302
        erasure = Erasure.objects.get(account_id=user.pk)
        run(f"die_at({point})\nerasures.carry_on(UUID('{erasure.pk}'))")
        assert erasures.due() == [erasure.pk], point
        erasures.carry_on(erasure.pk)
        erasure.refresh_from_db()
        assert erasure.status == "waiting" and Connection.objects.get(owner=user).refresh_token is None


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_on_day_30_it_goes_on_and_ends_right(transactional_db, revoked, ledger_folder):
    for number, point in enumerate(LATE):
        user = make_user(email=f"late{number}@example.test")
        fill_board(user, 3)
        studio = studios.current_organization(user)
        for owner in (vault.person(user.pk), vault.organization(studio.pk)):
            vault.seal(b"x", owner, "x")
        erasure = asked_for(user)
        Erasure.objects.filter(pk=erasure.pk).update(due_at=timezone.now() - timedelta(seconds=1))
        run(f"die_at({point})\nerasures.carry_on(UUID('{erasure.pk}'))", ERASURE_LEDGER=str(ledger_folder))
        assert erasures.due() == ([] if "_destroy_keys" in point else [erasure.pk]), point
        erasures.carry_on(erasure.pk)
        erasure.refresh_from_db()
        assert erasure.status == "done", point
        assert not User.objects.filter(pk=user.pk).exists() and not Organization.objects.filter(pk=studio.pk).exists()
        assert DataKey.objects.filter(owner_id__in=[user.pk, studio.pk]).exclude(destroyed_at=None).count() == 2
        assert list(ledger.entries()).count(user.pk) == 1
    seal_all()
    assert verify().is_intact


@pytest.mark.django_db
def test_an_account_that_staff_delete_takes_its_keys_with_it_and_does_not_come_back(
    revoked, ledger_folder, django_capture_on_commit_callbacks
):
    admin, user = make_user(role="admin"), person()
    give_sources(user, CANARY)
    studio = studios.current_organization(user)
    schedule_emails(studio, template=make_template(studio, user), targets=contacts_named(studio, ["nina"]), actor=user)
    vault.seal(b"x", vault.organization(studio.pk), "x")
    web = signed_in(admin)
    with django_capture_on_commit_callbacks(execute=True):
        users.delete_user(admin, user, web.get("/settings/privacy/").wsgi_request)
    keys = DataKey.objects.filter(owner_id__in=[user.pk, studio.pk])
    assert len(keys) == 2 and all(key.destroyed_at for key in keys)
    assert revoked == [f"rt-{CANARY}"], "withdrawn at Google, though the rows are gone"
    assert not Invitation.objects.filter(email__contains=CANARY).exists()
    erasure = Erasure.objects.get(account_id=user.pk)
    assert erasures.due() == [erasure.pk] and list(ledger.entries()) == []
    erasures.carry_on(erasure.pk)
    assert list(ledger.entries()) == [user.pk] and erasures.due() == []
    erasure.refresh_from_db()
    assert erasure.status == "done" and erasure.requested_by_id == admin.pk


@pytest.mark.django_db
def test_staff_delete_at_once_whoever_was_waiting_for_day_30(revoked, ledger_folder):
    admin, user = make_user(role="admin"), person()
    waiting = asked_for(user)
    users.delete_user(admin, user, signed_in(admin).get("/settings/privacy/").wsgi_request)
    assert erasures.due() == [waiting.pk]
    erasures.carry_on(waiting.pk)
    assert list(ledger.entries()) == [user.pk] and Erasure.objects.get().status == "done"
