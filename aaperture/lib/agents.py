"""A browser's User-Agent line in plain words: enough for somebody to recognise their own device, no more."""

import re

from django.utils.translation import gettext as _

# The first that fits wins: those who imitate others stand before whom they imitate.
PROGRAMS = (
    ("Edge", r"Edg(?:e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Version/[\d.]+ .*Safari/"),
    ("curl", r"^curl/"),
    ("Python", r"^python-|^Python/|httpx/|aiohttp/"),
    ("Go", r"^Go-http-client/"),
    ("Java", r"^Java/|okhttp/"),
    ("Postman", r"^PostmanRuntime/"),
)
SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("ChromeOS", r"CrOS"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux|X11"),
)


def describe_agent(agent: str) -> str:
    """For instance "Firefox on Windows"; what cannot be told is left out, and nothing at all is an unknown program."""
    program, system = _first(PROGRAMS, agent), _first(SYSTEMS, agent)
    if program and system:
        return _("%(program)s on %(system)s") % {"program": program, "system": system}
    return program or system or _("Unknown program")


def _first(table: tuple[tuple[str, str], ...], agent: str) -> str:
    return next((name for name, pattern in table if re.search(pattern, agent)), "")
