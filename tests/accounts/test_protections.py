"""What nobody may do to whose account, on every route of the console (R-089, R-095, R-096, R-105 … R-107)."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, Session, User
from accounts.protections import ADMIN_PASSWORD, DEVELOPER_ON_ADMIN, Refused, require_another_admin
from accounts.services import api_keys, users
from audit.models import Activity
from tests import processes
from tests.accounts.people import PASSWORD, make_user, step_up

pytestmark = pytest.mark.django_db
USERS = "/admin/accounts/user/"
PROFILE = {"name": "Renamed", "language": "fr", "timezone": "Europe/Paris"}
FORGED = {"role": "admin", "is_active": "", "is_primary_admin": "on", "is_staff": "on", "is_superuser": "on", "email": "mine@example.test"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    step_up(client, user)
    return client


def five_ways(target: User) -> dict[str, tuple[str, dict[str, str]]]:
    """What a developer may not do to an administrator, as the console asks for it."""
    return {
        "edit": (f"{USERS}{target.pk}/change/", PROFILE),
        "change_role": (f"{USERS}do/change_role/", {"id": str(target.pk), "role": "viewer"}),
        "deactivate": (f"{USERS}do/deactivate/", {"id": str(target.pk)}),
        "delete": (f"{USERS}{target.pk}/delete/", {}),
        "delete_in_bulk": (f"{USERS}do/delete/", {"id": str(target.pk)}),
        "reset_password": (f"{USERS}do/send_reset/", {"id": str(target.pk)}),
        "end_sessions": (f"{USERS}do/end_sessions/", {"id": str(target.pk)}),
    }


def frozen(user: User) -> dict[str, object]:
    return User.objects.filter(pk=user.pk).values("email", "name", "role", "is_active", "is_primary_admin", "password", "language").get()


WAYS = ["edit", "change_role", "deactivate", "delete", "delete_in_bulk", "reset_password", "end_sessions"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("primary", [True, False])
def test_a_developer_cannot_touch_an_administrator(way, primary):
    admin = make_user(role="admin", is_primary_admin=primary)
    before, client = frozen(admin), browser(make_user(role="developer"))
    path, form = five_ways(admin)[way]
    response = client.post(path, form)
    assert response.status_code == 403 and DEVELOPER_ON_ADMIN in response.content.decode()
    assert frozen(admin) == before
    attempt = Activity.objects.get(action="admin_user.modification_attempted")
    assert attempt.target_id == str(admin.pk) and attempt.actor_id
    assert Activity.objects.filter(action="permission.denied").count() == 1
    assert not mail.outbox


def test_machines_get_the_seeds_words_and_a_code():
    admin = make_user(role="admin")
    path, form = five_ways(admin)["deactivate"]
    body = browser(make_user(role="developer")).post(path, form, headers={"accept": "application/json"}).json()
    assert body["detail"] == "Developer role cannot modify admin user" and body["code"] == "admin_protected" and body["request_id"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["another administrator", "themselves"])
def test_the_primary_administrator_cannot_be_touched(way, who):
    primary = make_user(role="admin", is_primary_admin=True)
    client = browser(primary if who == "themselves" else make_user(role="admin"))
    before = frozen(primary)
    path, form = five_ways(primary)[way]
    assert client.post(path, form).status_code == 403
    assert frozen(primary) == before


@pytest.mark.parametrize("role", ["admin", "developer"])
def test_nobody_changes_their_own_account_there(role):
    user = make_user(role=role)
    make_user(role="admin")
    before, client = frozen(user), browser(user)
    for path, form in five_ways(user).values():
        assert client.post(path, form).status_code == 403, path
    assert frozen(user) == before


def test_nobody_resets_an_administrators_password_from_a_panel():
    admin = make_user(role="admin", password=PASSWORD)
    response = browser(make_user(role="admin")).post(*five_ways(admin)["reset_password"])
    assert response.status_code == 403 and ADMIN_PASSWORD in response.content.decode() and not mail.outbox


def test_a_developer_resets_nobodys_password():
    member = make_user()
    client = browser(make_user(role="developer"))
    assert client.post(*five_ways(member)["reset_password"]).status_code == 403 and not mail.outbox
    assert "send_reset" not in client.get(f"{USERS}{member.pk}/change/").content.decode()
    assert "send_reset" not in client.get(USERS).content.decode()


@pytest.mark.parametrize("granted", ["admin", "developer"])
def test_a_developer_grants_no_level_at_or_above_their_own(granted):
    client, member = browser(make_user(role="developer")), make_user()
    assert client.post(f"{USERS}do/change_role/", {"id": member.pk, "role": granted}).status_code == 403
    form = {"email": "new@example.test", "name": "", "role": granted, "language": "en"}
    assert client.post(f"{USERS}add/", form).status_code == 403
    assert frozen(member)["role"] == "member" and not User.objects.filter(email="new@example.test").exists()


def test_a_developer_leaves_other_developers_alone():
    other = make_user(role="developer")
    before, client = frozen(other), browser(make_user(role="developer"))
    for path, form in five_ways(other).values():
        assert client.post(path, form).status_code == 403, path
    assert frozen(other) == before


def test_in_bulk_one_who_is_protected_protects_all():
    members, admin = [make_user(), make_user()], make_user(role="admin", is_primary_admin=True)
    client = browser(make_user(role="admin"))
    ids = [str(one.pk) for one in [*members, admin]]
    lead = client.post(USERS, {"action": "deactivate", "_selected_action": ids})
    assert lead.status_code == 302 and client.get(lead.url).status_code == 403
    assert client.post(f"{USERS}do/deactivate/", {"id": ids}).status_code == 403
    assert User.objects.filter(is_active=False).count() == 0


def test_an_action_that_is_not_offered_is_refused_when_asked_for_by_hand():
    client, member = browser(make_user(role="executive")), make_user()
    for action in ("deactivate", "change_role", "delete", "delete_selected"):
        assert client.post(USERS, {"action": action, "_selected_action": [str(member.pk)]}).status_code == 403
    assert Activity.objects.filter(action="permission.denied").count() == 4


def test_a_forged_form_changes_only_what_the_page_offers():
    viewer, client = make_user(role="viewer"), browser(make_user(role="admin"))
    before = frozen(viewer)
    assert client.post(f"{USERS}{viewer.pk}/change/", PROFILE | FORGED).status_code == 302
    assert frozen(viewer) == before | {"name": "Renamed", "language": "fr"}
    new = {"email": "lou@example.test", "name": "Lou", "role": "viewer", "language": "fr"}
    assert client.post(f"{USERS}add/", new | {"is_primary_admin": "on", "password": PASSWORD, "is_active": ""}).status_code == 302
    lou = User.objects.get(email="lou@example.test")
    assert lou.role == "viewer" and lou.is_active and not lou.is_primary_admin and not lou.has_usable_password()


def test_what_is_sensitive_asks_for_a_fresh_proof_first():
    admin, other, member = make_user(role="admin", password=PASSWORD), make_user(role="admin"), make_user()
    client = Client()
    client.force_login(admin)
    ways = [five_ways(member)["change_role"], five_ways(member)["delete"], five_ways(other)["deactivate"]]
    ways.append((f"{USERS}add/", {"email": "new@example.test", "name": "", "role": "admin", "language": "en"}))
    for path, form in ways:
        response = client.post(path, form)
        assert response.status_code == 302 and "reauthenticate" in response.url, path
    assert frozen(member)["role"] == "member" and frozen(other)["is_active"] and User.objects.count() == 3


def test_an_administrator_demotes_or_deactivates_another_and_it_is_on_record():
    admin, other = make_user(role="admin"), make_user(role="admin")
    client = browser(admin)
    assert client.post(*five_ways(other)["change_role"]).status_code == 302
    row = Activity.objects.get(action="role.changed")
    assert row.details == {"old": "admin", "new": "viewer"} and row.actor_id == admin.pk and row.target_id == str(other.pk)
    assert client.post(*five_ways(other)["deactivate"]).status_code == 302
    assert Activity.objects.get(action="user.deactivated").target_id == str(other.pk)
    assert client.post(f"{USERS}do/activate/", {"id": other.pk}).status_code == 302
    assert Activity.objects.get(action="user.activated").target_id == str(other.pk)


def test_a_changed_role_counts_on_the_next_request_of_a_live_session():
    designer = make_user(role="designer")
    theirs = browser(designer)
    assert theirs.get("/admin/integrations/pipeline/").status_code == 200
    browser(make_user(role="admin")).post(f"{USERS}do/change_role/", {"id": designer.pk, "role": "member"})
    assert theirs.get("/admin/integrations/pipeline/").status_code == 403


def test_who_is_deactivated_is_out_everywhere_at_once():
    member = make_user()
    theirs = browser(member)
    assert theirs.get("/settings/profile/").status_code == 200
    _key, raw, _secret = api_keys.create(member, name="Machine", scopes=["read"], days=30)
    machine = {"X-API-Key": raw}
    assert Client().get("/api/v1/permissions/me", headers=machine).status_code == 200
    browser(make_user(role="admin")).post(*five_ways(member)["deactivate"])
    assert theirs.get("/settings/profile/").status_code == 302 and not Session.objects.filter(user=member).exists()
    assert Client().get("/api/v1/permissions/me", headers=machine).status_code == 401


def test_an_account_made_by_staff_gets_a_link_and_chooses_its_own_password():
    client = browser(make_user(role="admin"))
    client.post(f"{USERS}add/", {"email": "lou@example.test", "name": "Lou", "role": "designer", "language": "fr"})
    letter = mail.outbox[-1]
    assert letter.to == ["lou@example.test"] and "Bonjour Lou" in letter.body
    path = next(word for word in letter.body.split() if "/accounts/password/reset/key/" in word).partition("8000")[2]
    visitor, now = Client(), timezone.now()
    with time_machine.travel(now + timedelta(days=7, minutes=1), tick=False):
        assert visitor.get(path, follow=True).context["token_fail"]
    with time_machine.travel(now + timedelta(days=6), tick=False):
        form = visitor.get(path, follow=True)
        visitor.post(form.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD})
        assert Client().get(path, follow=True).context["token_fail"]  # it works once
    lou = User.objects.get(email="lou@example.test")
    assert lou.check_password(PASSWORD) and lou.role == "designer"
    assert lou.emailaddress_set.get().verified  # the mailed link proved the address


def test_an_account_is_deleted_with_its_studio_after_a_question():
    member = make_user()
    studio = member.memberships.get().organization
    client = browser(make_user(role="admin"))
    assert client.get(f"{USERS}{member.pk}/delete/").status_code == 200 and User.objects.filter(pk=member.pk).exists()
    client.post(f"{USERS}{member.pk}/delete/")
    assert not User.objects.filter(pk=member.pk).exists() and not type(studio).objects.filter(pk=studio.pk).exists()
    assert Activity.objects.get(action="user.deleted").target_id == str(member.pk)


def test_the_last_owner_of_a_shared_studio_stays_until_somebody_else_owns_it():
    member, colleague = make_user(), make_user()
    membership = member.memberships.get()
    membership.organization.memberships.create(user=colleague, role="manager")
    assert browser(make_user(role="admin")).post(f"{USERS}{member.pk}/delete/").status_code == 403
    assert User.objects.filter(pk=member.pk).exists()


def test_a_key_and_a_session_are_ended_from_their_lists():
    member, developer = make_user(), make_user(role="developer")
    key, _raw, _secret = api_keys.create(member, name="Machine", scopes=["read"], days=30)
    theirs = browser(member)
    client = browser(developer)
    page = client.get("/admin/accounts/session/").content.decode()
    assert theirs.session.session_key not in page
    start = page.index("/admin/accounts/session/end/")
    assert client.post(page[start : page.index('"', start)]).status_code == 302
    assert theirs.get("/settings/profile/").status_code == 302
    assert client.post(f"/admin/accounts/apikey/end/{key.pk}/").status_code == 302
    assert ApiKey.objects.get().revoked_at <= timezone.now()
    assert {"session.ended", "api_key.revoked"} <= set(Activity.objects.values_list("action", flat=True))


def test_a_developer_ends_nothing_of_an_administrators():
    admin = make_user(role="admin")
    key, _raw, _secret = api_keys.create(admin, name="Machine", scopes=["read"], days=30)
    assert browser(make_user(role="developer")).post(f"/admin/accounts/apikey/end/{key.pk}/").status_code == 403
    assert ApiKey.objects.get().revoked_at is None
    assert Activity.objects.filter(action="admin_user.modification_attempted").exists()


# --- the database's own belt ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", ["SET is_active = false", "SET role = 'viewer'", "SET is_primary_admin = false", "SET id = gen_random_uuid()"]
)
def test_not_even_sql_of_the_application_changes_the_primary_administrator(change):
    primary = make_user(role="admin", is_primary_admin=True)
    with pytest.raises(DatabaseError, match="primary administrator stays"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE accounts_user {change} WHERE id = %s", [primary.pk])
    with pytest.raises(DatabaseError, match="primary administrator stays"), transaction.atomic():
        User.objects.filter(pk=primary.pk).delete()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user DISABLE TRIGGER accounts_primary_admin_stays")
    User.objects.filter(pk=primary.pk).update(name="Still editable", last_login=timezone.now())


# --- the last active administrator, with two processes ----------------------------------------------------------------

DEMOTE = """
from accounts import protections
from accounts.models import User
from accounts.services import users

