"""The console's pages of backups and cleanups, in each of their states."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.roles import Role
from operations.models import Backup, CleanupRun
from operations.tasks import make_backup
from tests.accounts.people import make_user, step_up
from tests.pages.look import LANGUAGES, TWO_LOOKS, look_at

CLEANUPS, BACKUPS = "/admin/operations/cleanups/", "/admin/operations/backups/"


@pytest.fixture
def admin_user(transactional_db, settings, tmp_path):
    settings.BACKUPS, settings.BACKUP_KEY = str(tmp_path), "backups-of-tests-" + "q7" * 20
    return make_user(email="admin@example.test", name="", role=Role.ADMIN)


@pytest.fixture
def signed_in(page, login, client, admin_user):
    """An administrator's browser, fresh from a step-up."""
    login(admin_user)
    step_up(client, admin_user)
    return page


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_pages_are_sound_in_every_state(signed_in, axe, live_server, admin_user, settings, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    now = timezone.now()

    def look(path: str) -> list[str]:
        return look_at(signed_in, axe, live_server.url + path, looks=TWO_LOOKS, preload=False)

    faults = look(BACKUPS)  # none yet, and no ledger
    Backup.objects.create(name="20261121T023000Z-0a1b2c3d", status="done", finished_at=now, rows=1_204_332, size=183_000_000)
    Backup.objects.create(name="20261122T023000Z-0a1b2c3d", status="failed", error="EndpointConnectionError", finished_at=now)
    Backup.objects.create(status="running", started_at=now, done=400_000, total=1_200_000)
    CleanupRun.objects.create(name="cleanup.orphaned_data", status="done", finished_at=now, counts={"sessions": 1200, "data_keys": 1})
    CleanupRun.objects.create(name="cleanup.temp_files", status="failed", finished_at=now)
    faults += look(BACKUPS) + look(CLEANUPS) + look(f"{CLEANUPS}?start=cleanup.all")
    settings.BACKUP_KEY = ""
    assert faults + look(BACKUPS) == []


def test_an_administrator_backs_up_by_one_button_and_watches_it_end(signed_in, live_server, monkeypatch):
    asked = []
    monkeypatch.setattr(make_backup, "apply_async", lambda args, **_options: asked.append(args[0]))
    page = signed_in
    page.clock.install()
    page.goto(live_server.url + "/admin/")
    page.locator("#content-main").get_by_role("link", name="Backups", exact=True).click()
    page.get_by_role("button", name="Back up now").click()
    page.get_by_text("The backup waits for a worker.").wait_for()
    make_backup(asked[0])
    page.clock.run_for(2_100)
    page.get_by_text("manage.py restore").wait_for()
    row = page.get_by_role("row").filter(has_text="by hand")
    row.get_by_text("Whole").wait_for()
    expect(page.get_by_role("button", name="Back up now")).to_be_visible()
