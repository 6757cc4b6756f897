"""Twelve processes with one refresh token: one gets a new pair, and the family ends (R-061). Fails without the guard."""

import json

import pytest

from accounts.models import ApiSession, RefreshToken
from audit.models import Activity
from tests.accounts.people import make_user
from tests.api.caller import Caller, with_token
from tests.processes import outputs, start

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PROCESSES, THREADS = 3, 4
TRIES = """
import json, threading
{without_guard}
from django.test import Client
answers, barrier = [], threading.Barrier({threads})
def attempt():
    barrier.wait()
    body = json.dumps({{"refresh_token": "{raw}"}})
    answer = Client().post("/api/auth/refresh", body, content_type="application/json")
    answers.append([answer.status_code, answer.json().get("access_token", "")])
threads = [threading.Thread(target=attempt) for _ in range({threads})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(answers))
"""
# what most libraries do: look whether it is spent, then mark it
LOOK_THEN_MARK = """
import os
from django.db.models import QuerySet
from accounts.models import RefreshToken
from tests.processes import meet
update = QuerySet.update
def looking_first(self, **values):
    if self.model is not RefreshToken:
        return update(self, **values)
    unspent = self.exists()
    meet("{where}", f"{{os.getpid()}}-{{threading.get_ident()}}")
    update(self.model.objects.filter(pk__in=list(self.values_list("pk", flat=True))), **values)
    return int(unspent)
QuerySet.update = looking_first
"""


def race(raw, *, without_guard="", where=""):
    code = TRIES.format(raw=raw, threads=THREADS, without_guard=without_guard.format(where=where))
    return [answer for printed in outputs(start(code, times=PROCESSES)) for answer in json.loads(printed)]


def test_one_wins_and_the_family_ends():
    caller = with_token(make_user())
    answers = race(caller.refresh_token)
    statuses = [status for status, _ in answers]
    assert len(statuses) == 12 and statuses.count(200) == 1 and statuses.count(401) == 11
    winner = next(access for status, access in answers if status == 200)
    assert Caller({"Authorization": f"Bearer {winner}"}).get("/api/v1/me").status_code == 401
    assert ApiSession.objects.get().end_reason == "reuse" and RefreshToken.objects.count() == 2
    assert Activity.objects.filter(action="token.reuse_detected").count() >= 1


def test_without_the_conditional_update_several_would_win(tmp_path):
    answers = race(with_token(make_user()).refresh_token, without_guard=LOOK_THEN_MARK, where=tmp_path)
    assert [status for status, _ in answers].count(200) > 1
