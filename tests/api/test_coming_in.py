"""Log-in, refresh, log-out, step-up and registration (R-042 … R-046, R-053, R-055, R-060, R-061)."""

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from accounts.models import ApiSession, RefreshToken, User
from audit.models import Activity
from tests.accounts.people import PASSWORD, make_user
from tests.api.caller import Caller, with_key, with_token

pytestmark = pytest.mark.django_db
LOGIN, REFRESH = "/api/auth/login", "/api/auth/refresh"


def test_a_log_in_gives_two_tokens_and_the_access_token_opens_the_api():
    user = make_user(email="camille@example.test", password=PASSWORD)
    answer = Caller().post(LOGIN, {"email": " Camille@Example.test ", "password": PASSWORD})
    assert answer.status_code == 200 and answer.body["token_type"] == "bearer" and answer.body["expires_in"] == 1800
    assert not answer.cookies
    me = Caller({"Authorization": f"Bearer {answer.body['access_token']}"}).get("/api/v1/me")
    assert me.body["id"] == str(user.pk) and me.body["role"] == "member"
    row = Activity.objects.get(action="user.login")
    assert row.actor_id == user.pk and row.details["method"] == "api"


def test_unknown_wrong_inactive_and_developer_get_one_answer(settings):
    settings.ENVIRONMENT = "production"
    make_user(email="right@example.test", password=PASSWORD)
    make_user(email="inactive@example.test", password=PASSWORD, is_active=False)
    make_user(email="developer@example.test", password=PASSWORD, role="developer")
    tries = [("nobody@example.test", PASSWORD), ("right@example.test", "Wrong-Horse-7")]
    tries += [("inactive@example.test", PASSWORD), ("developer@example.test", PASSWORD)]
    answers = [Caller().post(LOGIN, {"email": email, "password": password}) for email, password in tries]
    assert {answer.status_code for answer in answers} == {401}
    assert {(answer.body["detail"], answer.body["code"]) for answer in answers} == {("Invalid username or password", "wrong_credentials")}
    assert Activity.objects.filter(action="user.login.failed").count() == 4


@pytest.mark.parametrize(
    "body", [{}, {"email": "a@example.test"}, {"email": 1, "password": []}, {"email": "a", "password": "b", "x": 1}, [], "x"]
)
def test_a_log_in_that_makes_no_sense_is_400_by_field(body):
    answer = Caller().post(LOGIN, body)
    assert answer.status_code == 400 and answer.body["code"] == "invalid" and answer.body["errors"] and answer.body["request_id"]


def test_an_access_token_lives_thirty_minutes():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        caller = with_token(make_user())
        clock.shift(29 * 60 + 59)
        assert caller.get("/api/v1/me").status_code == 200
        clock.shift(2)
        answer = caller.get("/api/v1/me")
        assert answer.status_code == 401 and answer.body["code"] == "token_invalid" and "Bearer" in answer.headers["WWW-Authenticate"]


def test_a_refresh_token_lives_seven_days_from_the_log_in_however_often_it_is_renewed():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        raw = with_token(make_user()).refresh_token
        for _day in range(6):
            clock.shift(24 * 3600)
            answer = Caller().post(REFRESH, {"refresh_token": raw})
            assert answer.status_code == 200
            raw = answer.body["refresh_token"]
        clock.shift(24 * 3600 - 60)
        answer = Caller().post(REFRESH, {"refresh_token": raw})
        assert answer.status_code == 200 and answer.body["expires_in"] == 60  # no access token outlives its family
        clock.shift(61)
        assert Caller().post(REFRESH, {"refresh_token": answer.body["refresh_token"]}).status_code == 401


def test_both_lifetimes_are_settings(settings):
    settings.API_ACCESS_LIFETIME, settings.API_REFRESH_LIFETIME = timedelta(minutes=5), timedelta(hours=1)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        caller = with_token(make_user())
        clock.shift(301)
        assert caller.get("/api/v1/me").status_code == 401
        clock.shift(3300)
        assert Caller().post(REFRESH, {"refresh_token": caller.refresh_token}).status_code == 401


