"""`manage.py create_admin` makes the one primary administrator, and nothing weak (R-062)."""

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from tests.accounts.people import add_totp

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
