"""Every route that takes an object, with the objects of another person: to a stranger they are as if they did not exist (R-019, R-094).

The routes are read from the URLconf. A route whose object is not named in `OBJECTS` fails the test, so a new one cannot be forgotten.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import caches
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import own_security
from accounts.models import CoachLink, Consent, Invitation, Membership, User
from accounts.roles import Role
from accounts.services import invitations, studios
from accounts.sessions import SessionStore
from billing.models import Contribution
from documents.models import ContractTemplate
from documents.services import contracts, payments, quotes
from integrations.models import Connection
from integrations.services import sources
from mailing.models import AddedFile, ReminderRule
from mailing.services import emails
from operations.models import DataExport
from studio.models import CalendarEvent, ContactImport, SessionCalendar
from studio.services import timeline
from tests.accounts.people import make_user, step_up
from tests.api.caller import with_key, with_token
from tests.api.things import someones_things
from tests.documents.papers import make_identity, make_invoice, make_quote
from tests.mailing.post import make_template
from tests.studio.trade import make_contact, make_project, make_session
from tests.tracker.mailboxes import mail, make_run, store

pytestmark = pytest.mark.django_db
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Routes whose argument is no object of anybody's: a provider's name, a secret that is itself the way in.
NO_OBJECT = {
    "openid_login", "openid_callback", "account_confirm_email", "account_reset_password_from_key", "invitation_open", "privacy_withdraw",
    "documents:client_open",
    # a kind of source; a webhook of ours, where the signature is the way in (tests/integrations/test_hooks.py)
    "integrations:source_new", "integrations:hook",
    # a client without an account: the cookie of the link is the way in (tests/documents/test_document_pages.py)
    "documents:client", "documents:client_pdf", "documents:client_accept", "documents:client_decline",
}  # fmt: skip

# Staff see the state and the counts of what people run, and may change nothing of it; transformations are the instance's own.
WATCHED_BY_STAFF = {
    "api:connection", "api:connection_test", "api:pipeline", "api:pipeline_run", "api:pipeline_cancel", "api:transformation",
    "api:pipeline_dry_run", "api:transformation_versions",
}  # fmt: skip


def routes(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, set[str]]]:
    """(name, arguments) of every route outside the console that takes any."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            arguments = set(entry.pattern.regex.groupindex)
            if arguments and entry.name:
                yield (f"{space}:{entry.name}" if space else entry.name), arguments
        elif entry.namespace != "admin":
            yield from routes(entry, entry.namespace or space)


ROUTES = sorted(dict(routes()))


@pytest.fixture
def owner(db: None) -> User:
    return make_user(email="owner@example.test", name="Olive Owner")