def test_a_spent_refresh_token_ends_its_whole_family_and_is_on_record():
    caller = with_token(make_user())
    first = Caller().post(REFRESH, {"refresh_token": caller.refresh_token}).body
    renewed = Caller({"Authorization": f"Bearer {first['access_token']}"})
    assert renewed.get("/api/v1/me").status_code == 200
    assert Caller().post(REFRESH, {"refresh_token": caller.refresh_token}).status_code == 401
    assert renewed.get("/api/v1/me").status_code == 401 and caller.get("/api/v1/me").status_code == 401
    assert Caller().post(REFRESH, {"refresh_token": first["refresh_token"]}).status_code == 401
    assert Activity.objects.filter(action="token.reuse_detected").count() == 1
    assert ApiSession.objects.get().end_reason == "reuse"


def test_refresh_tokens_are_stored_as_hashes_only():
    caller = with_token(make_user())
    row = RefreshToken.objects.get()
    assert len(bytes(row.token_hash)) == 32 and caller.refresh_token.encode() not in bytes(row.token_hash)


def test_logging_out_ends_access_and_refresh_at_once():
    caller = with_token(make_user())
    assert caller.post("/api/auth/logout").status_code == 204
    assert caller.get("/api/v1/me").status_code == 401
    assert Caller().post(REFRESH, {"refresh_token": caller.refresh_token}).status_code == 401
    assert Activity.objects.filter(action="user.logout").count() == 1


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "developer"}])
def test_who_may_not_enter_any_more_is_out_on_the_next_request(settings, change):
    settings.ENVIRONMENT = "production"
    user = make_user()
    caller, machine = with_token(user), with_key(user)
    assert caller.get("/api/v1/me").status_code == machine.get("/api/v1/me").status_code == 200
    User.objects.filter(pk=user.pk).update(**change)
    assert caller.get("/api/v1/me").status_code == machine.get("/api/v1/me").status_code == 401
    assert Caller().post(REFRESH, {"refresh_token": caller.refresh_token}).status_code == 401


def test_a_changed_role_acts_on_the_next_request():
    user = make_user()
    caller = with_token(user)
    assert caller.get("/api/v1/users").status_code == 403
    User.objects.filter(pk=user.pk).update(role="executive")
    assert caller.get("/api/v1/users").status_code == 200


def test_a_password_opens_sensitive_operations_for_ten_minutes():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        caller = with_token(make_user(password=PASSWORD))
        wanted = {"name": "Backup", "scopes": ["read"], "days": 30}
        refused = caller.post("/api/v1/api-keys", wanted)
        assert refused.status_code == 403 and refused.body["code"] == "step_up_required"
        wrong = caller.post("/api/auth/step-up", {"password": "Wrong-Horse-7"})
        assert wrong.status_code == 403 and wrong.body["code"] == "wrong_credentials"
        assert caller.post("/api/auth/step-up", {"password": PASSWORD}).body == {"expires_in": 600}
        assert caller.post("/api/v1/api-keys", wanted).status_code == 201
        clock.shift(601)
        assert caller.post("/api/v1/api-keys", wanted).status_code == 403


def test_a_step_up_takes_one_proof_and_a_key_none():
    caller = with_token(make_user(password=PASSWORD))
    for body in ({}, {"password": PASSWORD, "otp": "123456"}):
        assert caller.post("/api/auth/step-up", body).status_code == 400
    assert with_key(make_user(password=PASSWORD)).post("/api/auth/step-up", {"password": PASSWORD}).status_code == 401


def test_registering_says_the_same_whether_or_not_the_address_has_an_account():
    make_user(email="taken@example.test")
    answers = [
        Caller().post("/api/auth/register", {"email": email, "password": "Distinct-Otter-42", "name": "Sam"})
        for email in ("new@example.test", "taken@example.test")
    ]
    assert [answer.status_code for answer in answers] == [202, 202] and not [dict(answer.cookies) for answer in answers if answer.cookies]
    assert len({answer.body["detail"] for answer in answers}) == 1
    assert [message.to for message in mail.outbox] == [["new@example.test"], ["taken@example.test"]]
    made = User.objects.get(email="new@example.test")
    assert made.role == "member" and made.memberships.count() == 1
    assert Caller().post(LOGIN, {"email": "new@example.test", "password": "Distinct-Otter-42"}).status_code == 401  # not verified yet


