"""Server-side sessions: idle and absolute ends, no life after deletion, deactivation or logout (R-049 … R-055)."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.middleware import POLLING
from accounts.models import ApiSession, Session
from accounts.services import sessions, signing_in, tokens
from audit.models import Activity
from tests.accounts.people import PASSWORD, add_totp, make_user, totp_code

pytestmark = pytest.mark.django_db
START = 1_900_000_000
PAGE = "/settings/profile/"


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def user(client, clock):
    user = make_user()
    client.force_login(user)
    client.get(PAGE)
    return user


def is_in(client) -> bool:
    return client.get(PAGE).status_code == 200


def test_twenty_nine_idle_minutes_are_fine_and_thirty_one_are_not(client, user, clock):
    clock.shift(29 * 60)
    assert is_in(client)
    clock.shift(29 * 60)
    assert is_in(client)
    clock.shift(31 * 60)
    assert not is_in(client)
    assert Activity.objects.filter(action="session.expired", details__reason="idle").count() == 1


def test_twelve_hours_end_it_however_busy_it_was(client, user, clock):
    for _ in range(12 * 3):
        clock.shift(19 * 60)
        assert is_in(client)
    for _ in range(3):
        clock.shift(14 * 60)
        client.get(PAGE)
    assert not is_in(client)


@pytest.mark.parametrize(("name", "query"), [("integrations:processing_status", ""), ("home", "?watch")])
def test_polling_does_not_keep_a_session_alive(client, user, clock, name, query):
    for _ in range(4):
        clock.shift(10 * 60)
        client.get(reverse(name) + query)
    assert not is_in(client)


def test_a_page_that_asks_after_its_session_is_over_leads_to_sign_in_and_back(client, user, clock):
    clock.shift(31 * 60)
    page = {"HTTP_HX_REQUEST": "true", "HTTP_REFERER": "http://testserver/sessions/?month=2030-03"}
    answer = client.get(reverse("studio:calendar_status"), **page)
    assert answer.content == b"" and answer["HX-Redirect"] == "/accounts/login/?next=%2Fsessions%2F%3Fmonth%3D2030-03"
    elsewhere = client.get(reverse("studio:calendar_status"), **page | {"HTTP_REFERER": "https://elsewhere.example/"})
    assert elsewhere["HX-Redirect"] == "/accounts/login/?next=%2F"
    assert client.get(reverse("studio:calendar_status")).status_code == 302


def test_nothing_that_a_page_asks_again_and_again_is_taken_for_somebody():
    asking = re.compile(r"""hx-get="{% url '([\w:]+)'[^"]*"[^>]*hx-trigger="[^"]*every""")
    found = [(path.name, one) for path in Path("templates").rglob("*.html") for one in asking.finditer(path.read_text())]
    assert len(found) >= 8
    assert [(name, one[1]) for name, one in found if one[1] not in POLLING and "?watch" not in one[0]] == []


def test_a_session_deleted_on_the_server_is_over_at_once(client, user):
    Session.objects.all().delete()
    assert not is_in(client)


def test_an_inactive_account_is_out_on_its_next_request(client, user):
    type(user).objects.filter(pk=user.pk).update(is_active=False)
    assert not is_in(client)


def test_logging_out_ends_the_session_on_the_server(client, user):
    old = client.cookies["sessionid"].value
    client.post(reverse("account_logout"))
    client.cookies["sessionid"] = old
    assert not is_in(client)


def test_a_tampered_cookie_is_nobody(client, user):
    value = client.cookies["sessionid"].value
    client.cookies["sessionid"] = value[:-1] + ("x" if value[-1] != "x" else "y")
    assert not is_in(client)


def test_two_browsers_may_be_signed_in_at_once(client, user):
    other = Client()
    other.force_login(user)
    assert is_in(client) and is_in(other)


def test_a_changed_role_counts_on_the_next_request(client, user):
    assert client.get("/admin/").status_code == 403
    add_totp(user)
    type(user).objects.filter(pk=user.pk).update(role="admin")
    assert client.get("/admin/").status_code == 200
    type(user).objects.filter(pk=user.pk).update(role="member")
    assert client.get("/admin/").status_code == 403


def test_the_cookie_is_http_only_and_lax(client, sandbox):
    make_user(email="zoe@example.test", password=PASSWORD)
    response = client.post(reverse("account_login"), {"login": "zoe@example.test", "password": PASSWORD})
    cookie = response.cookies["sessionid"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/" and not cookie["domain"]


# --- rows that know whose they are, how and whence they came -----------------------------------------------------------


def sign_in(user, *, agent="Firefox on Linux", address="203.0.113.5"):
    client = Client(headers={"user-agent": agent})
    response = client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD}, REMOTE_ADDR=address)
    assert response.status_code == 302
    return client


@pytest.fixture
def anna():
    return make_user(email="anna@example.test", password=PASSWORD)


def test_a_sign_in_renews_the_key_and_writes_how_and_whence_sealed(anna):
    client = Client()
    client.get(reverse("account_login"))
    client.cookies["sessionid"] = "x" * 32  # a key somebody planted
    client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD}, REMOTE_ADDR="203.0.113.5")
    row = Session.objects.get(user=anna)
    assert client.cookies["sessionid"].value == row.session_key != "x" * 32
    assert (row.method, row.address) == ("password", "203.0.113.5")
    with connection.cursor() as cursor:
        cursor.execute("SELECT address, agent, session_data FROM accounts_session")
        assert "203.0.113" not in str([bytes(value) if isinstance(value, memoryview) else value for value in cursor.fetchone()])


