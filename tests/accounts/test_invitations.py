"""Invitations to a studio: one link, once, for the owner of the address (issue 3, "Studios and coaches")."""

import logging
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from aaperture.lib.redaction import redact_text
from accounts.models import Invitation, Membership, User
from accounts.services import invitations, studios
from audit.models import Activity
from tests import processes
from tests.accounts.people import PASSWORD, make_user
from tests.accounts.studios import Role, browser_of, link_in, make_studio, place

pytestmark = pytest.mark.django_db
INVITE = reverse("settings_studio_invite")
LANDING = reverse("invitation")
ACCEPT = reverse("invitation_accept")
NEW = "nina@example.test"


@pytest.fixture
def morel():
    return make_studio(anna="owner", ben="manager", cleo="assistant", dora="accountant")


@pytest.fixture
def invited(morel):
    """The path of the link that Nina was mailed."""
    studio, people = morel
    invitations.invite(studio, email=NEW, role=Role.ASSISTANT, actor=people["anna"])
    return link_in(mail.outbox[-1].body)


def the_invitation() -> Invitation:
    return Invitation.objects.get(email=NEW)


# --- inviting ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "role", "said"),
    [
        ("anna", "manager", "sent"), ("anna", "accountant", "sent"), ("ben", "assistant", "sent"), ("ben", "manager", "refused"),
        ("anna", "owner", "refused"), ("cleo", "assistant", 403), ("dora", "assistant", 403),
    ],
)  # fmt: skip
def test_who_may_invite_as_what(morel, person, role, said):
    studio, people = morel
    answer = browser_of(people[person]).post(INVITE, {"email": " Nina@Example.TEST ", "role": role, "studio": studio.pk})
    assert answer.status_code == {"sent": 302, "refused": 200}.get(said, said)
    assert Invitation.objects.filter(email=NEW, role=role).count() == len(mail.outbox) == (said == "sent")
    assert Activity.objects.filter(action="invitation.sent", organization_id=studio.pk).count() == (said == "sent")


def test_the_mail_names_who_where_and_as_what_and_the_database_only_the_hash(morel, invited):
    message, row = mail.outbox[-1], the_invitation()
    token = invited.split("/")[2]
    assert message.to == [NEW] and "Anna invites you to Atelier Morel" in message.subject
    assert "as Assistant" in message.body and "7 days" in message.body and len(token) == 43
    assert bytes(row.token_hash) == invitations.hash_of(token) and timezone.now() + timedelta(days=7) > row.expires_at
    stored = [str(value) for value in Activity.objects.values_list("details", "canonical")]
    assert not [text for text in stored if token in text or NEW in text]


def test_the_mail_is_in_the_language_of_whoever_has_an_account_else_of_the_inviter(morel):
    studio, people = morel
    make_user(email="chloe@example.test", language="fr")
    for email in ("chloe@example.test", NEW):
        invitations.invite(studio, email=email, role=Role.ASSISTANT, actor=people["anna"])
    assert ["vous invite" in message.subject for message in mail.outbox] == [True, False]


def test_a_name_cannot_smuggle_a_link_into_the_mail(morel):
    studio, people = morel
    studios.rename_organization(studio, name="You won! https://evil.example/x\nBcc: a@b.example", actor=people["anna"])
    User.objects.filter(pk=people["anna"].pk).update(name="Bank www.evil.example")
    invitations.invite(studio, email=NEW, role=Role.ASSISTANT, actor=User.objects.get(pk=people["anna"].pk))
    message = mail.outbox[-1]
    told = message.subject + message.body + str(message.alternatives)
    assert "evil.example" not in told and "https://evil" not in told and "\n" not in message.subject and message.to == [NEW]
    assert link_in(message.body)


@pytest.mark.parametrize("name", ["evil\u3002example", "evil\uff0eexample", "evil\uff61example", "evil\u2024example", "\u202eelpmaxe.live"])
def test_neither_with_the_dots_of_other_scripts_nor_from_right_to_left(morel, name):
    studio, people = morel
    User.objects.filter(pk=people["anna"].pk).update(name=f"Bank {name}")
    people["anna"].refresh_from_db()
    invitations.invite(studio, email=NEW, role="assistant", actor=people["anna"])
    told = f"{mail.outbox[-1].subject} {mail.outbox[-1].body}"
    assert name not in told and "\u202e" not in told and "evil.example" not in told


def test_whoever_belongs_to_the_studio_is_not_invited_again(morel):
    studio, people = morel
    page = browser_of(people["anna"]).post(INVITE, {"email": people["cleo"].email, "role": "assistant", "studio": studio.pk})
    assert "belongs to the studio already" in page.content.decode() and not mail.outbox


