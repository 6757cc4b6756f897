"""Developers in production: refused everywhere unless admitted, for hours that end by themselves (R-097 … R-104)."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from accounts.models import InstanceSettings, User
from accounts.protections import Refused
from accounts.receivers import make_dev_user
from accounts.services import developers
from audit.models import Activity
from tests import processes
from tests.accounts.people import PASSWORD, make_user, step_up
from tests.api.caller import with_key, with_token

pytestmark = pytest.mark.django_db
PAGE = "/admin/accounts/instancesettings/developers/"
ENDPOINT = "/api/v1/admin/settings/dev-role-production"
OWN = "/settings/profile/"
ME = "/api/v1/permissions/me"
NOON = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def production(settings):
    settings.ENVIRONMENT = "production"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    step_up(client, user)
    return client


def records(action: str) -> list[dict]:
    return list(Activity.objects.filter(action=action).order_by("recorded_at", "id").values_list("details", flat=True))


def test_outside_production_developers_work_as_everybody_else():
    assert browser(make_user(role="developer")).get("/admin/").status_code == 200
    assert not records("developer.request")


def test_production_refuses_them_on_every_channel_at_once(settings):
    developer = make_user(role="developer")
    web, token, key = browser(developer), with_token(developer), with_key(developer, "read")
    assert web.get(OWN).status_code == token.get(ME).status_code == key.get(ME).status_code == 200
    settings.ENVIRONMENT = "production"
    assert web.get(OWN).status_code == 302 and web.get("/admin/").status_code == 302
    assert token.get(ME).status_code == key.get(ME).status_code == 401
    others = make_user(role="designer")
    assert browser(others).get("/admin/").status_code == with_token(others).get(ME).status_code == 200


@pytest.mark.parametrize("whose", ["blocked in production", "not active", "wrong password", "nobody"])
def test_a_refused_sign_in_looks_the_same_whoever_asks(production, whose):
    make_user(email="dev@example.test", role="developer", password=PASSWORD, is_active=whose != "not active")
    email = "nobody@example.test" if whose == "nobody" else "dev@example.test"
    password = "Wrong-Horse-8" if whose == "wrong password" else PASSWORD
    page = Client().post("/accounts/login/", {"login": email, "password": password})
    words = ["Invalid e-mail address or password. After five failed tries, wait 15 minutes before the next."]
    assert page.status_code == 200 and list(page.context["form"].non_field_errors()) == words
    answer = Client().post("/api/auth/login", {"email": email, "password": password}, content_type="application/json")
    assert answer.status_code == 401 and answer.json()["detail"] == "Invalid username or password"


@time_machine.travel(NOON, tick=False)
def test_an_administrator_admits_them_for_a_day_that_ends_without_any_job(production):
    admin, developer = make_user(role="admin"), make_user(role="developer")
    assert browser(admin).post(PAGE, {"hours": 24}).status_code == 302
    assert developers.admitted_until() == NOON + timedelta(hours=24)
    assert records("dev_role.production_enabled") == [{"hours": 24, "until": "2031-05-05T12:00:00+00:00"}]
    with time_machine.travel(NOON + timedelta(hours=23, minutes=59), tick=False):
        theirs, key = browser(developer), with_key(developer, "read")
        assert theirs.get(OWN).status_code == key.get(ME).status_code == 200
    with time_machine.travel(NOON + timedelta(hours=24, minutes=1), tick=False):
        for _ in range(3):
            assert theirs.get(OWN).status_code == 302 and key.get(ME).status_code == 401
        assert records("dev_role.production_disabled") == [{"reason": "expired", "until": "2031-05-05T12:00:00+00:00"}]


def test_by_the_api_too_and_by_an_administrator_only(production):
    admin = with_token(make_user(role="admin"), stepped_up=True)
    assert admin.put(ENDPOINT, {"allow": True, "duration_hours": 2}).body["allow"] is True
    theirs = browser(make_user(role="developer"))
    assert theirs.get(OWN).status_code == 200
    assert theirs.get(PAGE).status_code == theirs.post(PAGE, {"hours": 168}).status_code == 403
    assert with_token(make_user(role="developer"), stepped_up=True).put(ENDPOINT, {"allow": True, "duration_hours": 9}).status_code == 403
    assert admin.put(ENDPOINT, {"allow": False}).status_code == 200
    assert theirs.get(OWN).status_code == 302
    assert [one["reason"] for one in records("dev_role.production_disabled")] == ["stopped"]


def test_ended_on_the_console_it_ends_at_once(production):
    admin = browser(make_user(role="admin"))
    admin.post(PAGE, {"hours": 1})
    theirs = browser(make_user(role="developer"))
    assert "admitted until" in admin.get(PAGE).content.decode()
    admin.post(PAGE)
    assert theirs.get(OWN).status_code == 302


@pytest.mark.parametrize("hours", [0, -1, 169, 10**9, 1.5, "x", True])
def test_hours_are_whole_and_between_one_and_a_week(hours):
    with pytest.raises(ValidationError):
        developers.admit(make_user(role="admin"), hours)
    browser(make_user(role="admin")).post(PAGE, {"hours": str(hours)} if hours is not True else {"hours": "on"})
    assert developers.admitted_until() is None and not records("dev_role.production_enabled")


@pytest.mark.parametrize("role", ["developer", "designer", "member"])
def test_the_service_admits_for_nobody_but_an_administrator(role):
    with pytest.raises(Refused):
        developers.admit(make_user(role=role), 1)


def test_admitting_asks_for_a_fresh_proof():
    client = Client()
    client.force_login(make_user(role="admin"))
    assert "reauthenticate" in client.post(PAGE, {"hours": 1}).url and developers.admitted_until() is None


def test_every_request_of_an_admitted_developer_is_on_record(production):
    developers.admit(make_user(role="admin"), 1)
    developer = make_user(role="developer")
    web, key = browser(developer), with_key(developer, "read")
    web.get("/admin/")
    web.get("/no-such-page/")
    key.get(ME)
    rows = records("developer.request")
    assert [(row["method"], row["view"], row["status"]) for row in rows] == [
        ("GET", "admin:index", 200), ("GET", "", 404), ("GET", "api:my_permissions", 200)
    ]  # fmt: skip
    browser(make_user(role="designer")).get("/admin/")
    assert len(records("developer.request")) == 3


def test_the_configuration_may_admit_them_for_good(production, settings):
    settings.ALLOW_DEV_ROLE_IN_PRODUCTION = True
    page = browser(make_user(role="developer")).get(OWN).content.decode()
    assert "Developer role is temporarily active in production" in page and "Expires:" not in page
    assert len(records("developer.request")) == 1


def test_only_developers_read_the_banner(production):
    until = developers.admit(make_user(role="admin"), 1)
    words = f"{until:%Y-%m-%d %H:%M} UTC"
    assert words in browser(make_user(role="developer")).get("/admin/accounts/user/").content.decode()
    assert words not in browser(make_user(role="designer")).get("/admin/").content.decode()


def test_admitting_again_after_a_lapse_records_the_lapse_first(production):
    InstanceSettings.objects.create(dev_role_until=timezone.now() - timedelta(hours=1))
    developers.admit(make_user(role="admin"), 1)
    ours = Activity.objects.filter(action__startswith="dev_role.").order_by("recorded_at", "id")
    assert list(ours.values_list("action", flat=True)) == ["dev_role.production_disabled", "dev_role.production_enabled"]


NOTICE = """
from django.conf import settings
settings.ENVIRONMENT = "production"
from accounts.services import developers
print(developers.admitted())
"""


@pytest.mark.django_db(transaction=True)
def test_of_many_who_notice_the_end_at_once_one_records_it():
    InstanceSettings.objects.create(dev_role_until=timezone.now() - timedelta(seconds=1))
    assert processes.outputs(processes.start(NOTICE, times=4)) == ["False"] * 4
    assert Activity.objects.filter(action="dev_role.production_disabled").count() == 1


# --- the developer account of the configuration ------------------------------------------------------------------------


def test_without_the_configuration_there_is_no_developer_account():
    make_dev_user()
    assert not User.objects.exists()


def test_with_it_there_is_one_inactive_without_password_until_an_administrator_activates_it(settings):
    settings.CREATE_DEV_USER = True
    make_dev_user()
    make_dev_user()
    developer = User.objects.get()
    assert (developer.email, developer.role, developer.is_active) == ("developer@example.test", "developer", False)
    assert not developer.has_usable_password() and Activity.objects.get(action="user.created").actor_id is None
    admin = browser(make_user(role="admin"))
    admin.post("/admin/accounts/user/do/activate/", {"id": developer.pk})
    admin.post("/admin/accounts/user/do/send_reset/", {"id": developer.pk})
    developer.refresh_from_db()
    assert developer.is_active and mail.outbox[-1].to == ["developer@example.test"]
