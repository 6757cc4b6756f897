"""The operator console's look."""

import re

import pytest
from playwright.sync_api import expect

from accounts.roles import Role
from audit.services import record
from tests.accounts.people import make_user
from tests.pages.look import LANGUAGES, PICTURES, look_at, overflow

# Accessibility faults of Django's own markup that we let pass, by rule: none on the pages below.
KNOWN: frozenset[str] = frozenset()


@pytest.fixture
def admin_user(transactional_db):
    return make_user(email="admin@example.test", name="", role=Role.ADMIN)


def _lists(page, live_server) -> list[str]:
    """The lists that the console's first page offers."""
    page.goto(live_server.url + "/admin/")
    links = page.locator("#content-main tr th a")
    return [live_server.url + link.get_attribute("href") for link in links.all()]


def _forms(page) -> list[str]:
    """The forms for something new; the page shown is the console's first."""
    origin = "/".join(page.url.split("/")[:3])
    return [origin + link.get_attribute("href") for link in page.locator("#content-main a.addlink").all()]


@pytest.mark.timeout(400)  # some twenty pages in four looks
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_list_and_form_of_the_console_is_sound_in_every_look(page, axe, live_server, login, admin_user, language):
    admin_user.language = language
    admin_user.save(update_fields=["language"])
    login(admin_user)
    faults = []
    lists = _lists(page, live_server)
    one = live_server.url + f"/admin/accounts/user/{admin_user.pk}/change/"
    for url in [live_server.url + "/admin/", *lists, *_forms(page), one]:
        # without preload: axe would copy Django's @import-ed sheets into an inline style, which the policy refuses
        faults += look_at(page, axe, url, known=KNOWN, preload=False)
    assert faults == []


def test_a_filter_narrows_the_list(page, live_server, login, admin_user):
    make_user(email="camille@example.test")
    login(admin_user)
    page.goto(live_server.url + "/admin/accounts/user/")
    page.locator("summary", has_text="Role").click()
    page.get_by_role("navigation", name="Filter").get_by_role("link", name="Member").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("camille@example.test")


def test_the_console_offers_lists(page, live_server, login, admin_user):
    login(admin_user)
    assert len(_lists(page, live_server)) >= 4


def test_the_first_page_shows_figures_of_what_one_may_list(page, axe, live_server, login, admin_user):
    login(admin_user)
    page.goto(live_server.url + "/admin/")
    expect(page.locator(".kpi")).to_have_count(7)
    assert page.locator(".kpi").first.inner_text().split("\n")[:2] == ["Active accounts", "1"]
    assert axe() == []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflow(page) == ""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/console-figures.png", full_page=True)


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "count"), [(Role.ADMIN, 7), (Role.EXECUTIVE, 2), (Role.VIEWER, 1), (Role.EXECUTOR, 4)])
def test_figures_follow_the_matrix(client, django_assert_max_num_queries, role, count):
    client.force_login(make_user(role=role))
    with django_assert_max_num_queries(22):
        answer = client.get("/console/figures")
    assert answer.content.decode().count('class="kpi"') == count


@pytest.mark.django_db
def test_figures_are_for_staff_only(client):
    client.force_login(make_user())
    assert client.get("/console/figures").status_code == 403


def test_a_long_list_is_walked_by_its_links_and_a_day(page, axe, live_server, login, admin_user):
    for _ in range(60):
        record("user.updated", admin_user, actor=admin_user)
    login(admin_user)
    faults = look_at(page, axe, live_server.url + "/admin/audit/activity/?action=user.updated", known=KNOWN, preload=False)
    pages = page.get_by_role("navigation", name="Pages")
    pages.get_by_role("link", name="Older").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(10)
    pages.get_by_role("link", name="Newest").click()
    page.get_by_label("From this day back").fill("2020-01-01")
    page.get_by_role("button", name="Go").click()
    expect(page).to_have_url(re.compile("2020-01-01"))
    expect(rows).to_have_count(0)
    assert "action=user.updated" in page.url
    pages.get_by_role("link", name="Newest").click()
    page.locator("#searchbar").fill("admin@example.test")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile("q=admin"))
    expect(rows).to_have_count(50)
    assert faults == []