def test_nobody_fills_a_strangers_mailbox_by_registering_them_from_many_addresses():
    make_user(email="taken@example.test")
    for email in ("new@example.test", "taken@example.test"):
        for number in range(4):
            caller = Caller()
            caller.client.defaults["REMOTE_ADDR"] = f"203.0.113.{number}"
            answer = caller.post("/api/auth/register", {"email": email.title(), "password": "Distinct-Otter-42"})
            assert answer.status_code == 202
    assert [message.to for message in mail.outbox] == [["new@example.test"], ["taken@example.test"]]


@pytest.mark.parametrize(("field", "value"), [("password", "short"), ("password", "alllowercase1"), ("email", "no address")])
def test_registering_says_what_is_wrong(field, value):
    body = {"email": "new@example.test", "password": "Distinct-Otter-42"} | {field: value}
    answer = Caller().post("/api/auth/register", body)
    assert answer.status_code == 400 and list(answer.body["errors"]) == [field] and not User.objects.exists()


def test_a_closed_instance_registers_nobody():
    from accounts.models import InstanceSettings

    InstanceSettings.objects.update_or_create(pk=1, defaults={"registration_open": False})
    answer = Caller().post("/api/auth/register", {"email": "new@example.test", "password": "Distinct-Otter-42"})
    assert answer.status_code == 403 and answer.body["code"] == "registration_closed" and not User.objects.exists()


def test_cookies_are_not_looked_at(client):
    user = make_user()
    client.force_login(user)
    answer = client.get("/api/v1/me")
    assert answer.status_code == 401 and answer.json()["code"] == "not_authenticated"
    assert client.post("/api/auth/logout").status_code == 401


def test_a_call_costs_one_query_for_who_calls(django_assert_num_queries):
    caller = with_token(make_user())
    caller.get("/api/v1/me")
    with django_assert_num_queries(1):
        assert caller.get("/api/v1/me").status_code == 200


def test_sessions_long_over_are_forgotten_with_their_tokens():
    from accounts.tasks import clear_expired_sessions

    with time_machine.travel(timezone.now(), tick=False) as clock:
        with_token(make_user())
        clock.shift(timedelta(days=36))
        clear_expired_sessions()
        assert ApiSession.objects.count() == 1
        clock.shift(timedelta(days=2))
        clear_expired_sessions()
        assert not ApiSession.objects.exists() and not RefreshToken.objects.exists()


def test_the_sixth_try_from_one_address_in_a_minute_is_429():
    answers = [Caller().post(LOGIN, {"email": f"nobody{n}@example.test", "password": "x"}) for n in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].body["code"] == "rate_limited" and answers[-1].body["detail"] == "Too many requests"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert Activity.objects.filter(action="rate_limit.exceeded").count() == 1


def test_one_name_is_tried_five_times_a_minute_wherever_from():
    def attempt(number):
        client = Caller()
        client.client.defaults["REMOTE_ADDR"] = f"198.51.100.{number}"
        return client.post(LOGIN, {"email": "Camille@example.test", "password": "x"}).status_code

    assert [attempt(number) for number in range(1, 7)] == [401] * 5 + [429]


def test_a_hundred_calls_a_minute_and_one_more_is_429():
    user = make_user()
    caller, machine, other = with_token(user), with_key(user), with_token(make_user())
    statuses = [one.get("/api/v1/me").status_code for one in [caller, machine] * 50]
    assert set(statuses) == {200} and caller.get("/api/v1/me").status_code == machine.get("/api/v1/me").status_code == 429
    assert other.get("/api/v1/me").status_code == 200


def test_registering_while_no_mail_goes_out_says_so_for_every_address(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    make_user(email="taken@example.test")
    for email in ("new@example.test", "taken@example.test"):
        answer = Caller().post("/api/auth/register", {"email": email, "password": "Distinct-Otter-42"})
        assert answer.status_code == 503 and answer.body["code"] == "mail_failed"
