"""Studios: the small matrix, members and their roles, switching, leaving (R-019, R-093; DESIGN, "Tenancy", "Permissions")."""

from pathlib import Path

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.urls import reverse
from django.utils import timezone

from accounts.models import Invitation, Membership, User
from accounts.services import invitations, studios
from accounts.studio_roles import MANAGES, ROLES_BY_OPERATION, STUDIO_OPERATIONS, invitable, may, require
from audit.models import Activity
from tests import processes
from tests.accounts.people import PASSWORD, make_user
from tests.accounts.studios import Role, browser_of, make_studio, place

pytestmark = pytest.mark.django_db
ROLES = Role.values
STUDIO = reverse("settings_studio")


@pytest.fixture
def morel():
    return make_studio(anna="owner", ben="manager", cleo="assistant", dora="accountant")


# --- the matrix ----------------------------------------------------------------------------------------------------------


def test_every_operation_names_its_roles_in_four_letters():
    assert all(len(who) == 4 and set(who) <= set("OMAC ") for who in STUDIO_OPERATIONS.values())
    assert all(may(Role.OWNER, operation) for operation in STUDIO_OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "roles"),
    [
        ("studio.view", "OMAC"), ("studio.rename", "OM"), ("studio.close", "O"), ("members.invite", "OM"), ("members.remove", "OM"),
        ("contacts.edit", "OMA"), ("sessions.view", "OMA"), ("documents.view", "OMAC"), ("documents.edit", "OMA"), ("emails.edit", "OMA"),
        ("invoices.edit", "OMC"), ("invoices.view", "OMC"), ("payments.edit", "OMC"), ("settings.edit", "OM"),
    ],
)  # fmt: skip
def test_who_may_do_what_in_a_studio(morel, operation, roles):
    studio, people = morel
    for letter, user in zip("OMAC", people.values(), strict=True):
        if letter in roles:
            assert require(user, studio, operation).user_id == user.pk
        else:
            with pytest.raises(PermissionDenied):
                require(user, studio, operation)


@pytest.mark.parametrize("operation", STUDIO_OPERATIONS)
def test_a_stranger_and_somebody_who_left_find_no_studio(morel, operation):
    studio, people = morel
    studios.leave(place(studio, people["cleo"]))
    for user in (make_user(), make_user(role="admin"), people["cleo"]):
        with pytest.raises(Http404):
            require(user, studio, operation)


def test_an_operation_that_the_matrix_does_not_know_is_a_mistake_in_the_code(morel):
    with pytest.raises(KeyError):
        may(Role.OWNER, "contacts.fly")


def test_ownership_is_never_given_by_invitation():
    assert all(Role.OWNER not in invitable(role) for role in ROLES)
    assert invitable(Role.ASSISTANT) == invitable(Role.ACCOUNTANT) == ()
    assert set(MANAGES) == set(ROLES)
    assert set(ROLES_BY_OPERATION["members.invite"]) == {role for role in ROLES if invitable(role)}


# --- the studio in use ---------------------------------------------------------------------------------------------------


def test_one_works_in_the_studio_chosen_while_one_belongs_to_it_and_else_in_ones_own(morel):
    studio, people = morel
    cleo = people["cleo"]
    own = Membership.objects.get(user=cleo, role=Role.OWNER).organization
    assert studios.current_organization(cleo) == studio
    studios.switch(cleo, own)
    assert studios.current_organization(User.objects.get(pk=cleo.pk)) == own
    studios.switch(cleo, studio)
    studios.remove_member(place(studio, cleo), actor=people["anna"])
    assert studios.current_organization(User.objects.get(pk=cleo.pk)) == own
    assert [row.action for row in Activity.objects.filter(action="organization.switched")] == ["organization.switched"] * 2


def test_switching_is_offered_only_to_people_with_more_than_one_studio(morel):
    people = morel[1]
    page = browser_of(people["cleo"]).get(STUDIO).content.decode()
    assert reverse("settings_studio_switch") in page
    assert reverse("settings_studio_switch") not in browser_of(make_user()).get(STUDIO).content.decode()