@pytest.fixture
def objects(owner: User) -> dict[str, dict[str, Any]]:
    """What the owner has, by the route that shows or changes it."""
    things = someones_things(owner)
    run = make_run(owner, email="second@example.test")
    store(run, mail())
    signal = owner.opportunities.exclude(pk=things.opportunity.pk).get().signals.get()  # type: ignore[union-attr]
    contribution = Contribution.objects.create(
        user=owner, rhythm="once", payment_intent="pi_owners", amount=500, worth=500, currency="eur", status="paid",
        paid_at=timezone.now(), read_at=timezone.now(),
    )  # fmt: skip
    studio = studios.current_organization(owner)
    colleague = make_user(email="colleague@example.test")
    member = Membership.objects.create(organization=studio, user=colleague, role=Membership.Role.ASSISTANT)
    invitations.invite(studio, email="new@example.test", role=Membership.Role.ASSISTANT, actor=owner)
    coach = make_user(email="coach@example.test", role=Role.COACH)
    link = CoachLink.objects.create(coach=coach, client=owner)
    browser = Client()
    browser.force_login(owner)
    passkey = Authenticator.objects.create(user=owner, type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}})
    api = with_token(owner)
    key = with_key(owner).key  # type: ignore[attr-defined]
    export = DataExport.objects.create(user=owner, status="ready", expires_at=timezone.now() + timedelta(days=1))
    transformation = {"pk": things.pipeline.transformation_id}
    project = make_project(studio, contact=make_contact(studio))
    grant = Connection.objects.create(owner=owner, provider="google_calendar", provider_subject="owners", status="active")
    in_calendar = CalendarEvent(calendar=SessionCalendar.objects.create(connection=grant), event_id="aapowners", conflict="changed")
    session = make_session(project, owner)
    in_calendar.session = session
    in_calendar.save()
    make_identity(studio, owner)
    quote = quotes.mark_sent(make_quote(project, owner), actor=owner)
    contract = contracts.create_contract(studio, fields={"contact": project.contact, "subject": "C", "text": "x"}, actor=owner)
    invoice = make_invoice(project, owner)
    payment = payments.record_payment(invoice, amount=Decimal(1), paid_on=timezone.localdate(), actor=owner)
    template = ContractTemplate.objects.create(organization=studio, name="T", text="x")
    words = make_template(studio, owner, kind="quote", subject="Quote", text="Quote")
    source, hook = (
        sources.add(owner, kind, "Mine", {}, destination="dataset") for kind in ("csv_upload", "inbound_webhook")
    )  # fmt: skip
    email = emails.schedule_email(studio, template=words, document=quote, actor=owner)
    return {
        "settings_invitation_": {"pk": Invitation.objects.get().pk},
        "settings_member_": {"pk": member.pk},
        "settings_coach": {"pk": link.pk},
        "settings_session_end": {"reference": reference(owner)},
        "settings_api_key_": {"pk": key.pk},
        "settings_privacy_consent": {"pk": Consent.objects.create(user=owner, purpose="gmail.read", text_version="2026-11").pk},
        "settings_privacy_download": {"pk": export.pk},
        "mfa_": {"pk": passkey.pk},
        "integrations:disconnect": {"pk": things.connection.pk},
        "integrations:run_": {"pk": things.run.pk},
        "integrations:source": {"pk": source.pk},
        "integrations:file_add": {"pk": source.pk},
        "integrations:hook_secret": {"pk": hook.pk},
        "integrations:dataset": {"pk": source.pipelines.get().pk},
        "studio:contact_import_undo": {
            "pk": ContactImport.objects.create(organization=studio, columns=["name"], content="name\nx", status="done").pk
        },
        "studio:contact_import_": {"pk": ContactImport.objects.create(organization=studio, columns=["name"], content="name\nx").pk},
        "studio:contact_": {"pk": project.contact_id},
        "studio:note_remove": {"pk": timeline.add_note(project, text="x", actor=owner).pk},
        "studio:calendar_choice": {"pk": in_calendar.pk},
        "studio:calendar_": {"pk": in_calendar.calendar_id},
        "studio:session_add": {"pk": project.pk},
        "studio:session_": {"pk": session.pk},
        "studio:": {"pk": project.pk},
        "documents:template_": {"pk": template.pk},
        "documents:quote": {"pk": quote.pk},
        "documents:contract": {"pk": contract.pk},
        "documents:invoice": {"pk": invoice.pk},
        "documents:payment_": {"pk": payment.pk},
        "documents:contact_panel": {"pk": project.contact_id},
        "documents:project_panel": {"pk": project.pk},
        "mailing:template_": {"pk": words.pk},
        "mailing:rule_": {"pk": ReminderRule.objects.create(organization=studio, days=7, template=words).pk},
        "mailing:file": {
            "pk": AddedFile.objects.create(organization=studio, name="a.pdf", content_type="application/pdf", size=1, created_by=owner).pk
        },
        "mailing:invoice_reminders": {"pk": invoice.pk},
        "mailing:email": {"pk": email.pk},
        "mailing:contact_panel": {"pk": project.contact_id},
        "mailing:quote_panel": {"pk": quote.pk},
        "mailing:contract_panel": {"pk": contract.pk},
        "mailing:invoice_panel": {"pk": invoice.pk},
        "billing:receipt": {"pk": contribution.pk},
        "tracker:coach_client": {"pk": owner.pk},
        "tracker:signal_": {"pk": signal.pk},
        "tracker:": {"pk": things.opportunity.pk},  # type: ignore[union-attr]
        "api:session": {"pk": api.session.pk},  # type: ignore[attr-defined]
        "api:api_key": {"pk": key.pk},
        "api:user": {"pk": owner.pk},
        "api:studio_member": {"pk": studio.pk, "member": member.pk},
        "api:studio": {"pk": studio.pk},
        "api:connection": {"pk": things.connection.pk},
        "api:pipeline": {"pk": things.pipeline.pk},
        "api:transformation": transformation,
        "api:run": {"pk": things.run.pk},
        "api:opportunity": {"pk": things.opportunity.pk},  # type: ignore[union-attr]
    }


def reference(owner: User) -> str:
    """How the owner's own page names their session."""
    request = RequestFactory().get("/")
    request.session, request.user = SessionStore(), owner
    return own_security.sessions_of(owner, request)[0].reference


