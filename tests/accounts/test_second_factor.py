"""The second factor: sealed, spent once, required of administrators and developers (R-058, R-108)."""

import time

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.core.cache import caches
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import second_factor
from accounts.models import Session, User
from accounts.services import api_keys, signing_in
from audit.models import Activity
from tests.accounts.people import PASSWORD, SEED, add_totp, make_user, step_up, totp_code
from vault.errors import SealedDataError

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    user = make_user(email="anna@example.test", password=PASSWORD)
    add_totp(user)
    return user


@pytest.fixture
def request_():
    return RequestFactory().post("/api/auth/login", REMOTE_ADDR="203.0.113.5")


def recovery_codes(user):
    with second_factor.sealed_for(user):
        from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

        return RecoveryCodes.activate(user).get_unused_codes()


def password_step(client, user):
    return client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})


def is_in(client):
    return client.get("/settings/profile/").status_code == 200


def test_a_sign_in_needs_password_and_code(anna):
    client = Client()
    assert password_step(client, anna).url == reverse("mfa_authenticate")
    assert not is_in(client)
    assert client.post(reverse("mfa_authenticate"), {"code": "000000"}).status_code == 200
    assert not is_in(client)
    assert client.post(reverse("mfa_authenticate"), {"code": totp_code()}).status_code == 302
    assert is_in(client)
    assert Activity.objects.get(action="user.login").details["method"] == "password+totp"
    assert Activity.objects.get(action="user.login.failed").details["reason"] == "second_factor"


def test_a_factor_removed_between_the_two_steps_leads_back_to_the_first(anna):
    client = Client()
    password_step(client, anna)
    Authenticator.objects.filter(user=anna).delete()
    answer = client.get(reverse("mfa_authenticate"), follow=True)
    assert [where for where, _status in answer.redirect_chain] == [reverse("account_login")]
    assert answer.status_code == 200 and not is_in(client)


@pytest.mark.parametrize("spelling", [lambda code: code, lambda code: f" {code[:3]} {code[3:]} "])
def test_a_code_used_once_is_refused_in_any_spelling_and_after_the_cache_was_emptied(anna, spelling):
    code = totp_code()
    for expected in (302, 200):
        client = Client()
        password_step(client, anna)
        caches["default"].clear()
        assert client.post(reverse("mfa_authenticate"), {"code": code if expected == 302 else spelling(code)}).status_code == expected


def test_a_code_older_than_the_last_one_is_refused(anna, request_):
    now = time.time()
    old = totp_code(at=now)
    with time_machine.travel(now + 60):
        assert second_factor.verify_code(anna, totp_code(at=now + 60), request_)
    with time_machine.travel(now):
        assert not second_factor.verify_code(anna, old, request_)


def test_a_recovery_code_lets_in_once(anna):
    code = recovery_codes(anna)[3]
    for expected in (302, 200):
        client = Client()
        password_step(client, anna)
        assert client.post(reverse("mfa_authenticate"), {"code": code}).status_code == expected
        assert is_in(client) == (expected == 302)


def test_who_came_in_by_a_recovery_code_is_told_what_to_do_next(anna):
    code = recovery_codes(anna)[0]
    client = Client()
    password_step(client, anna)
    client.post(reverse("mfa_authenticate"), {"code": code})
    assert "9 are left. Is your phone or key gone?" in client.get("/settings/profile/").content.decode()
    client = Client()
    password_step(client, anna)
    client.post(reverse("mfa_authenticate"), {"code": totp_code()})
    assert "recovery code" not in client.get("/settings/profile/").content.decode()


def test_a_code_that_does_not_fit_says_what_would(anna):
    client = Client()
    password_step(client, anna)
    answer = client.post(reverse("mfa_authenticate"), {"code": "000000"}).content.decode()
    assert "Type the one that the app shows now; each code works once." in answer