def test_switching_to_a_strangers_studio_is_404(morel):
    studio, _people = morel
    stranger = make_user()
    for value in (studio.pk, "00000000-0000-7000-8000-000000000000", "x"):
        assert browser_of(stranger).post(reverse("settings_studio_switch"), {"studio": value}).status_code == 404
    stranger.refresh_from_db()
    assert stranger.organization_id is None


def test_switching_goes_home_or_stays_on_the_studio_page_and_nowhere_else(morel):
    people = morel[1]
    own = Membership.objects.get(user=people["cleo"], role=Role.OWNER).organization
    browser = browser_of(people["cleo"])
    for target, landed in (("", "/"), (STUDIO, STUDIO), ("https://evil.example/", "/"), ("//evil.example", "/")):
        assert browser.post(reverse("settings_studio_switch"), {"studio": own.pk, "next": target}).url == landed


# --- renaming ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("person", "status"), [("anna", 302), ("ben", 302), ("cleo", 403), ("dora", 403)])
def test_who_may_rename_it(morel, person, status):
    studio, people = morel
    assert browser_of(people[person]).post(STUDIO, {"name": "Atelier Neuf", "studio": studio.pk}).status_code == status
    studio.refresh_from_db()
    assert (studio.name == "Atelier Neuf") == (status == 302)
    assert Activity.objects.filter(action="permission.denied").exists() == (status == 403)


def test_a_form_names_its_studio_so_that_switching_in_another_tab_renames_nothing_else(morel):
    studio, people = morel
    own = Membership.objects.get(user=people["anna"], role=Role.OWNER, organization__name="Anna").organization
    studios.switch(people["anna"], own)
    browser_of(people["anna"]).post(STUDIO, {"name": "Atelier Neuf", "studio": studio.pk})
    studio.refresh_from_db()
    own.refresh_from_db()
    assert (studio.name, own.name) == ("Atelier Neuf", "Anna")


def test_what_a_form_does_not_ask_for_is_not_changed(morel):
    studio, people = morel
    other, _others = make_studio("Halden", eva="owner")
    forged = {"name": "Neuf", "studio": studio.pk, "id": other.pk, "pk": other.pk, "created_at": "2001-01-01", "role": "owner"}
    browser_of(people["ben"]).post(STUDIO, forged)
    studio.refresh_from_db()
    other.refresh_from_db()
    assert (studio.name, other.name, studio.created_at.year > 2001) == ("Neuf", "Halden", True)
    assert place(studio, people["ben"]).role == Role.MANAGER


# --- roles and removal ---------------------------------------------------------------------------------------------------


def role_url(row: Membership) -> str:
    return reverse("settings_member_role", args=[row.pk])


@pytest.mark.parametrize(
    ("actor", "target", "role", "status"),
    [
        ("anna", "cleo", "manager", 302), ("anna", "ben", "assistant", 302), ("ben", "cleo", "accountant", 302),
        ("ben", "cleo", "manager", 403), ("ben", "anna", "assistant", 403), ("ben", "ben", "assistant", 403),
        ("cleo", "dora", "assistant", 403),
        ("dora", "dora", "manager", 403), ("anna", "cleo", "owner", 400), ("anna", "cleo", "emperor", 400),
    ],
)  # fmt: skip
def test_who_may_give_which_role(morel, actor, target, role, status):
    studio, people = morel
    row = place(studio, people[target])
    before = row.role
    assert browser_of(people[actor]).post(role_url(row), {"role": role}).status_code == status
    row.refresh_from_db()
    assert row.role == (role if status == 302 else before)
    assert Activity.objects.filter(action="member.role_changed", organization_id=studio.pk).count() == (status == 302)


def test_making_an_owner_wants_a_fresh_proof_and_is_for_owners(morel):
    studio, people = morel
    url = reverse("settings_member_owner", args=[place(studio, people["ben"]).pk])
    anna = User.objects.get(pk=people["anna"].pk)
    anna.set_password(PASSWORD)
    anna.save()
    assert "reauthenticate" in browser_of(anna).post(url).url
    for person in ("ben", "cleo", "dora"):
        assert browser_of(people[person], proved=True).post(url).status_code == 403
    assert browser_of(make_user(), proved=True).post(url).status_code == 404
    assert place(studio, people["ben"]).role == Role.MANAGER
    assert browser_of(anna, proved=True).get(url).status_code == 200
    assert browser_of(anna, proved=True).post(url).status_code == 302
    assert place(studio, people["ben"]).role == Role.OWNER
    row = Activity.objects.get(action="member.role_changed")
    assert row.details == {"user_id": str(people["ben"].pk), "from_role": "manager", "to_role": "owner"}


