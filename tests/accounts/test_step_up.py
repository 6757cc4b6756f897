"""Step-up: a fresh proof within ten minutes, on every channel, never by an API key (R-108)."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import step_up
from accounts.models import ApiSession
from audit.models import Activity
from tests.accounts.people import PASSWORD, add_totp, make_user, totp_code

pytestmark = pytest.mark.django_db
SENSITIVE = "mfa_activate_totp"
ASKED = "/accounts/reauthenticate/"


@pytest.fixture
def anna():
    return make_user(email="anna@example.test", password=PASSWORD)


def lets(client):
    return client.get(reverse(SENSITIVE)).status_code == 200


def test_a_session_that_proved_nothing_lately_is_asked_and_led_back(client, anna):
    client.force_login(anna)
    response = client.get(reverse(SENSITIVE))
    assert response.status_code == 302 and response.url == f"{ASKED}?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F"
    response = client.post(response.url, {"password": PASSWORD})
    assert response.status_code == 302 and response.url == reverse(SENSITIVE)
    assert lets(client)
    assert Activity.objects.filter(action="step_up.done", details__method="password").count() == 1


def test_it_holds_for_ten_minutes(client, anna):
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client.force_login(anna)
        client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
        clock.shift(599)
        assert lets(client)
        clock.shift(2)
        assert not lets(client)


def test_a_sign_in_alone_is_none(client, anna):
    """Or a session stolen in its first minutes could enrol the thief's own passkey."""
    client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    assert not lets(client)


def test_a_code_of_the_second_factor_will_do(client, anna):
    add_totp(anna)
    client.force_login(anna)
    assert client.post(reverse("mfa_reauthenticate"), {"code": "000000"}).status_code == 200
    assert not lets_view(client)
    assert client.post(reverse("mfa_reauthenticate"), {"code": totp_code()}).status_code == 302
    assert lets_view(client)


def lets_view(client):
    return client.get(reverse("mfa_deactivate_totp")).status_code == 200


def test_a_proof_counts_for_its_session_only(anna):
    first, second = Client(), Client()
    for client in (first, second):
        client.force_login(anna)
    first.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert lets(first) and not lets(second)


def test_a_form_sent_too_late_is_not_kept_and_leads_back_to_its_page(client, anna):
    client.force_login(anna)
    path = reverse(SENSITIVE)
    response = client.post(path, {"code": "123456"}, headers={"referer": f"http://testserver{path}?a=1"})
    assert response.url == f"{reverse('account_reauthenticate')}?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F%3Fa%3D1"
    assert "123456" not in str(dict(client.session))
    response = client.post(path, headers={"referer": "https://evil.example/"})
    assert response.url == f"{reverse('account_reauthenticate')}?next=%2F"


def test_requests_of_scripts_are_told_by_header_or_json(client, anna):
    client.force_login(anna)
    assert client.get(reverse(SENSITIVE), headers={"hx-request": "true"}).headers["HX-Redirect"].startswith(ASKED)
    answer = client.get(reverse(SENSITIVE), headers={"accept": "application/json"})
    assert answer.status_code == 403 and answer.json()["code"] == "step_up_required"


def test_an_account_of_google_alone_signs_in_again_instead(client):
    user = make_user()
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client.force_login(user)
        assert lets(client)
        clock.shift(601)
        response = client.get(reverse(SENSITIVE))
        assert response.url.startswith(reverse("account_login")) and "_auth_user_id" not in client.session


def test_an_account_of_google_alone_changes_no_address_without_it(client):
    user = make_user()
    with time_machine.travel(1_900_000_000, tick=False) as clock:
        client.force_login(user)
        clock.shift(601)
        assert client.get(reverse("account_email")).status_code == 200
        response = client.post(reverse("account_email"), {"action_add": "", "email": "thief@example.test"})
        assert response.url.startswith(reverse("account_login")) and "_auth_user_id" not in client.session
        assert not EmailAddress.objects.filter(email="thief@example.test").exists() and not mail.outbox
        client.force_login(user)
        client.post(reverse("account_email"), {"action_add": "", "email": "mine@example.test"})
        assert EmailAddress.objects.filter(email="mine@example.test").exists()


def api_request(user, **attributes):
    request = RequestFactory().post("/api/v1/x")
    request.user = user
    for name, value in attributes.items():
        setattr(request, name, value)
    return request


def test_a_session_of_the_api_has_its_own_time(anna):
    now = timezone.now()
    session = ApiSession(user=anna, expires_at=now)
    assert not step_up.is_recent(api_request(anna, api_session=session))
    session.stepped_up_at = now
    assert step_up.is_recent(api_request(anna, api_session=session))
    with time_machine.travel(now + timedelta(seconds=601)):
        assert not step_up.is_recent(api_request(anna, api_session=session))


def test_an_api_key_never_satisfies_it(anna):
    session = ApiSession(user=anna, expires_at=timezone.now(), stepped_up_at=timezone.now())
    request = api_request(anna, api_session=session, credential="api_key")
    assert not step_up.is_recent(request)
    with pytest.raises(step_up.StepUpRequired):
        step_up.require(request)


def test_the_decorator_asks_before_the_view_runs(anna):
    @step_up.step_up_required
    def view(request, pk):
        return SimpleNamespace(pk=pk)

    with pytest.raises(step_up.StepUpRequired):
        view(api_request(anna), pk=7)
    session = ApiSession(user=anna, expires_at=timezone.now(), stepped_up_at=timezone.now())
    assert view(api_request(anna, api_session=session), pk=7).pk == 7