def test_seeds_stand_sealed_in_the_row_and_open_for_their_owner_only(anna):
    recovery_codes(anna)
    other = make_user(email="other@example.test")
    assert SEED not in str(list(Authenticator.objects.values_list("data", flat=True)))
    secrets = [row.data.get("secret") or row.data.get("seed") for row in Authenticator.objects.all()]
    assert len(secrets) == 2 and all(secret.startswith("mfa1.") for secret in secrets)
    Authenticator.objects.update(user=other)
    with pytest.raises(SealedDataError):
        second_factor.use_code(other, totp_code())
    forged = secrets[0].replace(str(anna.pk), str(other.pk))
    with second_factor.sealed_for(other), pytest.raises(SealedDataError):
        second_factor.unseal(forged)
    with pytest.raises(SealedDataError):
        second_factor.unseal(secrets[0])


@pytest.mark.parametrize("sealed", ["", "plain", "mfa1..", "mfa1.x.y", SEED])
def test_anything_else_opens_nothing(anna, sealed):
    with second_factor.sealed_for(anna), pytest.raises(SealedDataError):
        second_factor.unseal(sealed)


def test_enrolling_keeps_the_seed_sealed_until_the_first_code_and_spends_that_code(client):
    user = make_user(email="new@example.test", password=PASSWORD)
    client.force_login(user)
    step_up(client, user)
    page = client.get(reverse("mfa_activate_totp"))
    seed = page.context["form"].secret
    assert seed not in Session.objects.get().session_data and seed not in str(dict(client.session))
    from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

    code = format_hotp_value(hotp_value(seed, int(time.time()) // 30))
    assert client.post(reverse("mfa_activate_totp"), {"code": "000000"}).status_code == 200
    assert client.get(reverse("mfa_activate_totp")).context["form"].secret != seed, "a new page, a new seed"
    seed = client.get(reverse("mfa_activate_totp")).context["form"].secret
    code = format_hotp_value(hotp_value(seed, int(time.time()) // 30))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.transaction.on_commit", lambda function, **_: function())
        assert client.post(reverse("mfa_activate_totp"), {"code": code}).status_code == 302
    assert second_factor.has_second_factor(user)
    assert not second_factor.use_code(user, code)
    assert set(Activity.objects.values_list("action", flat=True)) >= {"second_factor.added", "recovery_codes.generated"}


@pytest.mark.parametrize("role", ["admin", "developer"])
@pytest.mark.parametrize(
    "path", ["/", "/admin/", "/admin/accounts/user/", "/settings/profile/", "/opportunities/", "/admin/password_change/"]
)
def test_an_administrator_or_developer_without_second_factor_is_led_to_setting_one_up(client, role, path):
    user = make_user(role=role, second_factor=False)
    client.force_login(user)
    for _ in range(2):
        response = client.get(path)
        assert response.status_code == 302 and response.url == reverse("mfa_index")
    assert client.post(path).status_code in {302, 403, 405}
    assert client.get(path, headers={"hx-request": "true"}).headers["HX-Redirect"] == reverse("mfa_index")
    answer = client.get(path, headers={"accept": "application/json"})
    assert answer.status_code == 403 and answer.json()["code"] == "mfa_enrolment_required"
    assert Activity.objects.filter(action="second_factor.required").count() == 1


def test_meanwhile_they_may_enrol_leave_and_read_how(client):
    user = make_user(role="admin", second_factor=False, password=PASSWORD)
    client.force_login(user)
    for name in ("mfa_index", "account_reauthenticate", "site:security", "health_live"):
        assert client.get(reverse(name)).status_code == 200, name
    step_up(client, user)
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
    assert client.get(reverse("mfa_add_webauthn")).status_code == 200
    assert client.post(reverse("set_language"), {"language": "fr"}).status_code == 302
    assert client.post(reverse("account_logout")).status_code == 302


def test_with_one_they_are_in_and_taking_it_away_shuts_the_door_on_the_next_request(client):
    user = make_user(role="admin")
    client.force_login(user)
    assert client.get("/admin/").status_code == 200
    Authenticator.objects.all().delete()
    assert client.get("/admin/").url == reverse("mfa_index")


def test_recovery_codes_alone_are_no_second_factor():
    user = make_user(role="admin", second_factor=False)
    recovery_codes(user)
    assert not second_factor.has_second_factor(user)


def test_other_roles_need_none(client):
    client.force_login(make_user(role="designer"))
    assert client.get("/admin/").status_code == 200


def test_the_api_log_in_asks_for_a_code_only_after_a_right_password(anna, request_):
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request_, email=anna.email, password="Wrong-Horse-7", otp=totp_code())
    with pytest.raises(signing_in.SecondFactorNeeded):
        signing_in.verify(request_, email=anna.email, password=PASSWORD)
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request_, email=anna.email, password=PASSWORD, otp="000000")
    code = totp_code()
    assert signing_in.verify(request_, email=anna.email, password=PASSWORD, otp=code) == anna
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request_, email=anna.email, password=PASSWORD, otp=code)


def test_the_api_sends_an_administrator_without_second_factor_to_enrolment(request_):
    user = make_user(role="admin", second_factor=False, password=PASSWORD)
    with pytest.raises(signing_in.EnrolmentRequired):
        signing_in.verify(request_, email=user.email, password=PASSWORD)
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request_, email=user.email, password="Wrong-Horse-7")