def test_ownership_is_handed_over_by_making_an_owner_and_leaving(morel):
    studio, people = morel
    studios.change_member_role(place(studio, people["ben"]), role=Role.OWNER, actor=people["anna"])
    browser = browser_of(people["anna"])
    assert browser.get(reverse("settings_studio_leave")).status_code == 200
    assert browser.post(reverse("settings_studio_leave"), {"studio": studio.pk}).status_code == 302
    assert not Membership.objects.current().filter(organization=studio, user=people["anna"]).exists()
    assert [message.to for message in mail.outbox] == [[people["ben"].email]]
    assert "Anna" in mail.outbox[0].subject and studio.name in mail.outbox[0].subject


@pytest.mark.parametrize(
    ("actor", "target", "status"),
    [("anna", "ben", 302), ("anna", "dora", 302), ("ben", "cleo", 302), ("ben", "anna", 403), ("cleo", "dora", 403), ("dora", "cleo", 403)],
)
def test_who_may_remove_whom(morel, actor, target, status):
    studio, people = morel
    row = place(studio, people[target])
    url = reverse("settings_member_remove", args=[row.pk])
    browser = browser_of(people[actor])
    assert browser.get(url).status_code == (200 if status == 302 else 403)
    assert browser.post(url).status_code == status
    row.refresh_from_db()
    assert (row.ended_at is not None) == (status == 302)
    assert Activity.objects.filter(action="member.removed", organization_id=studio.pk).count() == (status == 302)
    told = [message.to[0] for message in mail.outbox]
    owner = [people["anna"].email] if actor == "ben" else []
    assert told == ([*owner, people[target].email] if status == 302 else [])


def test_removal_acts_on_the_next_request_and_what_was_open_is_404(morel):
    studio, people = morel
    browser, row = browser_of(people["ben"]), place(studio, people["cleo"])
    assert studio.name in browser.get(STUDIO).content.decode()
    studios.remove_member(place(studio, people["ben"]), actor=people["anna"])
    assert studio.name not in browser.get(STUDIO).content.decode()
    for name in ("settings_member_role", "settings_member_remove", "settings_member_owner"):
        assert browser.post(reverse(name, args=[row.pk]), {"role": "assistant"}).status_code == 404
    assert browser.post(STUDIO, {"name": "Mine", "studio": studio.pk}).status_code == 404
    assert browser.post(reverse("settings_studio_invite"), {"email": "a@b.example", "studio": studio.pk}).status_code == 404


def test_whoever_may_not_invite_any_more_takes_their_open_invitations_along(morel):
    studio, people = morel
    row = invitations.invite(studio, email="late@example.test", role=Role.ASSISTANT, actor=people["ben"])
    studios.change_member_role(place(studio, people["ben"]), role=Role.ASSISTANT, actor=people["anna"])
    row.refresh_from_db()
    assert row.revoked_at and Activity.objects.filter(action="invitation.revoked", target_id=str(row.pk)).count() == 1


def test_a_strangers_members_are_404_on_every_verb(morel):
    studio, people = morel
    row = place(studio, people["cleo"])
    for user in (make_user(), make_studio("Halden", eva="owner")[1]["eva"], make_user(role="viewer")):
        browser = browser_of(user, proved=True)
        for name in ("settings_member_role", "settings_member_remove", "settings_member_owner"):
            url = reverse(name, args=[row.pk])
            assert browser.post(url, {"role": "manager"}).status_code == 404
            for verb in ("get", "put", "patch", "delete"):
                assert getattr(browser, verb)(url).status_code in {404, 405}
    row.refresh_from_db()
    assert (row.role, row.ended_at) == (Role.ASSISTANT, None)


# --- the last owner ------------------------------------------------------------------------------------------------------


