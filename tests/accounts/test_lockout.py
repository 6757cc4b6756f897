"""Five failures lock a name for fifteen minutes on every channel together; the answer tells nobody anything (R-043, R-047, R-104)."""

import json
import re
import time
from functools import partial
from types import SimpleNamespace

import pytest
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from aaperture.lib import limits
from accounts import lockout, second_factor
from accounts.models import User
from accounts.services import account_mail, signing_in
from audit.models import Activity
from tests.accounts.passkey import Passkey
from tests.accounts.people import PASSWORD, add_totp, make_user, step_up, totp_code
from tests.stopwatch import cpu_seconds_of_each

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def _no_limit_of_the_url(monkeypatch):
    """The lock alone is tried here; how often the page may be asked for is another matter."""
    with monkeypatch.context() as patch:
        patch.setitem(limits.LIMITS, "account_login", limits.Limit(1000))
        limits.limit_of.cache_clear()
        yield
    limits.limit_of.cache_clear()


@pytest.fixture
def anna():
    return make_user(email="anna@example.test", password=PASSWORD)


def sign_in(email="anna@example.test", password="Wrong-Horse-7", *, address="203.0.113.5", client=None):
    """One try in a browser of its own, as its response."""
    return (client or Client()).post(LOGIN, {"login": email, "password": password}, REMOTE_ADDR=address)


def request_from(address="203.0.113.5"):
    return RequestFactory().post("/api/auth/login", REMOTE_ADDR=address)


def fail(times=5, **how):
    return [sign_in(**how) for _ in range(times)]


def in_valkey():
    client = caches["locks"]._cache.get_client(None)
    return {key.decode(): client.ttl(key) for key in client.keys("*")}


def test_after_five_failures_even_the_right_password_is_refused_for_fifteen_minutes(anna):
    began = time.monotonic()
    assert [response.status_code for response in fail()] == [200] * 5
    refused = sign_in(password=PASSWORD)
    assert refused.status_code == 429
    assert 900 - (time.monotonic() - began) - 1 <= int(refused.headers["Retry-After"]) <= 900


def test_four_failures_lock_nobody_and_a_sign_in_forgets_them(anna):
    for _ in range(2):
        fail(4)
        assert sign_in(password=PASSWORD).status_code == 302


def test_the_lock_ends_after_fifteen_minutes_and_going_on_does_not_prolong_it(anna):
    began = time.time()
    fail()
    valkey, name = lockout._client(), lockout._name_key(anna.email)
    ends = valkey.pexpiretime(name)
    assert began + 899 < ends / 1000 < time.time() + 901
    for password in (PASSWORD, "Wrong-Horse-7", "Wrong-Horse-7"):
        assert sign_in(password=password).status_code == 429
    assert valkey.pexpiretime(name) == ends and valkey.pexpireat(name, int(time.time() * 1000) - 1)
    assert sign_in(password=PASSWORD).status_code == 302


@pytest.mark.slow
@pytest.mark.parametrize("spelling", ["ANNA@example.test", "  anna@EXAMPLE.TEST ", "Anna@Example.Test"])
def test_every_spelling_of_the_name_counts_as_the_same(anna, spelling):
    fail(4)
    sign_in(spelling)
    assert sign_in(password=PASSWORD).status_code == 429


def test_every_address_of_an_account_counts_as_the_same(anna):
    anna.emailaddress_set.create(email="second@example.test", verified=True)
    fail(3)
    fail(2, email="second@example.test")
    assert sign_in(password=PASSWORD).status_code == sign_in("second@example.test", PASSWORD).status_code == 429


def test_a_locked_answer_reads_word_for_word_like_a_wrong_one(anna):
    pages = {}
    for name, client, password in (("wrong", Client(), "Wrong-Horse-7"), ("locked", Client(), PASSWORD)):
        if name == "locked":
            fail(4)
        text = sign_in(password=password, client=client).content.decode()
        pages[name] = re.sub(r'"[\w+/=-]{20,}"|[0-9a-f-]{36}', "", text)
    assert pages["wrong"] == pages["locked"] and "Invalid e-mail address or password" in text


