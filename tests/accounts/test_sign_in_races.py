"""Processes side by side: guesses, codes and sessions that only one of them may win. Each test fails without its guard."""

import json

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import second_factor
from accounts.models import Session
from audit.models import Activity
from tests.accounts.people import PASSWORD, add_totp, make_user, totp_code
from tests.processes import outputs, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# each process tries from as many threads at the same moment; what they print is what the tests count
TRIES = """
import json, os, threading
from django.test import Client
from aaperture.lib import limits
from accounts.passwords import BCryptSHA256TwelveRounds as Hasher
limits.LIMITS["account_login"] = limits.Limit(1000, 60)
Hasher.rounds = 4  # as in the tests' own process
{before}
statuses, barrier = [], threading.Barrier({threads})
def attempt(number):
    barrier.wait()
    {attempt}
threads = [threading.Thread(target=attempt, args=(number,)) for number in range({threads})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(statuses))
"""
WRONG_SIGN_IN = """statuses.append(Client().post("/accounts/login/", {"login": "anna@example.test", "password": "Wrong-Horse-7"},
                                  REMOTE_ADDR=f"198.51.{os.getpid() % 250}.{number}").status_code)"""
# until as many have looked as it takes
MEET = """
from tests.processes import meet
def met(**how):
    meet("{where}", f"{{os.getpid()}}-{{threading.get_ident()}}", **how)
"""
# a password takes its time, as at twelve rounds; all have looked before the first knows
SLOW_PASSWORDS = """
import time
verify = Hasher.verify
Hasher.verify = lambda self, *given: (time.sleep(1), verify(self, *given))[1]
"""
# what axes' own cache handler does: look first, count after the failure
LOOK_FIRST_COUNT_LATER = """
from accounts import lockout
def look(name, request):
    if int(lockout._client().get(lockout._name_key(name)) or 0) >= 5:
        raise lockout.Locked(900)
    met(others=5)
def count(name, request, user):
    lockout._client().incr(lockout._name_key(name))
lockout.attempt, lockout.failed = look, count
"""
USE_CODE = """
    from accounts.models import User
    from accounts import second_factor
    statuses.append(second_factor.use_code(User.objects.get(email="anna@example.test"), "{code}"))"""
# reading the row without locking it
NO_ROW_LOCK = """
from django.db.models import QuerySet
QuerySet.select_for_update = lambda self, *args, **options: self
from allauth.mfa.models import Authenticator
save = Authenticator.save
Authenticator.save = lambda self, *args, **options: (met(), save(self, *args, **options))
"""


def run(attempt, *, processes, threads, before="", where=""):
    before = MEET.format(where=where) + before
    code = TRIES.format(attempt=attempt.strip(), threads=threads, before=before)
    return [status for printed in outputs(start(code, times=processes)) for status in json.loads(printed)]


@pytest.fixture
def anna():
    return make_user(email="anna@example.test", password=PASSWORD)


def verified():
    return Activity.objects.filter(action="user.login.failed", details__reason="credentials").count()


def test_thirty_guesses_at_once_verify_at_most_five(anna):
    statuses = run(WRONG_SIGN_IN, processes=3, threads=10, before=SLOW_PASSWORDS)
    assert sorted(statuses) == [200] * 5 + [429] * 25
    assert verified() == 5
    assert Activity.objects.filter(action="account.locked").count() == 1


def test_without_counting_first_more_of_them_would(anna, tmp_path):
    run(WRONG_SIGN_IN, processes=3, threads=10, before=LOOK_FIRST_COUNT_LATER, where=tmp_path)
    assert verified() > 5


def test_a_recovery_code_works_once_of_twelve_times_at_once(anna):
    code = recovery_code(anna)
    assert sorted(run(USE_CODE.format(code=code), processes=3, threads=4)) == [False] * 11 + [True]


def test_without_the_row_lock_it_would_work_more_often(anna, tmp_path):
    worked = run(USE_CODE.format(code=recovery_code(anna)), processes=3, threads=4, before=NO_ROW_LOCK, where=tmp_path)
    assert worked.count(True) > 1


def recovery_code(user):
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    with second_factor.sealed_for(user):
        return RecoveryCodes.activate(user).get_unused_codes()[2]


def test_an_authenticators_code_works_once_of_twelve_times_at_once(anna):
    add_totp(anna)
    assert sorted(run(USE_CODE.format(code=totp_code()), processes=3, threads=4)) == [False] * 11 + [True]


def test_without_the_row_lock_that_would_work_more_often_too(anna, tmp_path):
    add_totp(anna)
    worked = run(USE_CODE.format(code=totp_code()), processes=3, threads=4, before=NO_ROW_LOCK, where=tmp_path)
    assert worked.count(True) > 1


def test_two_browsers_with_the_same_code_one_is_in(anna):
    """Through the pages, where allauth's own check asks nobody's row."""
    add_totp(anna)
    clients = [Client(), Client()]
    for client in clients:
        client.post(reverse("account_login"), {"login": anna.email, "password": PASSWORD})
    code = totp_code()
    statuses = [client.post(reverse("mfa_authenticate"), {"code": code}).status_code for client in clients]
    assert sorted(statuses) == [200, 302]
    assert Session.objects.filter(user=anna).count() == 1


def test_a_request_under_way_does_not_bring_back_an_ended_session(anna):
    from django.contrib.sessions.exceptions import SessionInterrupted
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.http import HttpResponse

    client = Client()
    client.force_login(anna)

    def view(request):
        request.session["written"] = "late"
        Session.objects.all().delete()  # meanwhile, by its owner in another browser
        return HttpResponse()

    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = client.cookies["sessionid"].value
    with pytest.raises(SessionInterrupted):
        SessionMiddleware(view)(request)
    assert not Session.objects.exists()