from pathlib import Path

me, other = User.objects.get(pk=os.environ["ME"]), User.objects.get(pk=os.environ["OTHER"])
look = protections.require_another_admin

def look_and_wait(user):
    # between the look and the write: wait until the other one has looked too, which a lock keeps it from
    look(user)
    Path(os.environ["MEETING"], str(me.pk)).touch()
    patience = time.time() + (2 if os.environ["LOCK"] == "on" else 60)
    while time.time() < patience and not Path(os.environ["MEETING"], str(other.pk)).exists():
        time.sleep(0.02)

protections.require_another_admin = look_and_wait
if os.environ["LOCK"] == "off":
    from django.db.models import QuerySet
    QuerySet.select_for_update = lambda self, **kwargs: self
try:
    users.{what}
    print("done")
except protections.Refused as refused:
    print(refused.code)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["change_role(me, other, 'viewer', None)", "deactivate(me, other, None)"])
@pytest.mark.parametrize("lock", ["on", "off"])
def test_of_two_administrators_who_remove_each_other_at_once_one_stays(lock, what, tmp_path):
    """Without the row locks both go, which is what the locks are for."""
    one, two = make_user(role="admin"), make_user(role="admin")
    code = DEMOTE.replace("{what}", what)
    pairs = [(one, two), (two, one)]
    each = [{"ME": str(a.pk), "OTHER": str(b.pk)} for a, b in pairs]
    said = sorted(processes.outputs(processes.start(code, each=each, LOCK=lock, MEETING=str(tmp_path))))
    left = User.objects.filter(role="admin", is_active=True).count()
    if lock == "on":
        assert said == ["done", "forbidden"] and left == 1
    else:
        assert said == ["done", "done"] and left == 0


def test_the_service_itself_keeps_the_last_one():
    """A belt: by the levels alone, whoever may remove an administrator is another one."""
    admin = make_user(role="admin")
    with pytest.raises(Refused):
        require_another_admin(admin)
    make_user(role="admin", is_active=False)
    with pytest.raises(Refused):
        require_another_admin(admin)
    make_user(role="admin")
    require_another_admin(admin)
    with pytest.raises(Refused):
        users.change_role(make_user(role="viewer"), admin, "viewer", None)  # type: ignore[arg-type]