def test_wrong_codes_alone_lock_the_account(anna, request_):
    for _ in range(5):
        assert not second_factor.verify_code(anna, "000000", request_)
    with pytest.raises(second_factor.lockout.Locked):
        second_factor.verify_code(anna, totp_code(), request_)


def test_removing_a_factor_is_on_record_and_mailed(anna, client, mailoutbox):
    client.force_login(anna)
    assert client.post(reverse("mfa_deactivate_totp")).url.startswith(reverse("account_reauthenticate"))
    assert second_factor.has_second_factor(anna)
    step_up(client, anna)
    assert client.post(reverse("mfa_deactivate_totp")).status_code == 302
    assert not second_factor.has_second_factor(anna)
    assert Activity.objects.filter(action="second_factor.removed", target_id=str(anna.pk)).count() == 1
    assert [message.to for message in mailoutbox] == [[anna.email]]


def test_a_session_that_began_before_the_password_step_does_not_carry_the_second(anna):
    """Password in one browser, code in another: neither is in."""
    first, second = Client(), Client()
    password_step(first, anna)
    assert second.post(reverse("mfa_authenticate"), {"code": totp_code()}).url == reverse("account_login")
    assert not is_in(first) and not is_in(second)
    assert User.objects.get().last_login is None


def api(client, path, **headers):
    return client.get(path, headers={"accept": "application/json", **headers})


def test_by_api_they_get_403_at_log_in_and_with_what_they_held_before(client):
    user = make_user(role="admin", password=PASSWORD)
    body = {"email": user.email, "password": PASSWORD, "otp": totp_code()}
    token = client.post("/api/auth/login", body, content_type="application/json").json()["access_token"]
    _key, raw, _secret = api_keys.create(user, name="report", scopes=["read"], days=30, request=None)
    for held in ({"authorization": f"Bearer {token}"}, {"x-api-key": raw}):
        assert api(client, "/api/v1/users", **held).status_code == 200
    Authenticator.objects.all().delete()
    for held in ({"authorization": f"Bearer {token}"}, {"x-api-key": raw}):
        answer = api(client, "/api/v1/users", **held)
        assert (answer.status_code, answer.json()["code"]) == (403, "mfa_enrolment_required")
    del body["otp"]
    answer = client.post("/api/auth/login", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "mfa_enrolment_required")
    assert not Activity.objects.filter(action="permission.denied").exists()


def test_an_address_refused_beside_a_second_step_says_the_way(anna):
    client = Client()
    client.force_login(anna)
    step_up(client, anna)
    answer = client.post(reverse("account_email"), {"action_add": "", "email": "new@example.test"})
    assert "Remove it under Security, add and confirm the address" in answer.content.decode()
