"""Cleanups and backups as staff meet them: console, API, and who may (R-111, R-194, R-195)."""

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Session
from accounts.roles import Role
from audit.models import Activity
from operations.models import Backup, CleanupRun
from operations.services import backups, maintenance
from tests.accounts.people import make_user, step_up
from tests.api.caller import with_key, with_token

CLEANUPS, BACKUPS = "/admin/operations/cleanups/", "/admin/operations/backups/"


@pytest.fixture(autouse=True)
def configured(settings, tmp_path):
    settings.BACKUPS, settings.BACKUP_KEY = str(tmp_path), "backups-of-tests-" + "q7" * 20


def signed_in(role: str = Role.ADMIN, *, proved: bool = True) -> Client:
    client, user = Client(), make_user(role=role)
    client.force_login(user)
    if proved:
        step_up(client, user)
    return client


@pytest.mark.django_db
def test_a_cleanup_says_what_would_go_before_it_is_run():
    Session.objects.create(session_key="old", session_data="x", expire_date=timezone.now())
    web = signed_in(Role.DEVELOPER)
    shown = web.get(CLEANUPS).content.decode()
    assert all(name in shown for name in ("cleanup.activity_logs", "cleanup.all")) and "never" in shown and "every 2s" not in shown
    asked = web.get(f"{CLEANUPS}?start=cleanup.orphaned_data")
    assert "<li>Expired sessions: 1</li>" in asked.content.decode() and not CleanupRun.objects.exists()
    assert web.post(f"{CLEANUPS}?start=cleanup.orphaned_data").url == CLEANUPS
    run = CleanupRun.objects.get()
    assert run.trigger == "manual" and Activity.objects.get(action="cleanup.requested").details["cleanup"] == "cleanup.orphaned_data"
    assert "every 2s" in web.get("/console/cleanups").content.decode()
    maintenance.carry_out(run.pk)
    done = web.get("/console/cleanups").content.decode()
    assert "expired sessions: 1" in done and "every 2s" not in done
    assert web.get(f"{CLEANUPS}?start=cleanup.users").status_code == 404


@pytest.mark.django_db
def test_a_schedule_is_edited_there():
    web = signed_in()
    page = f"{CLEANUPS}?schedule=cleanup.all"
    assert "only by hand" in web.get(page).content.decode()
    assert "Write times as" in web.post(page, {"schedule": "noon"}).content.decode()
    assert web.post(page, {"schedule": "05:00"}).url == CLEANUPS
    assert web.post(f"{BACKUPS}?schedule=backup", {"schedule": "01:00,13:00"}).url == BACKUPS
    jobs = maintenance.jobs()
    assert jobs["cleanup.all"].schedule == "05:00" and jobs["backup"].schedule == "01:00,13:00" and jobs["backup"].next_run_at


@pytest.mark.django_db(transaction=True)
def test_an_administrator_backs_up_with_a_fresh_proof_and_sees_how_far_it_is(settings):
    hasty = signed_in(proved=False)
    assert "reauthenticate" in hasty.post(BACKUPS).url and not Backup.objects.exists()
    web = signed_in()
    empty = web.get(BACKUPS).content.decode()
    assert "There is no backup yet." in empty and "manage.py restore" in empty and "ERASURE_LEDGER" in empty
    assert web.post(BACKUPS).url == BACKUPS
    Backup.objects.update(status="running", started_at=timezone.now(), done=1200, total=5000)
    assert "1,200 of about 5,000 rows" in web.get("/console/backups").content.decode()
    made = backups.carry_out(Backup.objects.get().pk)
    shown = web.get(BACKUPS).content.decode()
    assert made.name in shown and "Whole" in shown and "every 2s" not in shown
    Backup.objects.create(status="failed", error="OSError")
    assert "failed (OSError)" in web.get(BACKUPS).content.decode()
    settings.BACKUP_KEY = ""
    assert "Nothing is backed up." in web.get(BACKUPS).content.decode()
    assert "Backups are not configured" in web.post(BACKUPS, follow=True).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.ADMIN, Role.DEVELOPER, Role.EXECUTOR, Role.VIEWER, Role.MEMBER])
def test_who_may(role):
    web, api = signed_in(role), with_token(make_user(role=role), stepped_up=True)
    for allowed, path, fragment, resource, body in (
        (role in {Role.ADMIN, Role.DEVELOPER}, CLEANUPS, "/console/cleanups", "cleanups", {"name": "cleanup.all"}),
        (role == Role.ADMIN, BACKUPS, "/console/backups", "backups", {}),
    ):
        for page in (path, fragment):
            assert web.get(page).status_code == (200 if allowed else 403), page
        assert api.get(f"/api/v1/admin/{resource}").status_code == (200 if allowed else 403)
        assert api.post(f"/api/v1/admin/{resource}", body).status_code == (202 if allowed else 403)
    assert web.post(f"{CLEANUPS}?start=cleanup.all").status_code == (302 if role in {Role.ADMIN, Role.DEVELOPER} else 403)
    assert CleanupRun.objects.count() == (1 if role in {Role.ADMIN, Role.DEVELOPER} else 0)
    assert Backup.objects.count() == (1 if role == Role.ADMIN else 0)


@pytest.mark.django_db
def test_the_api_counts_first_and_wants_a_proof_for_a_backup(settings):
    Session.objects.create(session_key="old", session_data="x", expire_date=timezone.now())
    admin = make_user(role=Role.ADMIN)
    plain, proved = with_token(admin), with_token(admin, stepped_up=True)
    counted = proved.post("/api/v1/admin/cleanups", {"name": "cleanup.orphaned_data", "dry_run": True})
    assert counted.status_code == 200 and counted.json()["counts"]["sessions"] == 1 and not CleanupRun.objects.exists()
    assert proved.post("/api/v1/admin/cleanups", {"name": "cleanup.users"}).status_code == 400
    listed = proved.get("/api/v1/admin/cleanups").json()
    assert [row["name"] for row in listed][-1] == "cleanup.all" and listed[0]["schedule"] == "04:00" and listed[0]["latest"] is None
    assert plain.post("/api/v1/admin/backups", {}).status_code == 403
    assert with_key(admin).post("/api/v1/admin/backups", {}).status_code == 403, "a key proves nobody's presence"
    first, second = (proved.post("/api/v1/admin/backups", {}) for _ in range(2))
    assert (first.status_code, first.json()["id"]) == (202, second.json()["id"])
    assert proved.get("/api/v1/admin/backups").json()["results"][0]["status"] == "queued"
    Backup.objects.all().delete()
    settings.BACKUPS = ""
    assert proved.post("/api/v1/admin/backups", {}).status_code == 409


@pytest.mark.django_db
def test_a_part_of_a_page_opened_by_itself_leads_to_its_page():
    web = signed_in()
    for part, page in (
        ("figures", ""),
        ("keys", "operations/keys/"),
        ("cleanups", "operations/cleanups/"),
        ("backups", "operations/backups/"),
        ("monitoring", "operations/monitoring/"),
    ):
        opened = web.get(f"/console/{part}", headers={"Sec-Fetch-Mode": "navigate"})
        assert opened.status_code == 302 and opened["Location"] == f"/admin/{page}" and "Sec-Fetch-Mode" in opened["Vary"]
    assert signed_in(Role.MEMBER).get("/console/keys", headers={"Sec-Fetch-Mode": "navigate"}).status_code == 403