def test_a_studio_does_not_mail_the_world(morel):
    studio, people = morel
    anna = people["anna"]
    rows = [
        Invitation(
            organization=studio,
            email=f"n{n}@x.test",
            role="assistant",
            token_hash=bytes([n]) * 32,
            invited_by=anna,
            expires_at=timezone.now() + timedelta(days=1),
        )
        for n in range(50)
    ]
    Invitation.objects.bulk_create(rows)
    with pytest.raises(ValidationError, match="too many"):
        invitations.invite(studio, email=NEW, role=Role.ASSISTANT, actor=anna)
    invitations.invite(studio, email="n1@x.test", role=Role.ASSISTANT, actor=anna)
    browser = browser_of(anna)
    statuses = [browser.post(INVITE, {"email": "no", "role": "assistant"}).status_code for _ in range(21)]
    assert statuses[-2:] == [200, 429]


def test_a_mail_that_cannot_be_sent_leaves_an_invitation_to_send_again(morel, settings):
    studio, people = morel
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # nobody listens on the tests' port
    page = browser_of(people["anna"]).post(INVITE, {"email": NEW, "role": "assistant", "studio": studio.pk}, follow=True)
    assert "could not be sent" in page.content.decode() and the_invitation().accepted_at is None


def test_sending_again_replaces_the_link_and_the_days(morel, invited):
    _studio, people = morel
    row = the_invitation()
    with time_machine.travel(timezone.now() + timedelta(days=6), tick=True):
        browser = browser_of(people["ben"])
        assert browser.post(reverse("settings_invitation_resend", args=[row.pk])).status_code == 302
        second = link_in(mail.outbox[-1].body)
        assert Client().get(invited).status_code == 404
        assert Client().get(second).status_code == 302
        assert the_invitation().expires_at > timezone.now() + timedelta(days=6, hours=23)
    assert Activity.objects.filter(action="invitation.resent").count() == 1


def test_inviting_an_address_again_replaces_what_it_was_sent(morel, invited):
    studio, people = morel
    invitations.invite(studio, email=NEW.upper(), role=Role.MANAGER, actor=people["anna"])
    assert the_invitation().role == Role.MANAGER and Client().get(invited).status_code == 404


def test_a_withdrawn_invitation_is_dead(morel, invited):
    _studio, people = morel
    row = the_invitation()
    visitor = Client()
    assert visitor.get(invited).status_code == 302
    browser = browser_of(people["ben"])
    assert browser.post(reverse("settings_invitation_revoke", args=[row.pk])).status_code == 302
    assert visitor.get(LANDING).status_code == visitor.get(invited).status_code == 404
    for name in ("settings_invitation_revoke", "settings_invitation_resend"):
        answer = browser.post(reverse(name, args=[row.pk]), follow=True)
        assert "not valid any more" in answer.content.decode()
    assert len(mail.outbox) == 1


def test_the_invitations_of_a_studio_are_404_for_strangers_and_403_for_colleagues_without_the_right(morel, invited):
    _studio, people = morel
    urls = [reverse(name, args=[the_invitation().pk]) for name in ("settings_invitation_resend", "settings_invitation_revoke")]
    for user, status in ((make_user(), 404), (make_user(role="viewer"), 404), (people["cleo"], 403), (people["dora"], 403)):
        browser = browser_of(user)
        assert [browser.post(url).status_code for url in urls] == [status, status]
        assert [getattr(browser, verb)(urls[0]).status_code for verb in ("get", "put", "patch", "delete")] == [405] * 4
    assert the_invitation().revoked_at is None and len(mail.outbox) == 1


def test_a_manager_does_not_touch_the_invitation_of_a_manager(morel):
    studio, people = morel
    row = invitations.invite(studio, email=NEW, role=Role.MANAGER, actor=people["anna"])
    assert browser_of(people["ben"]).post(reverse("settings_invitation_revoke", args=[row.pk])).status_code == 403


# --- the link ------------------------------------------------------------------------------------------------------------


def test_the_link_is_exchanged_for_the_session_and_leaves_no_trace_in_addresses(invited):
    visitor = Client()
    answer = visitor.get(invited)
    assert (answer.status_code, answer.url, answer["Referrer-Policy"]) == (302, LANDING, "no-referrer")
    page = visitor.get(LANDING).content.decode()
    assert "Join Atelier Morel" in page and NEW in page and invited.split("/")[2] not in page
    assert redact_text(f"GET {invited} 302") == "GET /invitations/[redacted] 302" or "[redacted]" in redact_text(invited)
    assert invited.split("/")[2] not in str(dict(visitor.session))


