"""`/settings/privacy/` and what belongs to it, in every look; and the way through it with a browser."""

import zipfile

import pytest
from django.utils import timezone

from aaperture.lib.uuid7 import uuid7
from accounts.models import Consent, Membership, Organization
from operations.models import DataExport, Erasure
from operations.services import erasures, exports
from tests.accounts.people import PASSWORD, make_user, step_up
from tests.pages.look import LANGUAGES, look_at, overflow, speak
from tests.tracker.boards import fill_board

PAGE = "/settings/privacy/"


@pytest.fixture
def camille(transactional_db):
    user = make_user(email="camille@example.test", password=PASSWORD)
    fill_board(user, 4)
    Consent.objects.create(user=user, purpose="gmail.read", text_version="2026-11")
    Consent.objects.create(user=user, purpose="gmail.read", text_version="2026-10", withdrawn_at=timezone.now())
    return user


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_sound_in_every_look(page, axe, live_server, login, camille, client, language):
    camille.language = language
    camille.save(update_fields=["language"])
    login(camille)
    step_up(client, camille)
    consent = Consent.objects.get(withdrawn_at=None)
    urls = [PAGE, f"{PAGE}export/", f"{PAGE}mail/", f"{PAGE}consents/{consent.pk}/withdraw/", f"{PAGE}erase/"]
    assert [look_at(page, axe, live_server.url + url) for url in urls] == [[]] * 5
    export = DataExport.objects.create(user=camille, total=25, done=7, status="building", claimed_until=timezone.now())
    assert look_at(page, axe, live_server.url + PAGE) == []
    exports.build(export.pk)
    assert look_at(page, axe, live_server.url + PAGE) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_plan_that_is_blocked_and_the_pages_outside_are_sound(page, axe, live_server, login, camille, client, language):
    camille.language = language
    camille.save(update_fields=["language"])
    Membership.objects.create(organization=Organization.objects.get(memberships__user=camille), user=make_user(), role="assistant")
    login(camille)
    step_up(client, camille)
    assert look_at(page, axe, f"{live_server.url}{PAGE}erase/") == []
    page.context.clear_cookies()
    speak(page, live_server.url, language)
    erasure = Erasure.objects.create(account_id=make_user().pk, status="waiting", due_at=timezone.now() + Erasure.GRACE)
    path = erasures.withdrawal_url(erasure).partition("/keep-account/")[2]
    assert look_at(page, axe, f"{live_server.url}/keep-account/{path}") == []
    assert look_at(page, axe, f"{live_server.url}/account-closed/") == []
    assert look_at(page, axe, f"{live_server.url}/keep-account/forged/", status=404) == []
    page.problems[:] = [problem for problem in page.problems if "404" not in problem[1]]  # the browser's own line about the status


def test_a_copy_is_asked_for_watched_and_downloaded(page, live_server, login, camille, tmp_path):
    login(camille)
    page.clock.install()
    page.goto(live_server.url + PAGE)
    page.get_by_role("link", name="Make a copy").click()
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Make the copy").click()
    page.get_by_text("about to be put together").wait_for()
    exports.build(DataExport.objects.get().pk)
    page.clock.run_for(2_100)
    page.get_by_text("is ready").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "copy.zip")
    assert "index.html" in zipfile.ZipFile(tmp_path / "copy.zip").namelist()


def test_the_index_of_a_copy_is_a_sound_page(page, axe, camille, tmp_path):
    export = DataExport.objects.create(user=camille)
    exports.build(export.pk)
    with (tmp_path / "copy.zip").open("wb") as file:
        file.writelines(exports.archive.opened(export))
    zipfile.ZipFile(tmp_path / "copy.zip").extractall(tmp_path)
    page.allowed_origins.append(f"file://{tmp_path}")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"file://{tmp_path}/index.html")
        assert overflow(page) == "" and axe() == []


def test_an_account_is_closed_and_kept_after_all(page, live_server, login, camille, mailoutbox):
    login(camille)
    page.goto(f"{live_server.url}{PAGE}")
    page.get_by_role("link", name="Delete the account").click()
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Delete my account").click()
    page.get_by_role("heading", name="Your account is closed").wait_for()
    erasure = Erasure.objects.get()
    erasures.carry_on(erasure.pk)
    link = next(line for line in mailoutbox[-1].body.splitlines() if "/keep-account/" in line)
    page.goto(live_server.url + "/keep-account/" + link.partition("/keep-account/")[2])
    page.get_by_role("button", name="Keep my account").click()
    page.get_by_text("Your account stays.").wait_for()
    erasure.refresh_from_db()
    assert erasure.status == "withdrawn"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_data_protection_desk_is_sound_in_every_look(page, axe, live_server, login, camille, client, language):
    admin = make_user(role="admin", email="admin@example.test", language=language)
    DataExport.objects.create(user=camille, status="ready", requested_by=admin, expires_at=timezone.now() + DataExport.KEPT_FOR)
    Erasure.objects.create(account_id=camille.pk, status="waiting", due_at=timezone.now() - Erasure.GRACE)
    Erasure.objects.create(account_id=uuid7(), status="done", due_at=timezone.now())
    login(admin)
    step_up(client, admin)
    desk = f"{live_server.url}/admin/operations/data-protection/"
    urls = [desk, f"{desk}?start=export", f"{desk}?start=erasure"]
    assert [look_at(page, axe, url, preload=False) for url in urls] == [[]] * 3
