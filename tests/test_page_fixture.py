"""The `page` fixture must notice what it promises to notice, or every browser test is worth less."""

from typing import Any

import pytest


def test_it_notices_what_the_policy_forbids(page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/privacy/")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = true'}))")
    page.wait_for_timeout(100)
    assert page.evaluate("window.ran") is None
    assert {kind for kind, _ in page.problems} == {"csp", "console"}
    page.problems.clear()


def test_it_notices_script_errors(page: Any, live_server: Any) -> None:
    page.goto(f"{live_server.url}/privacy/")
    page.evaluate("setTimeout(() => { throw new Error('broken') })")
    page.wait_for_timeout(100)
    assert ("script", "broken") in page.problems
    page.problems.clear()


def test_it_notices_requests_to_other_hosts(page: Any) -> None:
    with pytest.raises(Exception, match="ERR_"):
        page.goto("http://127.0.0.1:9/elsewhere")
    assert ("foreign", "http://127.0.0.1:9/elsewhere") in page.problems
    page.problems.clear()
