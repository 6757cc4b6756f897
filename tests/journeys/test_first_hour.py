"""A newcomer's first minutes in a real browser, with a real worker: sign in with Google, connect Gmail, scan, see the board."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from aaperture.celery import app
from sandbox.server import SandboxServer
from tests.pages.look import overflow

QUEUES = ("celery", "runs")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def demo(live_server: Any, settings: Any, page: Any) -> Iterator[SandboxServer]:
    """The sandbox with its demo mailbox; product, worker and browser all know it by configuration alone."""
    from integrations import google_oauth

    with SandboxServer() as server:
        settings.GOOGLE_ISSUER = settings.GOOGLE_API_ROOT = server.url
        settings.PUBLIC_URL = live_server.url
        app = settings.SOCIALACCOUNT_PROVIDERS["openid"]["APPS"][0]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid": {"APPS": [app | {"settings": app["settings"] | {"server_url": server.url}}]}}
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives | {"form-action": [*directives["form-action"], server.url]}}
        google_oauth.documents.clear()
        page.allowed_origins.append(server.url)
        yield server


@pytest.fixture
def worker(demo: SandboxServer) -> Iterator[None]:
    """A Celery worker of its own, on this test's database; what tests before this one left in its queues is none of its business."""
    with app.connection_for_write() as broker:
        for queue in QUEUES:
            broker.default_channel.queue_purge(queue)
    environment = os.environ | {"GOOGLE_ISSUER": demo.url, "GOOGLE_API_ROOT": demo.url, "DJANGO_SETTINGS_MODULE": "aaperture.settings"}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "aaperture",
        "worker",
        "--pool=solo",
        f"--queues={','.join(QUEUES)}",
        "--loglevel=warning",
        "--without-gossip",
    ]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    yield
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def test_from_the_front_door_to_the_board(page, live_server, demo, worker, axe):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(live_server.url + "/")
    page.get_by_role("button", name="Continue with Google").click()
    page.get_by_role("button", name=re.compile("camille@example.test")).click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(live_server.url + "/")

    page.get_by_role("link", name="Connect Gmail").first.click()
    page.get_by_role("button", name=re.compile("continue to Google")).click()
    page.get_by_role("button", name=re.compile("camille@example.test")).click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile(r"/connections/"))

    expect(page.get_by_role("link", name="See your board").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="See your board").first.click()
    page.wait_for_url(re.compile(r"/opportunities/"))
    from tracker.models import Opportunity, Signal

    assert Opportunity.objects.count() >= 20 and Signal.objects.count() >= 30
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflow(page) == "" and axe() == []
    asked = {request.get("api", "") for request in demo.control("GET", "/requests")["requests"]}
    assert not any("attachments" in name for name in asked)


def test_refusing_at_google_is_understood(page, live_server, demo):
    page.goto(live_server.url + "/accounts/login/")
    page.get_by_role("button", name="Continue with Google").click()
    page.get_by_role("button", name=re.compile("camille@example.test")).click()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(live_server.url + "/**")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
