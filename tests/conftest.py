"""What every test stands on: servers, one database per process, a browser that forgives nothing."""

import base64
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import expect

from tests.database import TestDatabase
from tests.object_store import object_store, store  # noqa: F401  fixtures
from tests.pages.look import settle

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NUMBER = int(WORKER.removeprefix("gw") or 0)
PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".data"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NO_BROWSER = "no browser"
CACHES_PER_WORKER = 4  # Valkey databases: broker, pages, limits, locks

# Dummies, for tests only.
DUMMIES = {
    "ENVIRONMENT": "test",
    "SECRET_KEY": "tests-only-" + "k9" * 24,
    "ENCRYPTION_KEYS": "test1:" + base64.b64encode(bytes(range(32))).decode(),
    "PUBLIC_URL": "http://localhost:8000",
    "EMAIL_URL": "smtp://127.0.0.1:9",
    "DEFAULT_FROM_EMAIL": "Aaperture <aaperture@example.test>",
    "GOOGLE_ISSUER": "http://127.0.0.1:9",
    "GOOGLE_API_ROOT": "http://127.0.0.1:9",
    "GOOGLE_CLIENT_ID": "sandbox-client.apps.example",
    "GOOGLE_CLIENT_SECRET": "sandbox-secret",
}
SERVERS = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL")


def _forget_configuration() -> None:
    """The configuration of whoever runs the tests must not reach them, except for the servers to use."""
    listed = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    for name in set(listed) - set(SERVERS):
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(DUMMIES)