def test_the_last_owner_can_neither_leave_nor_step_down(morel):
    studio, people = morel
    row = place(studio, people["anna"])
    browser = browser_of(people["anna"])
    page = browser.post(reverse("settings_studio_leave"), {"studio": studio.pk}, follow=True).content.decode()
    assert "one owner at least" in page
    assert "one owner at least" in browser.post(role_url(row), {"role": "manager"}, follow=True).content.decode()
    with pytest.raises(ValidationError, match="leave a studio"):
        studios.remove_member(row, actor=people["anna"])
    assert place(studio, people["anna"]).role == Role.OWNER


def test_an_owner_whose_account_is_not_active_or_being_erased_does_not_count(morel):
    studio, people = morel
    studios.change_member_role(place(studio, people["ben"]), role=Role.OWNER, actor=people["anna"])
    for state in ({"is_active": False}, {"is_active": True, "erasure_requested_at": timezone.now()}):
        User.objects.filter(pk=people["ben"].pk).update(**state)
        with pytest.raises(ValidationError):
            studios.leave(place(studio, people["anna"]))


def test_nobody_is_left_without_a_studio(morel):
    studio, people = morel
    dora = people["dora"]
    Membership.objects.filter(user=dora).exclude(organization=studio).delete()
    studios.leave(place(studio, dora))
    fresh = studios.current_membership(User.objects.get(pk=dora.pk))
    assert fresh.role == Role.OWNER and fresh.organization != studio


LEAVE = """
from accounts.models import Membership
from accounts.services import studios
from django.core.exceptions import ValidationError
try:
    studios.leave(Membership.objects.get(pk=os.environ["PLACE"]))
    print("left")
except ValidationError as error:
    print(error.code)
"""
# each reads the other as an owner still before it goes on, which is what the lock is there to prevent
SLOWLY = """
from accounts.services import studios
from tests.processes import meet
before = studios._require_another_owner
def slowly(membership):
    before(membership)
    meet(os.environ["WHERE"], os.environ["PLACE"], patience=float(os.environ["PATIENCE"]))
studios._require_another_owner = slowly
"""
WITHOUT_THE_LOCK = """
from accounts.models import Organization
studios.lock_studio = lambda pk: Organization.objects.get(pk=pk)
"""


def two_owners_leave(code: str, where: Path, *, patience: float = 20) -> list[str]:
    studio, people = make_studio(anna="owner", ben="owner")
    each = [{"PLACE": str(place(studio, user).pk)} for user in people.values()]
    return sorted(processes.outputs(processes.start(code, each=each, WHERE=str(where), PATIENCE=str(patience))))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(tmp_path):
    assert two_owners_leave(SLOWLY + LEAVE, tmp_path, patience=0.3) == ["last_owner", "left"]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_would_leave(tmp_path):
    """The proof that the test above tests something."""
    assert two_owners_leave(SLOWLY + WITHOUT_THE_LOCK + LEAVE, tmp_path) == ["left", "left"]


# --- the page ------------------------------------------------------------------------------------------------------------


def test_the_page_shows_each_role_what_it_may_do(morel):
    studio, people = morel
    row = invitations.invite(studio, email="new@example.test", role=Role.MANAGER, actor=people["anna"])
    pages = {person: browser_of(user).get(STUDIO).content.decode() for person, user in people.items()}
    assert all(user.email in pages[person] for person in pages for user in people.values())
    assert [reverse("settings_studio_invite") in pages[person] for person in people] == [True, True, False, False]
    assert [row.email in pages[person] for person in people] == [True, True, False, False]
    assert [reverse("settings_invitation_revoke", args=[row.pk]) in pages[person] for person in people] == [True, False, False, False]
    assert ["Leave this studio" in pages[person] for person in people] == [False, True, True, True]


def test_the_page_asks_as_often_for_many_people_as_for_few(morel, django_assert_max_num_queries):
    studio, people = morel
    browser = browser_of(people["anna"])
    browser.get(STUDIO)
    with django_assert_max_num_queries(14) as few:
        browser.get(STUDIO)
    for number in range(12):
        Membership.objects.create(organization=studio, user=make_user(), role=Role.ASSISTANT)
        Invitation.objects.create(
            organization=studio, email=f"n{number}@example.test", role=Role.ASSISTANT, token_hash=bytes([number]) * 32,
            invited_by=people["ben"], expires_at=people["anna"].created_at,
        )  # fmt: skip
    with django_assert_max_num_queries(len(few.captured_queries)):
        browser.get(STUDIO)