def test_channels_count_together(client, anna):
    """Sign-in, step-up, password change, second factor and the API, each once: then all of them are shut."""
    add_totp(anna)
    client.force_login(anna)
    request = request_from()
    sign_in()
    assert client.post(reverse("account_reauthenticate"), {"password": "Wrong-Horse-7"}).status_code == 200
    changed = {"oldpassword": "Wrong-Horse-7", "password1": "Another-Horse-8", "password2": "Another-Horse-8"}
    assert client.post(reverse("account_change_password"), changed).status_code == 200
    assert not second_factor.verify_code(anna, "000000", request)
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request, email=anna.email, password="Wrong-Horse-7")

    assert sign_in(password=PASSWORD).status_code == 429
    assert client.post(reverse("account_reauthenticate"), {"password": PASSWORD}).status_code == 429
    assert client.post(reverse("account_change_password"), changed | {"oldpassword": PASSWORD}).status_code == 429
    assert client.post(reverse("mfa_reauthenticate"), {"code": totp_code()}).status_code == 429
    with pytest.raises(lockout.Locked):
        second_factor.verify_code(anna, totp_code(), request)
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request, email=anna.email, password=PASSWORD, otp=totp_code())
    assert User.objects.get().check_password(PASSWORD)


def test_the_right_password_does_not_wipe_out_failures_of_the_second_factor(anna):
    """Or whoever knows the password could try codes for ever."""
    add_totp(anna)
    for _ in range(5):
        client = Client()
        assert sign_in(password=PASSWORD, client=client).url == reverse("mfa_authenticate")
        client.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert sign_in(password=PASSWORD).status_code == 429


def add_passkey(user):
    client, passkey = Client(), Passkey()
    client.force_login(user)
    step_up(client, user)
    options = client.get(reverse("mfa_add_webauthn")).context["js_data"]["creation_options"]
    answer = {"credential": json.dumps(passkey.register(options)), "name": "Phone", "passwordless": "on"}
    assert client.post(reverse("mfa_add_webauthn"), answer).status_code == 302
    return passkey


def test_a_passkey_is_never_refused_and_never_lifts_the_lock(anna):
    passkey = add_passkey(anna)
    fail()
    for _ in range(6):
        client = Client()
        options = client.get(reverse("mfa_login_webauthn"), headers={"x-requested-with": "XMLHttpRequest"}).json()["request_options"]
        response = client.post(reverse("mfa_login_webauthn"), {"credential": json.dumps(passkey.authenticate(options))})
        assert response.status_code == 302 and client.session["_auth_user_id"] == str(anna.pk)
    assert sign_in(password=PASSWORD).status_code == 429
    assert Activity.objects.filter(action="user.login", details__method="webauthn").count() == 6


def test_bad_answers_of_keys_shut_nobody_out(anna):
    passkey = add_passkey(anna)
    client = Client()
    assert sign_in(password=PASSWORD, client=client).url == reverse("mfa_authenticate")
    for _ in range(8):
        options = client.get(reverse("mfa_authenticate")).context["js_data"]["request_options"]
        assert client.post(reverse("mfa_authenticate"), {"credential": json.dumps(Passkey().authenticate(options))}).status_code == 200
    options = client.get(reverse("mfa_authenticate")).context["js_data"]["request_options"]
    assert client.post(reverse("mfa_authenticate"), {"credential": json.dumps(passkey.authenticate(options))}).status_code == 302
    assert client.session["_auth_user_id"] == str(anna.pk)


def test_names_nobody_has_lock_in_the_same_way(anna, mailoutbox):
    assert [response.status_code for response in fail(email="nobody@example.test")] == [200] * 5
    assert sign_in("nobody@example.test").status_code == 429
    assert sign_in(password=PASSWORD).status_code == 302
    assert not mailoutbox
    assert Activity.objects.filter(action="account.locked", target_id="").count() == 1


@pytest.mark.slow
def test_an_address_has_an_allowance_over_all_names(anna, monkeypatch):
    monkeypatch.setattr(lockout, "FAILURES_PER_ADDRESS", 6)
    for number in range(6):
        assert sign_in(f"nobody{number}@example.test").status_code == 200
    assert sign_in(password=PASSWORD).status_code == 429
    assert sign_in(password=PASSWORD, address="203.0.113.6").status_code == 302


def test_right_sign_ins_use_up_no_allowance_of_the_address(anna, monkeypatch):
    monkeypatch.setattr(lockout, "FAILURES_PER_ADDRESS", 3)
    for _ in range(5):
        assert sign_in(password=PASSWORD).status_code == 302


