"""Something of a person's in every table that a copy of their data is made of, with a word of theirs wherever words are kept."""

from datetime import timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.socialaccount.models import SocialAccount
from django.utils import timezone

from accounts.models import CoachLink, Consent, User
from accounts.services import api_keys, invitations, studios
from audit.services import record
from billing.models import Checkout, Contribution, PromoCode, PromoGrant, Refund, Subscription
from documents.models import ContractTemplate
from documents.services import acts, contracts, links, payments, quotes
from integrations.models import Connection, DatasetRow, Delivery, RunEvent, SourceFile
from integrations.services import sources
from mailing.models import AddedFile, ReminderStop, SendingAccount
from mailing.services import emails
from operations.models import AccessReview, AccessReviewEntry
from studio.models import CalendarEvent, ContactOrigin, SessionCalendar
from studio.services import imports, timeline
from tests.accounts.people import add_totp, make_user
from tests.api.caller import with_token
from tests.documents.papers import LINES, make_identity, make_invoice, make_quote
from tests.mailing.post import make_template
from tests.studio.trade import make_contact, make_project, make_session
from tests.tracker.boards import fill_board
from tracker.models import ForgottenSignal, StageMove


def give_trade(user: User, word: str, *, kept_by_law: bool = False) -> None:
    """A studio at work: client, session, calendar, papers, mail. `kept_by_law`: also what outlives the account, issued and accepted."""
    studio = studios.current_organization(user)
    contact = make_contact(studio, given_name=word, email=f"client-{word}@mail.example", phone=f"+33 {word}", notes=word)
    project = make_project(studio, contact=contact, title=f"Project {word}")
    timeline.add_note(project, text=word, actor=user)
    imports.receive(studio, f"name,email\n{word},{word}@import.example\n".encode(), actor=user)
    ContactOrigin.objects.create(organization=studio, pipeline_id=user.pk, record_hash=b"x" * 32, contact_id=contact.pk)
    tokens = {"access_token": f"secret-{word}-1", "refresh_token": f"secret-{word}-2"}
    session = make_session(project, user, place=word, address=word)
    calendar = SessionCalendar.objects.create(
        connection=Connection.objects.create(owner=user, provider="google_calendar", provider_subject=word, **tokens)
    )
    CalendarEvent.objects.create(calendar=calendar, session=session, event_id=f"event{word}")
    make_identity(studio, user, legal_name=word, street=word)
    ContractTemplate.objects.create(organization=studio, name=word, text=word)
    lines = [LINES[0] | {"description": word, "details": word}]
    quote = quotes.mark_sent(make_quote(project, user, lines=lines, subject=word), actor=user)
    link, _token = links.make_link(quote, actor=user)
    links.opened(link)
    contracts.create_contract(studio, fields={"project": project, "contact": contact, "subject": word, "text": word}, actor=user)
    draft = make_invoice(project, user, lines=lines, issued=False, subject=word)
    template = make_template(studio, user, kind="quote", name=word, subject=word, text=word)
    email = emails.schedule_email(studio, template=template, document=quote, actor=user)
    SendingAccount.objects.create(
        organization=studio, host=f"{word}.example", username=word, password=f"secret-{word}", from_email=f"{word}@x.example"
    )
    AddedFile.objects.create(organization=studio, email=email, name=f"{word}.pdf", content_type="application/pdf", size=1, created_by=user)
    ReminderStop.objects.create(invoice=draft, organization=studio, stopped_by=user)
    if kept_by_law:
        quotes.accept_quote(quote, acts.Act(word, recorded_by=user))
        payments.record_payment(make_invoice(project, user, lines=lines), amount=Decimal(1), paid_on=timezone.localdate(), actor=user)


def give_sources(user: User, word: str) -> None:
    """A table, a webhook with a delivery under way, and rows that were kept."""
    table = sources.add(user, "csv_upload", word, {}, destination="dataset")
    file = SourceFile.objects.create(connection=table, uploaded_by=user)
    file.pieces.create(number=0, content=b"sealed")
    hook = sources.add(user, "inbound_webhook", word, {}, destination="dataset")
    Delivery.objects.create(connection=hook, pipeline=hook.pipelines.get(), digest=b"x" * 32, body=word)
    pipeline = table.pipelines.get()
    DatasetRow.objects.create(pipeline=pipeline, owner=user, item_id=word, data={"name": word})
    pipeline.transformation.versions.create(number=99, steps=[], created_by=user)
    RunEvent.objects.create(run=pipeline.runs.create(), code="x", text=word)


def give_contributions(user: User) -> None:
    """By Stripe's ids, which are all that is kept of a payment; no word."""
    now = timezone.now()
    money, paid = {"amount": 500, "currency": "eur"}, {"status": "paid", "paid_at": now, "read_at": now}
    Checkout.objects.create(user=user, rhythm="once", session_id="cs_x", **money)
    monthly = Subscription.objects.create(
        user=user, stripe_id="sub_x", status="canceled", started_at=now, ended_at=now, read_at=now, **money
    )
    paid = Contribution.objects.create(
        user=user,
        subscription=monthly,
        rhythm="monthly",
        payment_intent="pi_x",
        worth=500,
        status="paid",
        paid_at=now,
        read_at=now,
        **money,
    )
    Refund.objects.create(contribution=paid, amount=1)
    code = PromoCode.objects.create(code="WELCOME-TO-US", days=30, expires_at=now + timedelta(days=1))
    PromoGrant.objects.create(user=user, code=code, ends_at=now + timedelta(days=30))


def give_account(user: User, word: str) -> None:
    """Ways in, agreements, people around, and a board."""
    address, _new = EmailAddress.objects.get_or_create(user=user, email=f"more-{word}@example.test", defaults={"verified": True})
    EmailConfirmation.objects.create(email_address=address, key=f"secret-{word}"[:64])
    SocialAccount.objects.create(user=user, provider="google", uid=word, extra_data={"name": word})
    add_totp(user)
    with_token(user)
    api_keys.create(user, name=word, scopes=["read"], days=3)
    Consent.objects.create(user=user, purpose="gmail.read", text_version="2026-11")
    invitations.invite(studios.current_organization(user), email=f"friend-{word}@example.test", role="assistant", actor=user)
    CoachLink.objects.create(coach=make_user(role="coach"), client=user)
    review = AccessReview.objects.create(quarter="2020-Q1")
    AccessReviewEntry.objects.create(review=review, user=user, role=user.role, is_active=True, second_factor=False)
    mailbox = fill_board(user, 3)
    ForgottenSignal.objects.create(connection=mailbox, message_hash=b"x" * 32)
    StageMove.objects.create(opportunity=user.opportunities.first(), from_stage="new", to_stage="won")  # type: ignore[attr-defined]
    record("user.updated", user, actor=user)
    record("user.updated", user, actor=make_user(role="admin"))


def give_everything(user: User, word: str) -> None:
    give_account(user, word)
    give_trade(user, word, kept_by_law=True)
    give_sources(user, word)
    give_contributions(user)
