"""The console's page of keys and secrets, in each of its states."""

import os
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.roles import Role
from accounts.services import api_keys
from audit.services import record
from operations.services import key_rotation
from operations.tasks import rotate_keys
from tests.accounts.people import make_user, step_up
from tests.audit.sealed import seal_all
from tests.operations.rings import forget, new_entry, people, use
from tests.pages.look import LANGUAGES, look_at
from vault.models import KeyRotation, KnownSecret

PAGE = "/admin/operations/keys/"


@pytest.fixture(autouse=True)
def fresh_keys():
    forget()
    yield
    forget()


@pytest.fixture
def admin_user(transactional_db):
    return make_user(email="admin@example.test", name="", role=Role.ADMIN)


@pytest.fixture
def signed_in(page, login, client, admin_user):
    """An administrator's browser, fresh from a step-up."""
    login(admin_user)
    step_up(client, admin_user)
    return page


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_keys_is_sound_in_every_state_and_look(signed_in, axe, live_server, admin_user, settings, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    old, new = os.environ["ENCRYPTION_KEYS"], new_entry("k20261122-second-of-the-day")
    api_keys.create(admin_user, name="Back-up", scopes=["read"], days=30)
    people(3)
    record("settings.changed")
    seal_all()
    url = live_server.url + PAGE
    faults = look_at(signed_in, axe, url, preload=False)  # nothing to do
    use(settings, f"{new},{old}")
    faults += look_at(signed_in, axe, url, preload=False)  # to be rotated
    asked = key_rotation.ask_for_rotation()
    KeyRotation.objects.update(started_at=timezone.now(), before={"test1": 9})
    faults += look_at(signed_in, axe, url, preload=False)  # under way
    key_rotation.carry_out(asked.pk)
    seal_all()
    KnownSecret.objects.update(first_seen_at=timezone.now() - timedelta(days=91))
    faults += look_at(signed_in, axe, url, preload=False)  # may go, and much is overdue
    assert faults == []


def test_an_administrator_rotates_by_one_button_and_watches_it_end(signed_in, live_server, settings, monkeypatch):
    people(3)
    use(settings, f"{new_entry('new1')},{os.environ['ENCRYPTION_KEYS']}")
    asked = []
    monkeypatch.setattr(rotate_keys, "apply_async", lambda args, **_options: asked.append(args[0]))
    page = signed_in
    page.clock.install()
    page.goto(live_server.url + "/admin/")
    page.locator("#content-main").get_by_role("link", name="Keys and secrets").click()
    page.get_by_role("button", name="Rotate now").click()
    page.get_by_text("The rotation waits for a worker.").wait_for()
    rotate_keys(asked[0])
    seal_all()
    page.clock.run_for(2_100)
    page.get_by_text("Nothing depends on the older keys any more.").wait_for()
    expect(page.get_by_role("row").filter(has_text="test1").first).to_contain_text("may go")


def test_the_first_page_warns_of_old_secrets_and_leads_to_them(signed_in, axe, live_server):
    page = signed_in
    page.goto(live_server.url + PAGE)
    KnownSecret.objects.update(first_seen_at=timezone.now() - timedelta(days=91))
    page.goto(live_server.url + "/admin/")
    page.locator(".console-reminder", has_text="older than 90 days").get_by_role("link").click()
    page.get_by_role("heading", name="Secrets of the configuration").wait_for()
    expect(page.get_by_text("overdue").nth(3)).to_be_attached()