def test_looking_at_the_link_changes_nothing(invited):
    """A mail scanner may follow it as often as it likes."""
    for _ in range(3):
        Client().get(invited)
        Client().head(invited)
    row = the_invitation()
    assert (row.accepted_at, row.revoked_at, User.objects.filter(email=NEW).count()) == (None, None, 0)


def test_a_link_that_is_made_up_or_too_old_says_so(invited):
    assert Client().get("/invitations/" + "A" * 43 + "/").status_code == 404
    assert Client().get(LANDING).status_code == 404
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=True):
        answer = Client().get(invited)
        assert answer.status_code == 404 and "not valid any more" in answer.content.decode()


def test_the_token_is_nowhere_in_the_log(invited, caplog):
    caplog.set_level(logging.DEBUG)
    Client().get("/invitations/" + "A" * 43 + "/")
    Client().get(invited)
    assert invited.split("/")[2] not in "".join(redact_text(record.getMessage()) for record in caplog.records)


# --- accepting -----------------------------------------------------------------------------------------------------------


def test_whoever_owns_the_address_joins_and_works_there_from_now_on(morel, invited):
    studio, people = morel
    nina = make_user(email=NEW, name="Nina")
    browser = browser_of(nina)
    browser.get(invited)
    assert ACCEPT in browser.get(LANDING).content.decode()
    answer = browser.post(ACCEPT, {"invitation": the_invitation().pk, "role": "owner", "organization": "x"}, follow=True)
    assert "Welcome to Atelier Morel" in answer.content.decode()
    assert place(studio, nina).role == Role.ASSISTANT
    assert studios.current_organization(User.objects.get(pk=nina.pk)) == studio
    row = the_invitation()
    assert row.accepted_by_id == nina.pk and row.accepted_at
    told = mail.outbox[-1]
    assert told.to == [people["anna"].email] and "Nina has joined Atelier Morel" in told.subject
    assert [Activity.objects.filter(action=name).count() for name in ("invitation.accepted", "member.joined")] == [1, 1]
    assert browser.post(ACCEPT, {"invitation": row.pk}).url == reverse("settings_studio"), "pressed twice: no fault"
    assert Client().get(invited).status_code == 404


def test_a_second_address_counts_once_it_is_verified(invited):
    user = make_user()
    address = EmailAddress.objects.create(user=user, email=NEW, verified=False)
    browser = browser_of(user)
    browser.get(invited)
    assert browser.post(ACCEPT, {"invitation": the_invitation().pk}).url == LANDING
    address.verified = True
    address.save()
    assert browser.post(ACCEPT, {"invitation": the_invitation().pk}).url == reverse("settings_studio")
    assert the_invitation().accepted_by_id == user.pk


def test_without_the_link_it_waits_in_the_settings_of_whoever_owns_the_address(morel, invited):
    studio, _people = morel
    nina = make_user(email=NEW)
    browser = browser_of(nina)
    assert "Anna invites you to Atelier Morel" in browser.get(reverse("settings_studio")).content.decode()
    browser.post(ACCEPT, {"invitation": the_invitation().pk})
    assert place(studio, nina)


def test_signed_in_as_somebody_else_the_page_says_so_and_changes_the_account_without_losing_the_link(morel, invited):
    studio, _people = morel
    other, nina = make_user(email="other@example.test"), make_user(email=NEW, password=PASSWORD)
    browser = browser_of(other)
    browser.get(invited)
    page = browser.get(LANDING).content.decode()
    assert NEW in page and "other@example.test" in page and "Use another account" in page and ACCEPT not in page
    assert browser.post(ACCEPT, {"invitation": the_invitation().pk}).url == LANDING
    with pytest.raises(PermissionDenied):
        invitations.accept(the_invitation(), user=other)
    assert browser.post(reverse("invitation_sign_out")).url == LANDING
    assert "_auth_user_id" not in browser.session
    page = browser.get(LANDING).content.decode()
    assert f"{reverse('account_login')}?next=/invitations/" in page
    answer = browser.post(reverse("account_login"), {"login": NEW, "password": PASSWORD, "next": LANDING})
    assert answer.url == LANDING
    browser.post(ACCEPT, {"invitation": the_invitation().pk})
    assert place(studio, nina)


def test_somebody_without_an_account_signs_up_first_and_comes_back_to_it(morel, invited):
    """The link came to their mailbox, so it has proved the address: no second mail."""
    studio, _people = morel
    visitor = Client()
    visitor.get(invited)
    page = visitor.get(LANDING).content.decode()
    assert f"{reverse('account_signup')}?next=/invitations/" in page
    form = {"email": NEW, "password1": PASSWORD, "name": "Nina", "next": LANDING}
    assert visitor.post(reverse("account_signup"), form).url == LANDING
    assert len(mail.outbox) == 1
    visitor.post(ACCEPT, {"invitation": the_invitation().pk})
    assert place(studio, User.objects.get(email=NEW)).role == Role.ASSISTANT
    assert Activity.objects.get(action="user.email.verified").details == {"by": "invitation"}