def arguments_of(name: str, objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    for prefix, arguments in objects.items():
        if name.startswith(prefix):
            taken = dict(routes())[name]
            return {key: value for key, value in arguments.items() if key in taken}
    raise AssertionError(f"{name} takes an object that no test knows: name it in `objects`")


def nobodys(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same arguments for something that does not exist."""
    return {key: 999_999_999 if isinstance(value, int) else uuid.uuid4() if isinstance(value, uuid.UUID) else "x" * len(value)
            for key, value in arguments.items()}  # fmt: skip


def without_ids(answer: Any) -> bytes:
    """The body without ids, nonces and tokens, which differ between any two answers."""
    return re.sub(rb"[\w+/=-]{9,}", b"", answer.content)


class Persona:
    """Somebody signed in with a browser and with a token."""

    def __init__(self, user: User) -> None:
        self.role = user.role
        self.api = with_token(user, stepped_up=True)
        self.browser = Client(raise_request_exception=False)
        self.browser.force_login(user)
        step_up(self.browser, user)

    def ask(self, name: str, verb: str, arguments: dict[str, Any]) -> Any:
        path = reverse(name, kwargs=arguments)
        if name.startswith("api:"):
            return self.api.send(verb, path, {} if verb not in {"GET", "HEAD"} else None)
        return self.browser.generic(verb, path, b"", content_type="application/x-www-form-urlencoded")


def fault_of(stranger: Persona, name: str, arguments: dict[str, Any]) -> str:
    """What a stranger learns from a route about an object that is not theirs; empty when nothing."""
    caches["limits"].clear()
    for verb in VERBS:
        real, none = (stranger.ask(name, verb, which) for which in (arguments, nobodys(arguments)))
        if stranger.role == Role.VIEWER and name in WATCHED_BY_STAFF:
            right = real.status_code in ({200, 405} if verb in {"GET", "HEAD"} else {403, 405})
            right = right and not re.search(rb"owner@|second@|Olive|subject-", real.content)
        else:
            right = real.status_code == none.status_code in {403, 404, 405} and without_ids(real) == without_ids(none)
        if not right:
            return f"{verb} {name}: {real.status_code}, and {none.status_code} for what does not exist"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("persona", [Role.MEMBER, Role.COACH, Role.VIEWER])
def test_what_is_anothers_is_as_if_it_did_not_exist(objects: dict[str, dict[str, Any]], persona: str) -> None:
    stranger = Persona(make_user(email="stranger@example.test", role=persona))
    faults = [fault_of(stranger, name, arguments_of(name, objects)) for name in ROUTES if name not in NO_OBJECT]
    assert len(faults) > 40 and not [fault for fault in faults if fault]


def test_nobody_signed_in_sees_nothing(objects: dict[str, dict[str, Any]]) -> None:
    nobody = Client()
    for name in ROUTES:
        if name in NO_OBJECT:
            continue
        caches["limits"].clear()
        path = reverse(name, kwargs=arguments_of(name, objects))
        for verb in VERBS:
            answer = nobody.generic(verb, path, b"", content_type="application/x-www-form-urlencoded")
            refused = answer.status_code in {401, 403, 405} if name.startswith("api:") else answer.status_code in {302, 403, 405}
            assert refused, (name, verb, answer.status_code)
            assert answer.status_code != 302 or "/accounts/login/" in answer["Location"], name


# What even its owner may not read as a member: accounts and transformations are for staff, and a coach's page for the coach.
NOT_FOR_MEMBERS = {"api:user", "api:transformation", "api:transformation_versions", "tracker:coach_client"}


def test_the_owner_is_answered_so_the_tests_above_can_fail(objects: dict[str, dict[str, Any]], owner: User, settings: Any) -> None:
    """Each page that is read: an object in `objects` of another kind than the route's would be nobody's, and prove nothing."""
    settings.S3_BUCKET, settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = "aaperture", "x", "x"  # an address is made, nothing sent
    known = Persona(owner)
    answers = {}
    for name in ROUTES:
        caches["limits"].clear()
        if name not in NO_OBJECT:
            answers[name] = known.ask(name, "GET", arguments_of(name, objects)).status_code
    assert {name for name, status in answers.items() if status in {403, 404}} == NOT_FOR_MEMBERS
    assert sum(status in {200, 302} for status in answers.values()) >= 50 and max(answers.values()) < 500, answers
