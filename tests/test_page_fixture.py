"""The `page` fixture must notice what it promises to notice, or every browser test is worth less."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.look import look_at


def until(page: Any, what: Callable[[], object]) -> None:
    """What the browser reports arrives while Playwright waits for something."""
    for _ in range(3000):
        if what():
            return
        page.wait_for_timeout(10)


def test_it_notices_what_the_policy_forbids(page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/privacy/")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))")
    until(page, lambda: len({kind for kind, _ in page.problems}) > 1)
    assert page.evaluate("window.ran") is None
    assert {kind for kind, _ in page.problems} == {"csp", "console"}
    page.problems.clear()


def test_it_notices_script_errors(page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/privacy/")
    page.evaluate("setTimeout(() => { throw new Error('broken') })")
    until(page, lambda: page.problems)
    assert page.problems == [("script", "broken")]
    page.problems.clear()


def test_it_notices_requests_to_other_hosts(page: Any) -> None:
    with pytest.raises(Exception, match="ERR_"):
        page.goto("http://127.0.0.1:9/elsewhere")
    assert ("foreign", "http://127.0.0.1:9/elsewhere") in page.problems
    page.problems.clear()


FAULTY = """<!doctype html><html lang="en"><title>Faulty</title><style>
p { color: #222; background: #fff; transition: color 9s }
img { display: none }
@media (prefers-color-scheme: dark) { img { display: block } }
@media (max-width: 400px) {
  h1 { width: 600px }
  @media (prefers-color-scheme: dark) { p { color: #eee } }
}
</style><main><h1>Faulty</h1><p>Hard to read at night on a phone.</p><img src="data:,"></main></html>"""


def test_each_look_notices_what_only_it_shows(page: Any, axe: Any, live_server: Any) -> None:
    page.route("**/faulty", lambda route: route.fulfill(content_type="text/html", body=FAULTY))
    assert look_at(page, axe, live_server.url + "/faulty", status=204) == [
        "faulty: answered 200",
        "faulty at 1280 px, dark: image-alt [['img']]",
        "faulty at 390 px, light: too wide because of H1.",
        "faulty at 390 px, dark: too wide because of H1.",
        "faulty at 390 px, dark: color-contrast [['p']]",
        "faulty at 390 px, dark: image-alt [['img']]",
    ]