def test_the_command_unlocks_whatever_the_spelling(anna, capsys):
    fail()
    call_command("unlock", "ANNA@example.test")
    assert "may sign in again" in capsys.readouterr().out
    assert sign_in(password=PASSWORD).status_code == 302
    assert Activity.objects.filter(action="account.unlocked").count() == 1
    call_command("unlock", "anna@example.test")
    assert "had no failed sign-ins" in capsys.readouterr().out


def test_a_password_reset_by_mail_unlocks(anna, client, mailoutbox):
    fail()
    client.post(reverse("account_reset_password"), {"email": anna.email})
    link = mailoutbox[-1].body.split("http://localhost:8000")[1].split()[0]
    form = client.get(link, follow=True).redirect_chain[-1][0]
    client.post(form, {"password1": "Another-Horse-8", "password2": "Another-Horse-8"})
    assert sign_in(password="Another-Horse-8").status_code == 302


@pytest.mark.parametrize(("language", "words"), [("en", "locked for a while"), ("fr", "bloquée")])
def test_the_owner_is_told_once_in_their_language(anna, mailoutbox, language, words):
    User.objects.update(language=language)
    fail(9)
    assert Activity.objects.filter(action="account.locked", target_id=str(anna.pk)).count() == 1
    account_mail.tell_of_lock(anna.pk)
    assert [message.to for message in mailoutbox] == [["anna@example.test"]] and words in mailoutbox[0].subject


def test_every_failure_is_on_record_with_its_reason_and_no_name_in_clear(anna):
    fail(6)
    rows = Activity.objects.filter(action="user.login.failed").order_by("recorded_at")
    assert [row.details["reason"] for row in rows] == ["credentials"] * 5 + ["locked"]
    assert len({row.account_hash for row in rows}) == 1 and "anna@" not in "".join(row.canonical for row in rows)


def test_valkey_and_axes_tables_hold_no_name_and_no_address(anna):
    from axes.models import AccessAttempt, AccessFailureLog, AccessLog

    fail(6)
    sign_in("nobody@example.test")
    assert in_valkey() and not [key for key in in_valkey() if "anna" in key or "nobody" in key or "203.0" in key]
    assert all(0 < left <= 900 for left in in_valkey().values())
    assert not AccessAttempt.objects.exists() and not AccessLog.objects.exists() and not AccessFailureLog.objects.exists()


