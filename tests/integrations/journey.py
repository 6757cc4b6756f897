"""The way a person goes: our pages, Google's answer, our pages again."""

from typing import Any
from urllib.parse import urlsplit

from django.test import Client
from django.urls import reverse

from sandbox.server import SandboxServer


def decide(sandbox: SandboxServer, web: Client, **decision: Any) -> Any:
    """Ask for the grant and answer at Google; the callback's response."""
    asked = web.post(reverse("integrations:gmail_connect"), decision.pop("form", {}))
    assert asked.status_code == 302, asked.content
    back = sandbox.control("POST", "/authorize", {"url": asked["Location"], **decision})["redirect"]
    parts = urlsplit(back)
    return web.get(f"{parts.path}?{parts.query}")
