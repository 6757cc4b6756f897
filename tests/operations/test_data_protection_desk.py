"""The console's data-protection desk: who sees it, what it lists, starting something for somebody who asked."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from audit.models import Activity
from operations.models import DataExport, Erasure
from operations.services import erasures
from tests.accounts.people import make_user, step_up

pytestmark = pytest.mark.django_db
PAGE = "/admin/operations/data-protection/"


def staff(role: str = "admin", *, fresh: bool = True) -> Client:
    user = make_user(role=role)
    web = Client()
    web.force_login(user)
    if fresh:
        step_up(web, user)
    return web


@pytest.fixture(autouse=True)
def _google(monkeypatch):
    monkeypatch.setattr("integrations.google_oauth.revoke", lambda token: True)


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("developer", 200), ("executive", 403), ("executor", 403), ("member", 403)])
def test_it_follows_the_matrix(role, status, settings):
    settings.ALLOW_DEV_ROLE_IN_PRODUCTION = True
    assert staff(role).get(PAGE).status_code == status


def test_a_copy_and_an_erasure_are_started_for_somebody_and_listed(settings, tmp_path):
    settings.ERASURE_LEDGER = str(tmp_path)
    user, web = make_user(email="camille@example.test"), staff()
    assert web.post(f"{PAGE}?start=export", {"email": " Camille@example.test"})["Location"] == PAGE
    export = DataExport.objects.get()
    assert export.user == user and export.requested_by is not None
    assert web.post(f"{PAGE}?start=erasure", {"email": user.email})["Location"] == PAGE
    erasure = Erasure.objects.get()
    assert erasure.account_id == user.pk and erasure.requested_by_id == export.requested_by_id
    page = web.get(PAGE).content.decode()
    assert page.count("camille@example.test") == 2 and page.count("by staff") == 2 and "ERASURE_LEDGER" not in page
    assert date_format(timezone.localdate(export.requested_at + timedelta(days=28), ZoneInfo("Europe/Paris"))) in page, "the shortest month"
    asked = Activity.objects.filter(target_id=str(user.pk), action__in=["data.export_requested", "erasure.requested"])
    assert {row.actor_id for row in asked} == {erasure.requested_by_id} and len(asked) == 2
    with time_machine.travel(timezone.now() + timedelta(days=30, hours=2)):
        later = staff()
        assert "overdue" in later.get(PAGE).content.decode()
        erasures.carry_on(erasure.pk)
        page = later.get(PAGE).content.decode()
    assert "camille@example.test" not in page and str(user.pk) in page and "overdue" not in page, "its number only"


def test_starting_wants_a_fresh_proof_and_an_account():
    user = make_user()
    stale = staff(fresh=False)
    for kind in ("export", "erasure"):
        answer = stale.post(f"{PAGE}?start={kind}", {"email": user.email})
        assert answer.status_code == 302 and "reauthenticate" in answer["Location"]
        assert "No account has this address" in staff().post(f"{PAGE}?start={kind}", {"email": "nobody@example.test"}).content.decode()
    assert not DataExport.objects.exists() and not Erasure.objects.exists()


def test_the_protections_hold_here_too(settings):
    settings.ALLOW_DEV_ROLE_IN_PRODUCTION = True
    make_user(role="admin")
    other = make_user(role="admin", email="other@example.test")
    developer = staff("developer")
    for kind in ("export", "erasure"):
        assert developer.post(f"{PAGE}?start={kind}", {"email": other.email}).status_code == 403
    assert staff().post(f"{PAGE}?start=erasure", {"email": other.email}).status_code == 403, "an administrator is deleted by nobody else"
    assert not DataExport.objects.exists() and not Erasure.objects.exists()


def test_without_a_ledger_it_says_what_that_means():
    page = staff().get(PAGE).content.decode()
    assert "ERASURE_LEDGER" in page and len(re.findall("Nobody has asked so far", page)) == 2