@pytest.fixture
def people(anna):
    """Everybody who may not come in, by why."""
    make_user(email="inactive@example.test", password=PASSWORD, is_active=False)
    make_user(email="google@example.test")
    make_user(email="developer@example.test", password=PASSWORD, role="developer")
    unverified = make_user(email="unverified@example.test", password=PASSWORD)
    unverified.emailaddress_set.update(verified=False)
    return {
        "unknown": ("nobody@example.test", PASSWORD),
        "wrong": ("anna@example.test", "Wrong-Horse-7"),
        "inactive": ("inactive@example.test", PASSWORD),
        "no password": ("google@example.test", PASSWORD),
        "developer in production": ("developer@example.test", PASSWORD),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("twelve_rounds")
def test_the_page_says_the_same_to_everybody_in_the_same_time(people, settings):
    settings.ENVIRONMENT = "production"
    said = set()

    def refused_by_the_page(who: tuple[str, str], number: int) -> None:
        caches["locks"].clear()
        client = Client()
        response = sign_in(*who, client=client, address=f"203.0.113.{number}")
        assert response.status_code == 200 and "_auth_user_id" not in client.session, who
        said.add(response.content.decode().split("errorlist", 1)[-1].split("</", 1)[0])

    refused_by_the_page(people["unknown"], 99)  # loads the form and its templates
    took = cpu_seconds_of_each({why: partial(refused_by_the_page, who) for why, who in people.items()}, ratio=1.5)
    assert len(said) == 1, said
    assert max(took.values()) < 1.5 * min(took.values()), took


def refused(email, password, address):
    """The API's log-in refuses these: the seconds it worked, and the seconds it took."""
    worked, took = time.thread_time(), time.perf_counter()
    with pytest.raises(signing_in.WrongCredentials) as refusal:
        signing_in.verify(request_from(address), email=email, password=password)
    assert type(refusal.value) is signing_in.WrongCredentials and not refusal.value.args
    return time.thread_time() - worked, time.perf_counter() - took


@pytest.mark.slow
@pytest.mark.usefixtures("twelve_rounds")
def test_the_api_log_in_refuses_everybody_alike_in_the_same_time(people, settings):
    settings.ENVIRONMENT = "production"
    people["unverified"] = ("unverified@example.test", PASSWORD)

    def refused_by_the_api(who: tuple[str, str], number: int) -> None:
        caches["locks"].clear()
        refused(*who, f"203.0.113.{number}")

    worked = cpu_seconds_of_each({why: partial(refused_by_the_api, who) for why, who in people.items()}, ratio=1.5)
    assert max(worked.values()) < 1.5 * min(worked.values()), worked


@pytest.mark.slow
@pytest.mark.usefixtures("twelve_rounds")
def test_the_api_log_in_takes_its_time_over_a_locked_name_too_without_working(anna, monkeypatch):
    wrong = [refused("anna@example.test", "Wrong-Horse-7", "203.0.113.1") for _ in range(5)]
    slept: list[float] = []
    with monkeypatch.context() as patch:
        patch.setattr(signing_in, "time", SimpleNamespace(perf_counter=time.perf_counter, sleep=slept.append))
        worked, _took = refused("anna@example.test", PASSWORD, "203.0.113.1")
    (waited,) = slept  # as long as the last verification took
    assert worked < 0.4 * min(worked for worked, _took in wrong) and 0.5 * wrong[-1][0] < waited <= wrong[-1][1]


@pytest.mark.slow
@pytest.mark.parametrize("email", ["anna@example.test", "nobody@example.test", "google@example.test", "inactive@example.test"])
@pytest.mark.parametrize("password", [PASSWORD, "Wrong-Horse-7"])
def test_a_try_costs_exactly_one_bcrypt(people, monkeypatch, email, password):
    import bcrypt

    hashings = []
    hashpw = bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda *args: hashings.append(1) or hashpw(*args))
    sign_in(email, password)
    assert len(hashings) == 1


def test_a_locked_try_costs_none(anna, monkeypatch):
    import bcrypt

    fail()
    monkeypatch.setattr(bcrypt, "hashpw", lambda *args: pytest.fail("verified while locked"))
    assert sign_in(password=PASSWORD).status_code == 429


@pytest.mark.parametrize("name", ["", "a" * 5000, "ｎｏｂｏｄｙ＠example.test", "x' OR 1=1 --@example.test"])
def test_any_text_may_be_given_for_a_name(name):
    with pytest.raises(signing_in.WrongCredentials):
        signing_in.verify(request_from(), email=name, password="x")
    assert sign_in(name).status_code == 200


def test_a_name_with_a_nul_is_nobody():
    assert signing_in.find("anna\x00@example.test") is None


@pytest.mark.parametrize("path", [LOGIN, "/api/auth/login"])
def test_while_valkey_is_down_signing_in_says_503_and_verifies_nothing(anna, settings, monkeypatch, path):
    import bcrypt

    monkeypatch.setattr(bcrypt, "hashpw", lambda *args: pytest.fail("verified without counting"))
    settings.CACHES = {alias: cache | {"LOCATION": "unix:///nonexistent/valkey.sock?db=1"} for alias, cache in settings.CACHES.items()}
    body = {"login": anna.email, "password": PASSWORD} if path == LOGIN else {"email": anna.email, "password": PASSWORD}
    kind = {} if path == LOGIN else {"content_type": "application/json"}
    response = Client().post(path, body, **kind)
    assert response.status_code == 503 and response.headers["Retry-After"] == "30"
    assert path == LOGIN or response.json()["code"]


def test_a_try_asks_for_the_account_once_whoever_it_is(people, settings):
    settings.ENVIRONMENT = "production"
    asked = {}
    for why, (email, password) in people.items():
        with CaptureQueriesContext(connection) as queries:
            sign_in(email, password)
        tables = [re.search(r'FROM "(\w+)"', query["sql"]) for query in queries]
        asked[why] = sorted(table[1] for table in tables if table and table[1] in {"accounts_user", "account_emailaddress"})
    assert {tuple(tables) for tables in asked.values()} == {("account_emailaddress", "accounts_user")}, asked
