"""The look of the monitoring page, quiet and in trouble, and that it measures anew by itself."""

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from operations.models import DataExport
from tests.accounts.people import make_user
from tests.operations.test_monitoring import trouble
from tests.pages.look import LANGUAGES, look_at

PAGE = "/admin/operations/monitoring/"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_monitoring_page_is_sound_in_every_look(page, login, axe, live_server, language):
    login(make_user(email="operator@example.test", name="", role=Role.EXECUTOR, language=language))
    trouble()
    assert look_at(page, axe, live_server.url + PAGE, preload=False) == []
    page.get_by_text({"en": "What to do now", "fr": "Que faire maintenant"}[language]).first.wait_for()


def test_the_figures_come_anew_without_a_reload(page, login, live_server):
    login(make_user(email="operator@example.test", name="", role=Role.EXECUTOR))
    page.clock.install()
    page.goto(live_server.url + PAGE)
    row = page.locator("#work tr", has_text="Copies of somebody’s data")
    expect(row.locator("td").first).to_have_text("0")
    link = page.get_by_role("link", name="Measure now")
    link.focus()
    DataExport.objects.create(user=make_user())
    page.clock.run_for(10_500)
    page.locator("#work tr", has_text="1, the oldest for").wait_for()
    expect(link).to_be_focused()  # whoever stood there goes on from there