def test_later_requests_leave_what_was_written_at_sign_in_and_move_only_the_last_visit(anna):
    with time_machine.travel(START, tick=False) as clock:
        client = sign_in(anna)
        before = Session.objects.get(user=anna)
        clock.shift(300)
        client.get(PAGE, REMOTE_ADDR="198.51.100.7")
    after = Session.objects.get(user=anna)
    assert (after.created_at, after.method) == (before.created_at, "password")
    assert (after.address, after.agent) == ("203.0.113.5", "Firefox on Linux")
    assert (after.seen_at - before.seen_at).total_seconds() == 300


def test_ending_one_session_leaves_the_others(anna):
    phone, laptop = sign_in(anna, agent="Phone"), sign_in(anna, agent="Laptop")
    lost = next(row for row in Session.objects.filter(user=anna) if row.agent == "Phone")
    sessions.end_session(lost, actor=anna)
    assert not is_in(phone) and is_in(laptop)
    assert Activity.objects.get(action="session.ended").details == {"kind": "web", "reason": "ended", "count": 1}


def api_session(user):
    return ApiSession.objects.create(user=user, expires_at=timezone.now() + timedelta(days=7))


def test_a_password_change_ends_every_other_session_and_tells_the_owner(anna, mailoutbox):
    here, there, machine, stranger = sign_in(anna), sign_in(anna), api_session(anna), api_session(make_user())
    key = here.cookies["sessionid"].value
    form = {"oldpassword": PASSWORD, "password1": "Another-Horse-8", "password2": "Another-Horse-8"}
    assert here.post(reverse("account_change_password"), form | {"oldpassword": "Wrong-Horse-7"}).status_code == 200
    assert is_in(there), "a wrong current password changes nothing"
    assert here.post(reverse("account_change_password"), form).status_code == 302
    assert is_in(here) and not is_in(there)
    machine.refresh_from_db()
    stranger.refresh_from_db()
    assert machine.ended_at and machine.end_reason == "password_changed" and not stranger.ended_at
    row = Session.objects.get(user=anna)
    assert row.session_key != key and (row.method, row.agent, row.address) == ("password", "Firefox on Linux", "203.0.113.5")
    assert [message.to for message in mailoutbox] == [[anna.email]]
    assert Activity.objects.filter(action="password.changed").count() == Activity.objects.filter(action="session.ended").count() == 1


@pytest.mark.parametrize(
    ("who", "reason", "words"),
    [
        ("anna", "ended", "from another device"),
        ("admin", "staff", "by an administrator"),
        ("anna", "password_changed", "password was changed"),
    ],
)
def test_a_browser_whose_session_somebody_ended_is_told_so_once(who, reason, words, django_capture_on_commit_callbacks):
    anna, admin, browser = make_user(), make_user(role="admin"), Client()
    browser.force_login(anna)
    assert is_in(browser)
    with django_capture_on_commit_callbacks(execute=True):
        sessions.end_all(anna, actor={"anna": anna, "admin": admin}[who], reason=reason)
    told = browser.get(PAGE, follow=True).content.decode()
    assert words in told and 'name="login"' in told
    assert words not in browser.get(PAGE, follow=True).content.decode()
    stranger = Client()
    stranger.cookies["sessionid"] = "0" * 32
    assert "signed out" not in stranger.get(PAGE, follow=True).content.decode()


def test_ending_all_of_a_persons_sessions_ends_nobody_elses(anna, client):
    other = make_user()
    client.force_login(other)
    browsers = [sign_in(anna) for _ in range(2)]
    api_session(anna)
    assert sessions.end_all(anna, reason="deactivated") == 3
    assert not any(is_in(browser) for browser in browsers) and is_in(client)
    assert sessions.end_all(anna, reason="deactivated") == 0


def test_a_developer_is_out_on_the_next_request_when_production_stops_admitting(client, settings):
    developer = make_user(role="developer")
    client.force_login(developer)
    assert is_in(client)
    settings.ENVIRONMENT = "production"
    assert not is_in(client)


def test_a_log_in_under_way_with_the_old_password_does_not_outlive_its_change(anna):
    """Verified before, opened after: the API's session would otherwise be one nobody ended."""
    request = RequestFactory().post("/api/auth/login")
    verified = signing_in.verify(request, email=anna.email, password=PASSWORD)
    here = Client()
    here.force_login(anna)
    form = {"oldpassword": PASSWORD, "password1": "Another-Horse-8", "password2": "Another-Horse-8"}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    with pytest.raises(tokens.TokenInvalid):
        tokens.open_session(verified, request, second_factor=False)
    assert not ApiSession.objects.exists()


def test_neither_does_a_sign_in_that_waits_for_its_second_step(anna):
    add_totp(anna)
    waiting, here = Client(), Client()
    assert waiting.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD}).url == reverse("mfa_authenticate")
    here.force_login(anna)
    form = {"oldpassword": PASSWORD, "password1": "Another-Horse-8", "password2": "Another-Horse-8"}
    assert here.post(reverse("account_change_password"), form).status_code == 302
    response = waiting.post(reverse("mfa_authenticate"), {"code": totp_code()})
    assert response.url == reverse("account_login") and not is_in(waiting)
    assert Activity.objects.get(action="user.login.failed", target_id=str(anna.pk)).details["reason"] == "credentials"
