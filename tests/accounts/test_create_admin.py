"""`manage.py create_admin` makes the one primary administrator, and nothing weak (R-062); `changepassword` helps whoever lost theirs."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import ApiSession, Session, User
from audit.models import Activity
from tests.accounts.people import PASSWORD, add_totp, make_user
from tests.api.caller import with_token

pytestmark = pytest.mark.django_db


def create(monkeypatch, email="boss@example.test", password="Strong-Horse-42", **options):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    out = io.StringIO()
    call_command("create_admin", email, password_stdin=True, stdout=out, **options)
    return out.getvalue()


def test_it_makes_a_verified_primary_administrator_who_can_sign_in(client, monkeypatch):
    said = create(monkeypatch)
    user = User.objects.get()
    assert user.role == "admin" and user.is_primary_admin and user.is_staff and "boss@example.test" in said
    response = client.post("/accounts/login/", {"login": "boss@example.test", "password": "Strong-Horse-42"})
    assert response.status_code == 302
    assert client.get("/admin/").url == "/accounts/2fa/"  # nothing before there is a second factor
    add_totp(user)
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("password", ["", "short1A", "alllowercase1", "Password1"])
def test_a_weak_or_absent_password_is_refused(monkeypatch, password):
    with pytest.raises(CommandError):
        create(monkeypatch, password=password)
    assert not User.objects.exists()


def test_there_is_only_one(monkeypatch):
    create(monkeypatch)
    with pytest.raises(CommandError, match="already"):
        create(monkeypatch, email="second@example.test")


def test_a_bad_address_is_refused(monkeypatch):
    with pytest.raises(CommandError):
        create(monkeypatch, email="not-an-address")


def test_without_a_terminal_it_says_how_to_give_the_password():
    def nobody_there(_prompt):
        raise EOFError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(CommandError, match="--password-stdin"):
        patch.setattr("getpass.getpass", nobody_there)
        patch.setenv("TERM", "dumb")
        call_command("create_admin", "boss@example.test")
    assert not User.objects.exists()


def change_password(monkeypatch, email, password):
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    call_command("changepassword", email, password_stdin=True, stdout=io.StringIO())


def test_a_password_that_is_replaced_on_the_host_is_on_record_and_ends_every_session(client, monkeypatch, mailoutbox):
    user = make_user(email="boss@example.test", role="admin", is_primary_admin=True, password=PASSWORD, language="fr")
    client.force_login(user)
    program = with_token(user)
    change_password(monkeypatch, "BOSS@example.test", "Other-Horse-43")
    user.refresh_from_db()
    assert user.check_password("Other-Horse-43")
    assert not Session.objects.filter(user=user).exists() and not ApiSession.objects.filter(user=user, ended_at=None).exists()
    assert program.get("/api/v1/me").status_code == 401
    row = Activity.objects.get(action="password.reset")
    assert (row.target_id, row.actor_kind, row.details) == (str(user.pk), "system", {"method": "command"})
    assert [message.to for message in mailoutbox] == [[user.email]] and "remplacé" in mailoutbox[0].subject


@pytest.mark.parametrize(("email", "password"), [("nobody@example.test", "Other-Horse-43"), ("boss@example.test", "short1A")])
def test_nothing_is_replaced_for_nobody_or_by_a_weak_password(monkeypatch, email, password):
    user = make_user(email="boss@example.test", password=PASSWORD)
    with pytest.raises(CommandError):
        change_password(monkeypatch, email, password)
    assert User.objects.get(pk=user.pk).check_password(PASSWORD) and not Activity.objects.filter(action="password.reset").exists()
