"""What the security documents say is true of the code (R-223 … R-233): tests they name exist, periods and third parties agree."""

import ast
import importlib
import re
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.test import Client
from django.urls import get_resolver
from django.urls.converters import PathConverter

from audit.actions import ACTIONS
from operations.security_check import CHECKS
from tests.urlconf import every_url

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs/security"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PRODUCT = ("aaperture", "accounts", "audit", "billing", "documents", "integrations", "mailing", "operations", "studio", "tracker", "vault")
FOLDERS = (*PRODUCT, "bench", "deploy", "docs", "sandbox", "scripts", "static", "templates", "tests", r"\.github")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
OWN_HOSTS = {"localhost", "127.0.0.1", "link.invalid"}  # the last one stands in for an address while Markdown is cleaned


def text(name: str) -> str:
    return (DOCS / name).read_text()


def rows(name: str, heading: str = "") -> list[list[str]]:
    """The cells of the tables below a heading, or of the whole page."""
    part = text(name)
    if heading:
        part = part.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and not line.startswith("| --- ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@cache
def functions_of(path: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}


# --- names and links ------------------------------------------------------------------------------------------------------


def test_every_test_that_a_document_names_exists():
    named = [(page.name, *found) for page in PAGES for found in NAMED_TEST.findall(page.read_text())]
    assert len(named) > 80
    assert [one for one in named if not (ROOT / one[1]).exists() or one[2] not in functions_of(one[1])] == []


@pytest.mark.parametrize("heading", ["CASA, tier 2", "OWASP Top 10 (2021)", "ASVS 4.0.3, by chapter", "SOC 2, trust services criteria"])
def test_every_line_of_the_standards_names_its_proof(heading):
    found = [line for line in rows("standards.md", heading) if line[0] or line[-1] != "proof"]
    assert len(found) >= 5
    assert [line[:2] for line in found if line[-1] != "proof" and not (NAMED_TEST.search(line[-1]) or "](" in line[-1])] == []


def test_every_requirement_of_casa_has_its_line():
    sections = {
        "1.1": 3,
        "1.2": 1,
        "1.3": 4,
        "2.1": 1,
        "2.2": 3,
        "2.3": 4,
        "2.4": 1,
        "3.1": 6,
        "3.2": 2,
        "3.3": 1,
        "4.1": 4,
        "5.1": 10,
        "5.2": 1,
    }
    sections |= {f"6.{n}": 1 for n in range(1, 8)} | {"7.1": 2, "7.2": 3, "7.3": 2}
    wanted = {f"{section}.{n}" for section, last in sections.items() for n in range(1, last + 1)}
    listed = {line[0] for line in rows("standards.md", "CASA, tier 2")}
    assert wanted - listed == {"7.1.2", "7.3.1"}, "these are for those who send webhooks, and the page says so"
    assert "7.1.2 and 7.3.1 concern those who send" in text("standards.md")


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_no_link_between_pages_is_broken_and_none_leads_past_its_heading():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text()):
            name, _hash, anchor = target.partition("#")
            other = (page.parent / name).resolve() if name else page
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE) if other.suffix == ".md" and other.exists() else []
            if not other.exists() or (anchor and anchor not in map(slug, headings)):
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_every_security_page_is_reached_from_the_front_pages():
    front = (ROOT / "README.md").read_text() + (ROOT / "SECURITY.md").read_text()
    assert [page.name for page in DOCS.glob("*.md") if f"docs/security/{page.name}" not in front] == []


def test_files_that_pages_name_exist():
    pages = "".join(page.read_text() for page in PAGES)
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`", pages)
    made = [name for name in named if name.startswith("deploy/secrets/")]  # by deploy/make_secrets.sh
    assert len(named) > 40 and [name for name in named if name not in made and not (ROOT / name).exists()] == []


def test_names_of_code_that_pages_use_are_there():
    pages = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(rf"`((?:{'|'.join(PRODUCT)})(?:\.\w+)+)(?:\(\w*\))?`", pages))
    others = {name for name in named if name in ACTIONS or name.endswith(".com")}  # these, and hosts, may begin like an app
    assert len(named - others) > 15
    labels = {model._meta.label for model in apps.get_models()}
    for name in sorted(named - others - labels):
        value_of(name)


def test_commands_that_pages_name_exist_with_their_options():
    pages = "".join(page.read_text() for page in PAGES)
    named = re.findall(r"manage\.py ([a-z_]+)((?: \[?--[a-z-]+\]?)*)", pages)
    assert len(named) > 20
    for command, options in named:
        app = get_commands()[command]
        loaded = load_command_class(app, command) if isinstance(app, str) else app
        known = loaded.create_parser("manage.py", command)._option_string_actions
        assert [option for option in re.findall(r"--[a-z-]+", options) if option not in known] == [], command


def test_every_table_of_a_page_has_its_heading():
    """A line without a heading above it is not drawn as a row."""
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
            assert len(table.splitlines()) > 1 and set(table.splitlines()[1]) <= set("|-: "), f"{page.name}: {table[:80]}"


# --- what mirrors the code ---------------------------------------------------------------------------------------------------


YEAR = 365 * 86_400


def seconds_written(period: str) -> int:
    number, unit = re.fullmatch(r"(\d+) (minute|hour|day|year)s?", period).groups()  # type: ignore[union-attr]
    return int(number) * {"minute": 60, "hour": 3600, "day": 86_400, "year": YEAR}[unit]


def seconds_of(name: str, value: Any) -> int:
    """A timedelta, or a number of years, days or seconds as its name says."""
    unit = YEAR if name.endswith("_YEARS") else 86_400 if name.endswith("DAYS") else 1
    return int(value.total_seconds()) if isinstance(value, timedelta) else value * unit


def value_of(dotted: str) -> Any:
    module, _dot, name = dotted.rpartition(".")
    if module == "settings":
        return getattr(settings, name)
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:  # a class
        package, _dot, class_name = module.rpartition(".")
        return getattr(getattr(importlib.import_module(package), class_name), name)


def test_every_period_is_the_codes():
    named = [(line[1], found[1]) for line in rows("retention.md") if (found := re.fullmatch(r"`([\w.]+)`", line[-1]))]
    assert len(named) >= 20 and len(named) == text("retention.md").count("| `"), "each last cell is a name or a dash"
    assert [one for one in named if seconds_written(one[0]) != seconds_of(one[1], value_of(one[1]))] == []