_forget_configuration()
hypothesis.settings.register_profile("aaperture", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("aaperture")
# Playwright's sync interface keeps an event loop in this thread, for which Django would refuse its ORM.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
expect.set_options(timeout=30_000)  # how quick the machine is, is not what these tests ask
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # a bucket without a key is asked for by no machine on the network


def _provide_servers() -> None:
    """Point the environment at a database and a cache: the configured ones, or embedded ones of this run's own.

    Only the controlling process starts any; pytest-xdist's workers inherit the addresses. A second run in the same
    clone takes the next free state folder.
    """
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    from aaperture.lib import embedded

    for slot in range(1, 20):
        state = embedded.State(STATE / f"test-{slot}", fast=True)
        if state.try_lock():
            break
    else:
        pytest.exit("too many test runs in this clone at once", returncode=2)
    global _servers
    _servers = embedded.Servers(state)
    database, owner, cache = embedded.urls(state)
    os.environ.update(DATABASE_URL=database, MIGRATION_DATABASE_URL=owner, REDIS_URL=cache)


_servers: Any = None
if not WORKER:
    _provide_servers()
else:
    base = os.environ["REDIS_URL"].partition("?")[0]
    cache = NUMBER * CACHES_PER_WORKER
    os.environ["REDIS_URL"] = f"{base}?db={cache}" if base.startswith("unix:") else f"{base.rstrip('/')}/{cache}"
os.environ["DJANGO_SETTINGS_MODULE"] = "aaperture.settings"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    from django.conf import settings

    settings.DATABASES  # noqa: B018  load them now: pytest-django sets Django up only where settings are loaded
    if _servers and not config.option.collectonly and not config.option.help:
        _servers.start()
        _let_the_owner_pass_triggers()
    if getattr(config.option, "numprocesses", None):
        # A worker must choose its cache before its settings load, so it must not find them named in its environment.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def _let_the_owner_pass_triggers() -> None:
    """For tests.database, which empties tables."""
    from aaperture.lib.embedded.state import OWNER

    with psycopg.connect(_servers._superuser(), autocommit=True) as superuser:
        superuser.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")


def pytest_unconfigure() -> None:
    if _servers:
        _servers.stop()
        _servers.state.unlock()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if {"page", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
    # The long ones first, so that all workers end at about the same time.
    items.sort(key=lambda item: not (item.get_closest_marker("slow") or item.get_closest_marker("browser")))
    browser_items = [item for item in items if item.get_closest_marker("browser")]
    if browser_items and (missing := _missing_for_browser_tests()):
        for item in browser_items:
            item.add_marker(pytest.mark.skip(reason=f"{NO_BROWSER}: {missing}"))
    if os.environ.get("FAST") == "1":
        left_out = [item for item in items if item.get_closest_marker("slow") or item.get_closest_marker("browser")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if f"{NO_BROWSER}:" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} browser tests skipped: {_missing_for_browser_tests()}.", yellow=True)


@functools.cache
def _missing_for_browser_tests() -> str:
    """What to install before a browser can be driven, or nothing."""
    if not CHROMIUM:
        return "no Chromium found; install Debian's `chromium`, or name one with CHROMIUM"
    node, _ = compute_driver_executable()
    if subprocess.run([node, "--version"], capture_output=True, check=False).returncode:
        return "Playwright's driver does not start; install Debian's `libatomic1`"
    return ""


# --- database and cache ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def test_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """This process's database; `restore()` brings it back to what migrations left."""
    locks = STATE
    locks.mkdir(mode=0o700, exist_ok=True)
    owner = os.environ.get("MIGRATION_DATABASE_URL") or os.environ["DATABASE_URL"]
    database = TestDatabase(os.environ["DATABASE_URL"], owner, label=WORKER or "main", locks=locks)
    database.create(rebuild=request.config.getvalue("create_db"))
    yield database
    database.drop()


@pytest.fixture(scope="session")
def django_db_setup(test_database: TestDatabase, django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Replaces pytest-django's: the application's role could not create the database."""
    from django.conf import settings
    from django.db import connection
    from django.test import TransactionTestCase

    def restore(_case: TransactionTestCase) -> None:
        test_database.restore()

    addresses = {"DATABASE_URL": test_database.application_url, "MIGRATION_DATABASE_URL": test_database.owner_url}
    os.environ.update({name: test_database.url(url) for name, url in addresses.items()})  # for commands run as processes
    connection.close()
    connection.close_pool()
    connection.settings_dict["NAME"] = settings.MIGRATION_DATABASE["NAME"] = test_database.name
    TransactionTestCase._fixture_teardown = restore  # Django's truncates as the application, which may not
    yield
    with django_db_blocker.unblock():
        connection.close()
        connection.close_pool()
    os.environ.update(addresses)


@pytest.fixture(autouse=True)
def _empty_caches(request: pytest.FixtureRequest) -> None:
    """Every test that may reach the application starts with no limit used up and nobody locked out."""
    if {"db", "transactional_db", "client", "live_server"} & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        from django.core.cache import caches

        for alias in caches:
            caches[alias].clear()


@pytest.fixture(scope="session", autouse=True)
def _one_chain_of_middleware(django_test_environment: None) -> None:
    """All clients of the tests share one chain of middleware, as a server's requests do, until a setting changes.

    Each would build its own, and whitenoise look for every static file anew.
    """
    from django.core.signals import setting_changed
    from django.test.client import ClientHandler

    load = ClientHandler.load_middleware
    parts = ("_view_middleware", "_template_response_middleware", "_exception_middleware", "_middleware_chain")
    kept: dict[str, Any] = {}

    def load_middleware(handler: ClientHandler, is_async: bool = False) -> None:
        if not kept:
            load(handler, is_async)
            kept.update({name: getattr(handler, name) for name in parts})
        vars(handler).update(kept)

    def forget(**_change: Any) -> None:
        kept.clear()

    ClientHandler.load_middleware = load_middleware
    setting_changed.connect(forget, weak=False)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords(django_test_environment: None) -> None:
    """bcrypt at its lowest cost; a test about what a password costs takes `twelve_rounds`."""
    from accounts.passwords import BCryptSHA256TwelveRounds

    BCryptSHA256TwelveRounds.rounds = 4


@pytest.fixture
def twelve_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts.passwords import BCryptSHA256TwelveRounds

    monkeypatch.setattr(BCryptSHA256TwelveRounds, "rounds", 12)


# --- browser -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    # Every window would start a second page for the address bar that nobody sees. Chromium heeds the last list of features
    # only, so those which Playwright switches off are named again.
    unwanted = (
        "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "AvoidUnnecessaryBeforeUnloadCheckSync",
        "DestroyProfileOnBrowserClose", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding",
        "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying",
        "AimEnabled", "PreconnectToSearch",
    )  # fmt: skip
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage")
    arguments = ["--no-first-run", *(f"--disable-{name}" for name in quiet), f"--disable-features={','.join(unwanted)}"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture
def page(page: Any, live_server: Any) -> Iterator[Any]:
    """A page that fails its test on a CSP violation, an error in the console or a script, a foreign request, or a 5xx.

    `page.problems` is the list of them, `page.allowed_origins` what besides the live server may be asked.
    """
    problems: list[tuple[str, str]] = []
    page.problems, page.allowed_origins = problems, [live_server.url]
    # The binding outlives navigations, unlike a variable of the page; the listener runs before any script of the page.
    page.expose_binding("__csp_violation", lambda _source, text: problems.append(("csp", text)))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', event =>"
        " window.__csp_violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`))"
    )
    page.on("console", lambda message: problems.append(("console", message.text)) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(("script", str(error))))

    def check_status(response: Any) -> None:
        if response.status >= 500:
            problems.append(("server", f"{response.status} {response.url}"))

    def check_origin(request: Any) -> None:
        if not request.url.startswith((*page.allowed_origins, "data:", "blob:", "about:")):
            problems.append(("foreign", request.url))

    page.on("response", check_status)
    page.on("request", check_origin)
    yield page
    if not page.is_closed():
        page.wait_for_timeout(50)  # violations arrive after the event that caused them
    assert not problems, problems


@pytest.fixture
def axe(page: Any) -> Callable[..., list[tuple[str, str, list[Any]]]]:
    """`axe()` returns what axe-core finds on the page (WCAG 2.2 A and AA): rule, impact, elements."""
    source = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
    # Only faults leave the page: all that axe passed is megabytes, and would take several times as long as looking does.
    faults = """rules => axe.run(document, rules).then(found =>
        found.violations.map(rule => [rule.id, rule.impact, rule.nodes.slice(0, 5).map(node => node.target)]))"""

    def run(**options: Any) -> list[tuple[str, str, list[Any]]]:
        if not page.evaluate("'axe' in window"):
            page.evaluate(source)  # evaluated by the debugger, so the page's own policy need not allow it
        settle(page)  # a colour halfway to another one would be no fault of the page
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], **options}
        return [tuple(fault) for fault in page.evaluate(faults, rules)]

    return run


@pytest.fixture
def login(page: Any, live_server: Any, client: Any) -> Callable[[Any], None]:
    """`login(user)` signs the browser in without going through the pages."""

    def sign_in(user: Any) -> None:
        from django.conf import settings

        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])

    return sign_in
