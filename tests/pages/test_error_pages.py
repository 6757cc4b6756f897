"""What somebody sees when a request ends badly."""

import pytest

from tests.accounts.people import make_user
from tests.pages.look import LANGUAGES, look_at, speak

pytestmark = pytest.mark.urls("tests.pages.broken_urls")

ENDINGS = [("400", 400), ("403", 403), ("csrf", 403), ("429", 429), ("500", 500)]


def _forgive(page, status: int) -> None:
    """The browser's own line about the status is expected here; nothing else is."""
    page.problems[:] = [problem for problem in page.problems if str(status) not in problem[1]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "status"), ENDINGS)
def test_an_error_page_is_sound_in_every_look_and_gives_a_reference(page, axe, live_server, name, status, language):
    speak(page, live_server.url, language)
    faults = look_at(page, axe, f"{live_server.url}/broken/{name}/", status=status)
    _forgive(page, status)
    assert faults == []
    assert page.locator("code").inner_text().count("-") == 4
    assert page.locator("html").get_attribute("lang") == language
    assert "on purpose" not in page.content()


def test_an_unknown_address_answers_404_with_a_reference(page, axe, live_server):
    faults = look_at(page, axe, live_server.url + "/nothing/here/", status=404)
    _forgive(page, 404)
    assert faults == []
    assert page.locator("code").inner_text().count("-") == 4


def test_an_error_page_works_for_somebody_signed_in(page, axe, live_server, login, transactional_db):
    login(make_user())
    faults = look_at(page, axe, f"{live_server.url}/broken/403/", status=403)
    _forgive(page, 403)
    assert faults == []