def test_every_host_in_the_code_is_a_named_third_party_and_the_other_way_round():
    in_code = {
        host
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))  # comments are not asked
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for host in re.findall(r"https?://([a-z0-9-]+(?:\.[a-z0-9-]+)+)", node.value)
    }
    named = {found for line in rows("third_parties.md") for found in re.findall(r"^`([a-z0-9.-]+)`$", line[0])}
    assert in_code - OWN_HOSTS == named


def test_the_policy_for_browsers_names_no_host_that_the_page_does_not():
    hosts = set(re.findall(r"https://([a-z0-9.-]+)", str(settings.CONTENT_SECURITY_POLICY["DIRECTIVES"])))
    assert hosts <= set(re.findall(r"`([a-z0-9.-]+)`", text("third_parties.md")))


def test_variables_that_pages_name_are_configuration():
    known = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([A-Z][A-Z0-9]+_[A-Z0-9_]+)`", text("third_parties.md") + text("architecture.md") + text("retention.md")))
    assert len(named) > 10 and named - known == set()


def test_the_checklist_is_the_commands():
    listed = {line[0].strip("`"): line[1] for line in rows("production_checklist.md") if line[0] != "id"}
    assert listed == {one.id: one.what for one in CHECKS.values()}


def test_all_boundaries_are_drawn_and_explained():
    page = text("architecture.md")
    drawn = set(re.findall(r"-- (TB-\d+) -->", page))
    assert drawn == {line[0] for line in rows("architecture.md", "Trust boundaries") if line[0].startswith("TB-")} == {
        f"TB-{n}" for n in range(1, 11)
    }  # fmt: skip


# --- claims of the standards that nothing else tests --------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_folder_is_listed():
    for folder in ("/static/", "/static/css/", "/static/js", "/.git/", "/.data/", "/docs/"):
        assert Client().get(folder).status_code in {302, 404}, folder  # 302: to the sign-in page
        assert "app.css" not in Client().get(folder, follow=True).content.decode().split("<body")[-1], folder


def test_no_page_takes_a_path():
    """An argument ends at the next slash; only the console's pages of objects take more, which Django reads as a key."""
    taking = [
        name
        for name, _route, pattern in every_url(get_resolver())
        for one in pattern.pattern.converters.values()
        if isinstance(one, PathConverter)
    ]
    assert [name for name in taking if not name.startswith("admin:")] == []


def test_the_browser_keeps_the_colour_theme_and_nothing_else():
    scripts = [path for path in (ROOT / "static").rglob("*.js") if "vendor" not in path.parts]
    stored = {key for path in scripts for key in re.findall(r"(?:local|session)Storage\.setItem\(\s*[\"']([\w-]+)", path.read_text())}
    assert len(scripts) > 1 and stored <= {"theme"}
    assert not [path.name for path in scripts if "indexedDB" in path.read_text()]


# --- the public pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_public_page_names_the_same_parties():
    page = Client().get("/privacy/").content.decode()
    table = page[page.index("Who else receives something") :]
    for party in ("Google", "Google Gemini", "Stripe", "PostHog"):
        assert f'<td class="primary">{party}</td>' in table and party in text("third_parties.md"), party
    assert "Mail and storage providers" in table


@pytest.mark.django_db
def test_the_promises_to_reporters_stand_on_both_pages():
    policy = (ROOT / "SECURITY.md").read_text()
    for promise in ("0.1.x", "48 hours", "5 business days", "7 days", "30 days", "do not open a public issue", "credit you"):
        assert promise in policy, promise
    assert "48 hours" in Client().get("/security/").content.decode()
    for when in ("Every quarter", "after every incident", "before every major change", "once a year"):
        assert when in policy, when