def test_a_stranger_who_signed_up_with_the_address_first_and_never_confirmed_it_is_not_in_the_way(morel, invited):
    Client().post(reverse("account_signup"), {"email": NEW, "password1": "Stranger-Horse-7"})
    squatter = User.objects.get(email=NEW)
    visitor = Client()
    visitor.get(invited)
    assert User.objects.filter(pk=squatter.pk).exists(), "looking removes nobody"
    assert visitor.post(reverse("account_signup"), {"email": NEW, "password1": PASSWORD, "next": LANDING}).url == LANDING
    assert User.objects.get(email=NEW).pk != squatter.pk and User.objects.get(email=NEW).check_password(PASSWORD)
    assert EmailAddress.objects.get(email=NEW).verified


def test_signing_up_with_another_address_than_the_invited_one_proves_nothing(morel, invited):
    visitor = Client()
    visitor.get(invited)
    visitor.post(reverse("account_signup"), {"email": "thief@example.test", "password1": PASSWORD, "next": LANDING})
    assert not EmailAddress.objects.filter(email="thief@example.test", verified=True).exists()
    assert "_auth_user_id" not in visitor.session


def test_declining_needs_no_account_and_ends_it(morel, invited):
    visitor = Client()
    visitor.get(invited)
    row = the_invitation()
    assert visitor.post(reverse("invitation_decline"), {"invitation": row.pk}).status_code == 302
    assert the_invitation().revoked_at and Activity.objects.filter(action="invitation.declined").count() == 1
    assert Client().get(invited).status_code == 404


def test_somebody_elses_invitation_is_404(morel, invited):
    row = the_invitation()
    for browser in (browser_of(make_user()), browser_of(morel[1]["cleo"])):
        for name in ("invitation_accept", "invitation_decline"):
            for value in (row.pk, "x", ""):
                assert browser.post(reverse(name), {"invitation": value}).status_code == 404
    assert Client().post(reverse("invitation_decline"), {"invitation": row.pk}).status_code == 404
    assert Client().post(ACCEPT, {"invitation": row.pk}).url.startswith(reverse("account_login"))
    assert (the_invitation().accepted_at, the_invitation().revoked_at) == (None, None)


def test_whoever_joined_by_another_address_meanwhile_is_told(morel, invited):
    studio, people = morel
    EmailAddress.objects.create(user=people["cleo"], email=NEW, verified=True)
    browser = browser_of(people["cleo"])
    browser.get(invited)
    page = browser.post(ACCEPT, {"invitation": the_invitation().pk}, follow=True).content.decode()
    assert "belong to this studio already" in page and place(studio, people["cleo"]).role == Role.ASSISTANT


# --- once ----------------------------------------------------------------------------------------------------------------

TAKE = """
from accounts.models import Invitation, User
from accounts.services import invitations
from django.core.exceptions import ValidationError
try:
    invitations.accept(Invitation.objects.get(pk=os.environ["INVITATION"]), user=User.objects.get(pk=os.environ["PERSON"]))
    print("joined")
except ValidationError as error:
    print(error.code)
"""
# two people may share an address only by a fault elsewhere; here they stand for whoever races for one link
SLOWLY = """
from accounts.services import invitations
from tests.processes import meet
def slowly(invitation, user):
    meet(os.environ["WHERE"], os.environ["PERSON"], patience=float(os.environ["PATIENCE"]))
    return True
invitations.is_for = slowly
"""
WITHOUT_THE_LOCK = """
from accounts.models import Organization
invitations.lock_studio = lambda pk: Organization.objects.get(pk=pk)
"""


def two_accept(code: str, where: Path, *, patience: float = 20) -> list[str]:
    studio, people = make_studio(anna="owner")
    row = invitations.invite(studio, email=NEW, role=Role.ASSISTANT, actor=people["anna"])
    each = [{"PERSON": str(make_user().pk)} for _ in range(2)]
    printed = sorted(processes.outputs(processes.start(code, each=each, INVITATION=str(row.pk), WHERE=str(where), PATIENCE=str(patience))))
    assert Membership.objects.current().filter(organization=studio, role=Role.ASSISTANT).count() == printed.count("joined")
    return printed


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_one_link_at_once_one_joins(tmp_path):
    assert two_accept(SLOWLY + TAKE, tmp_path, patience=0.3) == ["invitation_gone", "joined"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_would_join(tmp_path):
    """The proof that the test above tests something."""
    assert two_accept(SLOWLY + WITHOUT_THE_LOCK + TAKE, tmp_path) == ["joined", "joined"]
